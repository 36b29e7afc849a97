"""What the changes of a host do to its units: each is stopped, read again, restarted or started, at most one of these.

What is scraped starts before what scrapes it; what goes away stops in reverse.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from aamic.deploy.desired import UNITS, Desired
from aamic.model.plan import Change, Effect
from aamic.model.tree import Stage

STAGES: Final[tuple[Stage, ...]] = ("exporters", "shards", "central")


@dataclass(frozen=True, slots=True)
class UnitWork:
    """What is done to the units of a host, in order; `watch` are those that must then be up, with their ports.

    `sysusers` and `tmpfiles` are the paths of changed files that make users and folders. `reconfigure` maps daemons of
    somebody else to the file that they read again.
    """

    stop: tuple[str, ...]
    daemon_reload: bool
    reload: tuple[str, ...]
    restart: tuple[str, ...]
    start: tuple[str, ...]
    watch: Mapping[str, tuple[int, ...]]
    sysusers: tuple[str, ...]
    tmpfiles: tuple[str, ...]
    reconfigure: Mapping[str, str]


def unit_work(changes: Sequence[Change], desired: Desired) -> UnitWork:
    """Everything that these changes mean for the units of a host that should have what is desired."""
    stop = {unit for unit in _affected(changes, "stop") if unit not in desired.units}
    restart = _concrete(_affected(changes, "restart") | _rewritten(changes), desired)
    start = _concrete(_affected(changes, "start"), desired) - restart
    reload = _concrete(_affected(changes, "reload"), desired) - restart - start
    ups = _in_order(reload | restart | start, desired)
    return UnitWork(
        stop=tuple(sorted(stop, reverse=True)),
        daemon_reload=_asks(changes, "daemon-reload") or any(change.name.startswith(UNITS) for change in changes),
        reload=_in_order(reload, desired),
        restart=_in_order(restart, desired),
        start=_in_order(start, desired),
        watch={unit: desired.units[unit].ports for unit in ups},
        sysusers=_paths(changes, "sysusers"),
        tmpfiles=_paths(changes, "tmpfiles"),
        reconfigure={unit: _configuration(changes, desired) for unit in sorted(_affected(changes, "reconfigure"))},
    )


def _configuration(changes: Iterable[Change], desired: Desired) -> str:
    """The file of a daemon of somebody else: the one that holds a line for it."""
    edited = [change.name for change in changes if change.what == "line"]
    return next(iter((*edited, *(line.path for line in desired.lines))), "-")


def _affected(changes: Iterable[Change], effect: Effect) -> set[str]:
    return {impact.unit for change in changes for impact in change.impacts if impact.effect == effect}


def _asks(changes: Iterable[Change], effect: Effect) -> bool:
    return any(impact.effect == effect for change in changes for impact in change.impacts)


def _paths(changes: Iterable[Change], effect: Effect) -> tuple[str, ...]:
    """Files that are there after the change, and ask for this."""
    return tuple(change.name for change in changes if change.action != "remove" and _asks((change,), effect))


def _rewritten(changes: Iterable[Change]) -> set[str]:
    """Units whose own file changes: systemd reads it at once, their processes only when they start again."""
    return {
        change.name.removeprefix(f"{UNITS}/")
        for change in changes
        if change.what == "file" and change.action == "change" and change.name.startswith(f"{UNITS}/")
    }


def _concrete(names: Iterable[str], desired: Desired) -> set[str]:
    """The units of this host that are meant: a name may be a pattern, and others are not ours to touch."""
    return {unit for name in names for unit in desired.units if fnmatchcase(unit, name)}


def _in_order(units: Iterable[str], desired: Desired) -> tuple[str, ...]:
    return tuple(sorted(units, key=lambda unit: (STAGES.index(desired.units[unit].stage), unit)))
