"""The hosts of a plan: those that would change, those that are blocked, and their host lists."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import chain
from typing import TypeAlias

from aamic.model.plan import Group, Plan

Fold: TypeAlias = Callable[[Iterable[str]], str]
"""Host names to a host list; views may not import the function of `aamic.compile`, so it is given to them."""


@dataclass(frozen=True, slots=True)
class Hosts:
    """Some hosts: how many, and their host list."""

    count: int
    folded: str


@dataclass(frozen=True, slots=True)
class Census:
    """Folds the hosts of groups, each set of groups once; from the number `acting` on, groups are of blocked hosts."""

    groups: tuple[Group, ...]
    acting: int
    fold: Fold
    known: dict[tuple[int, ...], Hosts] = field(default_factory=dict)

    def hosts(self, numbers: Iterable[int]) -> Hosts:
        """The hosts of groups, by their numbers."""
        key = tuple(dict.fromkeys(numbers))
        if key not in self.known:
            self.known[key] = self.named(chain.from_iterable(self.groups[number].hosts for number in key))
        return self.known[key]

    def named(self, names: Iterable[str]) -> Hosts:
        """Hosts by their names, each once."""
        unique = dict.fromkeys(names)
        return Hosts(len(unique), self.fold(unique))


def take_census(plan: Plan, fold: Fold) -> Census:
    """The groups of a plan, blocked hosts apart: what they need is shown, and not done."""
    blocked = {each.host for each in plan.blocked}
    acting = _chosen(plan.groups, lambda host: host not in blocked) if blocked else plan.groups
    held = _chosen(plan.groups, blocked.__contains__) if blocked else ()
    return Census((*acting, *held), len(acting), fold)


def _chosen(groups: Iterable[Group], wanted: Callable[[str], bool]) -> tuple[Group, ...]:
    chosen = (Group(tuple(filter(wanted, group.hosts)), group.changes) for group in groups)
    return tuple(group for group in chosen if group.hosts)
