"""An inventory of Ansible, whatever it was written in: groups, and what is said of each host. Frozen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aamic.errors import Place, Problem


class Var(NamedTuple):
    """The value of a variable, and where it stands."""

    value: Any
    place: Place


@dataclass(slots=True)
class Group:
    """A group: its hosts with their places, the groups below it, and its variables."""

    hosts: dict[str, Place] = field(default_factory=dict)
    children: dict[str, Place] = field(default_factory=dict)
    variables: dict[str, Var] = field(default_factory=dict)


@dataclass(slots=True)
class Inventory:
    """All groups by name, and the variables that stand with hosts themselves."""

    groups: dict[str, Group] = field(default_factory=dict)
    variables: dict[str, dict[str, Var]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def group(self, name: str) -> Group:
        """The group of a name, made if it was not mentioned before."""
        return self.groups.setdefault(name, Group())

    def host(self, name: str) -> dict[str, Var]:
        """The variables that stand with a host, which is known from now on."""
        return self.variables.setdefault(name, {})
