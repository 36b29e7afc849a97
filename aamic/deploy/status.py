"""Plan and observations -> how each host stands. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from aamic.deploy.diff import same
from aamic.deploy.impact import RUNNING
from aamic.deploy.observe import Seen
from aamic.deploy.record import RECORD
from aamic.model.host import ABSENT, Observation, Release, Unobserved
from aamic.model.plan import Plan
from aamic.model.status import HostStatus, StatusState

SKEW: Final = 60
"""Seconds by which clocks may differ unnoticed: samples and logs of such a host still meet those of others."""


def statuses(plan: Plan, seen: Mapping[str, Seen], at: Mapping[str, float]) -> tuple[HostStatus, ...]:
    """How each host stands; `at` is the controller's time, in seconds since 1970, when a host's answer was there."""
    wanting = {host for group in plan.groups for host in group.hosts}
    return tuple(_status(each, host in wanting, at.get(host)) for host, each in seen.items())


def _status(seen: Seen, wanting: bool, at: float | None) -> HostStatus:  # noqa: FBT001  # for the function above alone
    if isinstance(seen, Unobserved):
        hint = (f"hint: {seen.hint}",) if seen.hint else ()
        return HostStatus(seen.host, "unreachable", (seen.message, *hint))
    skew = round(seen.clock - at) if at is not None else 0
    state, details = _state(seen, wanting)
    return HostStatus(seen.host, state, details, seen.last, skew if abs(skew) > SKEW else 0, _carried(seen))


def _state(seen: Observation, wanting: bool) -> tuple[StatusState, tuple[str, ...]]:  # noqa: FBT001  # likewise
    if pending := seen.pending:
        by = f" of `{pending.who}`" if pending.who.strip("-") else ""
        left = f", {pending.seconds} s left" if pending.seconds > 0 else ""
        return "pending", (f"a change{by} is {pending.state}{left}",)
    if seen.lost:
        return "record lost", (f"{RECORD}: `aamic apply` writes it anew",)
    if seen.release is None:
        return ("never applied" if wanting else "in sync"), ()
    if drifted := tuple(_drifted(seen)):
        return "drifted", drifted
    return ("behind" if wanting else "in sync"), ()


def _carried(seen: Observation) -> str:
    return seen.release.name if seen.release else ""


def _drifted(seen: Observation) -> Iterator[str]:
    """What is not as the host's own release left it."""
    assert seen.release is not None  # noqa: S101  # the caller has looked
    yield from drifted_paths(seen, seen.release)
    for unit in seen.release.units:
        state = seen.units.get(unit)
        if state is not None and state.active not in RUNNING:
            yield f"{unit} ({state.active})"


def drifted_paths(seen: Observation, release: Release) -> Iterator[str]:
    """Paths at which something else stands than the release put there."""
    for path, kept in release.entries.items():
        if not same(seen.entries.get(path, ABSENT), kept.entry):
            yield path
