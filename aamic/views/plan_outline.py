"""What every view of a plan shows: each change once, below the bundle that wants it, with the hosts that need it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final, TypeAlias

from aamic.model.host import Entry, Unobserved
from aamic.model.plan import Change, ChangeAction, Difference, Effect, Impact, KeptFolder, Plan
from aamic.views.hosts import of_anyone
from aamic.views.plan_census import Census, Fold, Hosts, take_census

_Target: TypeAlias = tuple[str, str, str, Entry | None, bool]

MOST: Final = 20
"""Variants of one thing that are told one by one; files that were edited by hand may differ on every host."""
_STRENGTH: Final[Mapping[Effect, int]] = {"stop": 4, "start": 3, "restart": 2, "reload": 1, "reconfigure": 1}
"""Of several effects on one unit of one host, only the strongest happens."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A change from one state: hosts where the same stood before.

    `part` is whether these are not all hosts of the bundle that change, and `held` whether nothing is done on them, as
    they are blocked, or as the thing is somebody else's. `same_as` names where this very difference is
    shown before: `above`, or `in` another item; '' where it is shown first.
    """

    change: Change
    hosts: Hosts
    part: bool
    held: bool
    difference: Difference | None
    same_as: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """A thing that becomes the same on all its hosts, whatever stood there; most hosts first.

    `hosts` are those on which it is done. `held`: on none. `conflict`: it is somebody else's and stays as it is.
    `others` are the hosts of the variants from `MOST` on, which views need not tell one by one.
    """

    change: Change
    variants: tuple[Variant, ...]
    hosts: Hosts
    held: bool
    conflict: bool
    others: Hosts


@dataclass(frozen=True, slots=True)
class Section:
    """A bundle, the hosts on which something of it changes, those that need that too and are blocked, and what."""

    bundle: str
    hosts: Hosts
    held: Hosts
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class UnitEffect:
    """What happens to a unit, and on which hosts."""

    effect: Effect
    unit: str
    hosts: Hosts


@dataclass(frozen=True, slots=True)
class Trouble:
    """Hosts that are in the same difficulty. `kind` is a failure, `blocked`, or `conflict`."""

    kind: str
    message: str
    hint: str
    hosts: Hosts


@dataclass(frozen=True, slots=True)
class Folder:
    """A data folder that stays, and where; `became` says what is with the service whose it was."""

    path: str
    service: str
    became: str
    hosts: Hosts


@dataclass(frozen=True, slots=True)
class Outline:
    """A plan as it is read: troubles, then bundles with most hosts first.

    `changed` are the hosts that would change. `offline`: no host was looked at, so this is what files say.
    """

    plan: Plan
    changed: Hosts
    sections: tuple[Section, ...]
    effects: tuple[UnitEffect, ...]
    troubles: tuple[Trouble, ...]
    offline: bool
    kept: tuple[Folder, ...] = ()

    def count(self, action: ChangeAction) -> int:
        """How many things are added, changed or removed, those left out that are held on all their hosts."""
        return sum(item.change.action == action for item in self.items() if not item.held)

    def items(self) -> Iterable[Item]:
        """The items of all sections."""
        return chain.from_iterable(section.items for section in self.sections)


def outline(plan: Plan, fold: Fold) -> Outline:
    """The outline of a plan; the order depends on nothing but the plan."""
    census = take_census(plan, fold)
    sections = _sections(plan, census)
    troubles = (*_troubles(plan, census), *_conflicts(plan, census))
    changed = [
        number
        for number, group in enumerate(census.groups)
        if number < census.acting and any(not _conflict(plan, each) for each in group.changes)
    ]
    offline = plan.hosts > 0 and not plan.digests and not plan.unobserved
    kept = tuple(_folder(each, census) for each in plan.kept)
    return Outline(plan, census.hosts(changed), sections, _effects(plan, census), troubles, offline, kept)


def _folder(kept: KeptFolder, census: Census) -> Folder:
    became = {"removed": "which is removed", "moved": "which stores elsewhere now"}[kept.why]
    return Folder(kept.path, kept.service, became, census.named(kept.hosts))


def _sections(plan: Plan, census: Census) -> tuple[Section, ...]:
    """Bundles in order of the number of their hosts; the things of each in the order of the plan."""
    found: defaultdict[str, defaultdict[_Target, defaultdict[Change, list[int]]]]
    found = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for number, group in enumerate(census.groups):
        for each in group.changes:
            target = (each.action, each.what, each.name, each.after, each.foreign)
            found[each.bundle][target][each].append(number)
    sections = [_section(bundle, list(targets.values()), plan, census) for bundle, targets in found.items()]
    sections.sort(key=lambda section: (-section.hosts.count, -section.held.count, section.bundle))
    return _without_repetition(sections)


def _section(bundle: str, targets: list[defaultdict[Change, list[int]]], plan: Plan, census: Census) -> Section:
    numbers = _united(some for changes in targets for some in changes.values())
    hosts = census.hosts(number for number in numbers if number < census.acting)
    held = census.hosts(number for number in numbers if number >= census.acting)
    return Section(bundle, hosts, held, tuple(_item(changes, hosts, plan, census) for changes in targets))


def _united(lists: Iterable[list[int]]) -> list[int]:
    return sorted(set(chain.from_iterable(lists)))


def _item(changes: Mapping[Change, list[int]], whole: Hosts, plan: Plan, census: Census) -> Item:
    conflict = _conflict(plan, next(iter(changes)))
    found = [
        (Variant(change, hosts := census.hosts(some), hosts.count < whole.count, held, _difference(plan, change)), some)
        for change, numbers in changes.items()
        for held, some in [_held(numbers, census.acting, conflict=conflict)]
    ]
    found.sort(key=lambda each: (each[0].held, each[0].change.edited, -each[0].hosts.count))
    variants = tuple(variant for variant, _ in found)
    others = census.hosts(_united(some for _, some in found[MOST:]))
    done = census.hosts(() if conflict else (each for each in _united(changes.values()) if each < census.acting))
    return Item(variants[0].change, variants, done, done.count == 0, conflict, others)


def _held(numbers: list[int], acting: int, *, conflict: bool) -> tuple[bool, list[int]]:
    """Whether a change is done nowhere, and where it is done; or else where it would be."""
    done = [number for number in numbers if number < acting]
    return conflict or not done, done or numbers


def _difference(plan: Plan, change: Change) -> Difference | None:
    contents = (entry.content if entry else "" for entry in (change.before, change.after))
    return plan.differences.get("\0".join((change.name, *contents)))


def _conflict(plan: Plan, change: Change) -> bool:
    return change.foreign and not plan.adopt


def _without_repetition(sections: list[Section]) -> tuple[Section, ...]:
    """The sections, in which a difference that was shown in an earlier one is only referred to."""
    seen: dict[Difference, str] = {}
    return tuple(
        replace(
            section,
            items=tuple(
                replace(item, variants=tuple(_referred(variant, section.bundle, seen) for variant in item.variants))
                for item in section.items
            ),
        )
        for section in sections
    )


def _referred(variant: Variant, bundle: str, seen: dict[Difference, str]) -> Variant:
    if variant.difference is None or not (variant.difference.lines or variant.difference.meaning):
        return variant
    place = f"`{variant.change.name}` of {bundle}"
    if variant.difference not in seen:
        seen[variant.difference] = place
        return variant
    return replace(variant, same_as="above" if seen[variant.difference] == place else f"in {seen[variant.difference]}")


def _effects(plan: Plan, census: Census) -> tuple[UnitEffect, ...]:
    """What happens to units: a unit that several files concern is restarted once on each host."""
    found: defaultdict[Impact, list[int]] = defaultdict(list)
    for number, group in enumerate(census.groups[: census.acting]):
        strongest: dict[str, Impact] = {}
        for impact in chain.from_iterable(each.impacts for each in group.changes if not _conflict(plan, each)):
            if impact.effect in _STRENGTH:
                strongest[impact.unit] = max(impact, strongest.get(impact.unit, impact), key=_strength)
        for impact in strongest.values():
            found[impact].append(number)
    effects = [UnitEffect(impact.effect, impact.unit, census.hosts(numbers)) for impact, numbers in found.items()]
    return tuple(sorted(effects, key=lambda each: (-_STRENGTH[each.effect], -each.hosts.count, each.unit)))


def _strength(impact: Impact) -> int:
    return _STRENGTH[impact.effect]


def _troubles(plan: Plan, census: Census) -> list[Trouble]:
    """Hosts that were not observed or must not be changed, most first; one trouble for messages that tell the same."""
    found: defaultdict[tuple[str, str, str], list[Unobserved]] = defaultdict(list)
    blocked = (Unobserved(each.host, "blocked", each.message, each.hint) for each in plan.blocked)
    for each in chain(plan.unobserved, blocked):
        message, _, hint = of_anyone(each.host, f"{each.message}\0{each.hint or ''}").partition("\0")
        found[each.kind, message, hint].append(each)
    troubles = [_trouble(words, hosts, census) for words, hosts in found.items()]
    return sorted(troubles, key=lambda trouble: (-trouble.hosts.count, trouble.kind, trouble.message, trouble.hint))


def _trouble(words: tuple[str, str, str], hosts: list[Unobserved], census: Census) -> Trouble:
    first = hosts[0]
    told = words if len(hosts) > 1 else (first.kind, first.message, first.hint or "")
    return Trouble(*told, census.named(each.host for each in hosts))


def _conflicts(plan: Plan, census: Census) -> list[Trouble]:
    """What is somebody else's on hosts that nothing blocks; why others are blocked says it already."""
    found: defaultdict[str, list[int]] = defaultdict(list)
    for number, group in enumerate(census.groups[: census.acting]):
        for name in dict.fromkeys(each.name for each in group.changes if _conflict(plan, each)):
            found[name].append(number)
    return [
        Trouble("conflict", f"`{name}` was not put there by aamic", "`--adopt` takes it over", census.hosts(numbers))
        for name, numbers in found.items()
    ]
