"""What a change means for the services of one host: the effects that an apply will have there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from posixpath import basename, dirname
from typing import Final, Literal

from aamic.deploy.desired import UNITS, Desired
from aamic.model.host import Observation
from aamic.model.plan import Impact
from aamic.model.tree import OnChange

RUNNING: Final = frozenset({"active", "reloading"})
_DAEMON_RELOAD: Final = Impact("daemon-reload")
_SHALLOWEST: Final = 3
"""Neighbours are looked for below a folder such as /etc/aami/rules, not in all of /etc/aami."""


@dataclass(frozen=True)
class Effects:
    """Finds the effects of changes on one host, from what it should have and what was seen there."""

    desired: Desired
    observed: Observation

    def runs(self, unit: str) -> bool:
        """Whether a unit is up. Where units cannot be seen, as in a folder, the host's release answers."""
        if state := self.observed.units.get(unit):
            return state.active in RUNNING
        release = self.observed.release
        return not self.observed.units and release is not None and unit in release.units

    def of(self, path: str, on_change: OnChange) -> tuple[Impact, ...]:
        """What a new or changed file or link does."""
        impacts = list(self._on_change(on_change))
        if dirname(path) == UNITS:
            impacts.append(_DAEMON_RELOAD)
            impacts += self._stop(unit for unit in (basename(path),) if unit in self.desired.masked)
        return _ordered(impacts)

    def of_program(self, path: str) -> tuple[Impact, ...]:
        """A new program restarts the units whose files name it."""
        return _ordered(self._again("restart", self._naming(path.encode())))

    def of_package(self, name: str, bundle: str) -> tuple[Impact, ...]:
        """A package restarts the units of its bundle, and those that run a program of its name."""
        units = {unit for unit, wanted in self.desired.units.items() if wanted.bundle == bundle}
        return _ordered(self._again("restart", units.union(self._naming(f"/{name}".encode()))))

    def of_secret(self, bundle: str) -> tuple[Impact, ...]:
        """A new secret is read again by the units that the files of its bundle are for."""
        asked = {entry.on_change for entry in self.desired.entries.values() if entry.bundle == bundle}
        reloads = [each for each in asked if each.action == "reload"]
        restarts = [each for each in asked if each.action == "restart"]
        return _ordered(impact for each in reloads or restarts for impact in self._on_change(each))

    def of_removal(self, path: str) -> tuple[Impact, ...]:
        """What it does that a recorded path goes: its unit stops, or those that read its neighbours read again."""
        if path.startswith(f"{UNITS}/"):
            units = (basename(path),) if dirname(path) == UNITS else ()
            return _ordered([_DAEMON_RELOAD, *self._stop(unit for unit in units if unit not in self.desired.units)])
        return _ordered(
            impact
            for on_change in self._neighbours(path)
            for impact in self._on_change(on_change)
            if impact.effect in {"reload", "restart", "reconfigure"}
        )

    def _on_change(self, on_change: OnChange) -> Iterator[Impact]:
        if on_change.action in {"daemon-reload", "sysusers", "tmpfiles"}:
            yield Impact(on_change.action)
        elif on_change.action in {"reload", "restart"}:
            units = [unit for unit in self.desired.units if fnmatchcase(unit, on_change.unit)]
            yield from self._again(on_change.action, units)
        elif on_change.action == "reconfigure" and self._reads(on_change.unit):
            yield from self.of_edit((on_change.unit,))

    def _reads(self, unit: str) -> bool:
        """Whether a daemon of somebody else reads what is ours: without a line that says so it does not.

        Before a host was looked at nobody can tell.
        """
        kept = self.desired.kept
        return kept is None or unit in {line.unit for line in kept}.union(
            *(edit.units for edit in self.desired.edits.values())
        )

    def of_edit(self, units: Iterable[str]) -> tuple[Impact, ...]:
        """Daemons of others read their configuration again where they run, or where nobody can tell."""
        states = {unit: self.observed.units.get(unit) for unit in units}
        return tuple(
            Impact("reconfigure", unit) for unit, state in states.items() if not state or state.active in RUNNING
        )

    def _again(self, action: Literal["reload", "restart"], units: Iterable[str]) -> Iterator[Impact]:
        """A unit that is not up starts with whatever stands there."""
        return (Impact(action if self.runs(unit) else "start", unit) for unit in units)

    def _stop(self, units: Iterable[str]) -> Iterator[Impact]:
        return (Impact("stop", unit) for unit in units if self.runs(unit))

    def _naming(self, path: bytes) -> list[str]:
        word = re.compile(re.escape(path) + rb"(?![^\s\"'])")
        return [unit for unit, text in self._unit_files if word.search(text)]

    @cached_property
    def _unit_files(self) -> list[tuple[str, bytes]]:
        entries = self.desired.entries
        return [(unit, entries[path].content) for unit in self.desired.units if (path := f"{UNITS}/{unit}") in entries]

    def _neighbours(self, path: str) -> set[OnChange]:
        """What a change means for the desired files that stand nearest to a path."""
        folder = dirname(path)
        while folder.count("/") >= _SHALLOWEST:
            near = {each.on_change for name, each in self.desired.entries.items() if name.startswith(f"{folder}/")}
            if near:
                return near
            folder = dirname(folder)
        return set()


def _ordered(impacts: Iterable[Impact]) -> tuple[Impact, ...]:
    return tuple(sorted(set(impacts)))
