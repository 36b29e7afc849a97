"""What was observed of the servers of a site -> how each stands, with reasons. Pure.

Nothing is taken for well because it is missing: what could not be had is a reason of its own, and the worst there is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from statistics import median

from aamic.compile.vectors import REMOTE_JOB
from aamic.model.federation import (
    Expected,
    FederationStatus,
    Observed,
    Reading,
    Reason,
    Scrape,
    ServerStatus,
    Tally,
    Unknown,
    state_of,
)
from aamic.ops.federationreasons import Skew, counted, reasons_of

_MIDDLE = 3
"""Clocks from which on one of them is in the middle: of two that differ, either may be the wrong one."""


def judge(
    cluster: str, at: float, expected: Sequence[Expected], observed: Mapping[str, Observed], names: Sequence[str] = ()
) -> FederationStatus:
    """How the servers of these names stand, or all of them; others, such as central, tell of them."""
    central = next((each for each in expected if each.role == "central"), None)
    skews = _skews(observed)
    shown = [each for each in expected if not names or each.name in names]
    servers = tuple(
        _status(each, observed[each.name], _reading(each, central, observed), skews.get(each.name)) for each in shown
    )
    return FederationStatus(cluster, at, servers, tuple(chain(_versions(servers), _pairs(servers))))


def _status(expected: Expected, observed: Observed, reading: Reading | None, skew: Skew | None) -> ServerStatus:
    jobs = None if isinstance(observed.scrapes, Unknown) else _tallies(expected, observed.scrapes)
    reasons = tuple(reasons_of(expected, observed, reading, jobs, skew))
    return ServerStatus(expected, observed, reading, jobs, state_of(reasons), reasons)


def _reading(expected: Expected, central: Expected | None, observed: Mapping[str, Observed]) -> Reading | None:
    """What central says of a shard's server; None of those that it does not read."""
    if central is None or not expected.shard:
        return None
    seen = observed[central.name]
    if isinstance(seen.scrapes, Unknown):
        return Reading(seen.scrapes)
    found = [each for each in seen.scrapes if each.job == "federate" and each.address == expected.address]
    if not found:
        return Reading("down", "it is not among the targets of central")
    read = found[0]
    known = not isinstance(seen.clock, Unknown) and read.at is not None
    age = seen.ages if isinstance(seen.ages, Unknown) else seen.ages.get((expected.shard, expected.replica or ""))
    return Reading(
        health=read.health,
        error=read.error,
        ago=seen.clock - read.at if known else None,  # type: ignore[operator]  # both are numbers then
        seconds=read.seconds if read.at is not None else None,
        interval=read.interval,
        age=age,
        told=expected.read,
    )


def _tallies(expected: Expected, scrapes: Iterable[Scrape]) -> dict[str, Tally]:
    """The targets by job, those that the site wants and those that there are, without other clusters; jobs sorted."""
    found: dict[str, list[Scrape]] = {job: [] for job, _ in expected.targets}
    for each in scrapes:
        if each.job != REMOTE_JOB:
            found.setdefault(each.job, []).append(each)
    return {job: _tally(expected, job, those) for job, those in sorted(found.items())}


def _tally(expected: Expected, job: str, scrapes: Sequence[Scrape]) -> Tally:
    wanted = {address: node for (name, address), node in expected.targets.items() if name == job}
    there = {each.address for each in scrapes}
    missing = [node for address, node in wanted.items() if address not in there]
    return Tally(
        up=sum(each.health == "up" for each in scrapes),
        down=sum(each.health == "down" for each in scrapes),
        unknown=sum(each.health == "unknown" for each in scrapes),
        missing=tuple(dict.fromkeys(missing)),
        extra=tuple(sorted(there - wanted.keys())),
        lacking=len(missing),
    )


def _skews(observed: Mapping[str, Observed]) -> dict[str, Skew]:
    """How far each clock is ahead of the one in the middle, as ours may be the wrong one; of few, ahead of ours."""
    known = {name: each.ahead for name, each in observed.items() if not isinstance(each.clock, Unknown)}
    if len(known) < _MIDDLE:
        return {name: Skew(ahead, "this machine's") for name, ahead in known.items()}
    middle = median(known.values())
    return {name: Skew(ahead - middle, "the others'") for name, ahead in known.items()}


def _versions(servers: Sequence[ServerStatus]) -> Iterator[Reason]:
    found: dict[str, list[str]] = {}
    for each in servers:
        if not isinstance(each.observed.version, Unknown):
            found.setdefault(each.observed.version, []).append(each.name)
    if len(found) > 1:
        told = "; ".join(f"{version} on {', '.join(names)}" for version, names in sorted(found.items()))
        yield Reason("warning", f"servers run different versions: {told}")


def _pairs(servers: Sequence[ServerStatus]) -> Iterator[Reason]:
    """What one server of a pair sees up and the other does not: the one that sees less may be cut off."""
    pairs: dict[str, list[ServerStatus]] = {}
    for each in servers:
        if each.expected.replica is not None:
            pairs.setdefault(each.expected.shard, []).append(each)
    for shard, pair in pairs.items():
        seen = {each.name: up for each in pair if (up := _up(each)) is not None}
        for name, up in seen.items():
            if alone := up.difference(*(other for one, other in seen.items() if one != name)) if len(seen) > 1 else ():
                yield Reason("note", f"of {shard}, {counted(len(alone), 'target')} up for {name} alone")


def _up(status: ServerStatus) -> frozenset[tuple[str, str]] | None:
    scrapes = status.observed.scrapes
    if isinstance(scrapes, Unknown):
        return None
    wanted = status.expected.targets
    return frozenset(key for each in scrapes if each.health == "up" and (key := (each.job, each.address)) in wanted
                     and each.job != "prometheus")  # fmt: skip
