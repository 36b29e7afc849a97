"""Units that are not in the state they should be in although none of their files change. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from aamic.deploy.desired import Desired
from aamic.deploy.impact import RUNNING
from aamic.model.host import Observation, UnitState
from aamic.model.plan import Change, ChangeAction, Impact
from aamic.model.tree import Stage

_OWN_WORDS: Final = frozenset({"loaded", "not-found"})
"""Load states in which a unit's active state says more."""


def unit_changes(
    desired: Desired, observed: Observation, done: Iterable[Impact]
) -> Iterator[tuple[Stage | None, Change]]:
    """What the units of a host need besides `done`, the impacts of its other changes; each with its stage."""
    effects = frozenset(done)
    yield from _not_as_wanted(desired, observed, effects)
    yield from _still_running(desired, observed, effects)


def _not_as_wanted(desired: Desired, observed: Observation, done: frozenset[Impact]) -> Iterator[tuple[Stage, Change]]:
    """Units that must be up, and are not, or are up with an older file than the one that stands there."""
    seen_to = {impact.unit for impact in done if impact.effect in {"start", "restart"}}
    for unit, wanted in desired.units.items():
        state = observed.units.get(unit)
        if state is None or unit in seen_to:
            continue
        if state.active not in RUNNING:
            yield wanted.stage, _change("change", unit, wanted.bundle, _why(state), Impact("start", unit))
        elif state.needs_reload:
            impacts = (Impact("daemon-reload"), Impact("restart", unit))
            yield wanted.stage, _change("change", unit, wanted.bundle, "runs with an older unit file", *impacts)


def _why(state: UnitState) -> str:
    return state.active if state.load in _OWN_WORDS else state.load


def _still_running(
    desired: Desired, observed: Observation, done: frozenset[Impact]
) -> Iterator[tuple[Stage | None, Change]]:
    """Units that must not be up, and are: those that are masked, and those that only the host's release wanted."""
    release = observed.release.units if observed.release else {}
    for unit, bundle in {**release, **desired.masked}.items():
        state = observed.units.get(unit)
        if unit in desired.units or Impact("stop", unit) in done or state is None or state.active not in RUNNING:
            continue
        action: ChangeAction = "change" if unit in desired.masked else "remove"
        yield None, _change(action, unit, bundle, state.active, Impact("stop", unit))


def _change(action: ChangeAction, unit: str, bundle: str, detail: str, *impacts: Impact) -> Change:
    return Change(action, "unit", unit, bundle, detail=detail, impacts=impacts)
