"""From what is stored of a node to what happened on its GPUs: transitions, each with its time."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aamic.catalog import gpuerrors
from aamic.model.analysis import Bearing, Event, Window
from aamic.model.gpuerror import GpuError
from aamic.ops import signals
from aamic.ops.evidence import Codes, Evidence
from aamic.ops.tracks import Samples, joined

_SETTLED: Final = 6
"""Scrape intervals after which a GPU that shows no code had none: codes are read apart from other values."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is too much on one node: degrees by neutral name, and codes that the site calls fatal, if it says so."""

    limits: Mapping[str, float]
    fatal: frozenset[int] | None = None
    count: int = 0


def found(evidence: Evidence, window: Window, bounds: Bounds) -> tuple[Event, ...]:
    """Everything that happened on the node's GPUs, also outside of the window, in order of time.

    Heat, throttling and few corrected errors are those of the window, as they are no transitions.
    """
    events = [
        *_code_events(evidence, bounds),
        *_window_counts(evidence, bounds),
        *signals.counters(evidence, window),
        *signals.flags(evidence),
        *signals.lost(evidence, window, bounds.count),
        *signals.hot(evidence, window, bounds.limits),
        *signals.throttled(evidence, window),
    ]
    return tuple(_once(sorted(events, key=_order), evidence.slack))


def _order(event: Event) -> tuple[object, ...]:
    return event.at, event.gpu, event.kind, event.what, event.since is None, event.since


# Error codes


def _code_events(evidence: Evidence, bounds: Bounds) -> Iterator[Event]:
    present = signals.presence(evidence)
    for codes in evidence.codes:
        for (gpu, _), samples in _by_gpu(codes).items():
            fatal = _fatal_times(codes, gpu)
            for since, at, code in _changes(samples):
                watched = _watched(present.get(gpu, []), at, evidence) if since is None else since
                sight = _Sight(gpu, code, watched, at, at in fatal)
                yield _code_event(evidence, bounds, sight)


def _by_gpu(codes: Codes) -> Mapping[tuple[str, str], Samples]:
    """The samples by GPU, and by which of its codes: an exporter may show several of one event beside each other."""
    names = codes.source.labels
    return joined(
        codes.tracks, lambda labels: (labels.get(names["gpu"], ""), labels.get(names.get("error_index", ""), ""))
    )


def _fatal_times(codes: Codes, gpu: str) -> frozenset[float]:
    """When the exporter itself called a GPU's error fatal."""
    names = codes.source.labels
    severity = names.get("error_severity", "")
    return frozenset(
        at
        for track in codes.tracks
        if track.labels.get(names["gpu"]) == gpu and track.labels.get(severity) == "fatal"
        for at, _ in track.samples
    )


def _changes(samples: Samples) -> Iterator[tuple[float | None, float, int]]:
    """Where the code becomes another one, as (last time before, time, code); 0 is no code."""
    before: float | None = None
    last = 0.0
    for at, value in samples:
        if value > 0 and value != last:
            yield before, at, int(value)
        last, before = value, at


def _watched(times: list[float], at: float, evidence: Evidence) -> float | None:
    """The last moment before `at` at which the GPU was seen without a code, long enough after it came; or None."""
    index = bisect_left(times, at)
    if index == 0 or at - times[index - 1] > evidence.slack:
        return None
    start = next(
        (times[i] for i in range(index - 1, 0, -1) if times[i] - times[i - 1] > evidence.slack),
        times[0],
    )
    return times[index - 1] if at - start >= _SETTLED * evidence.step else None


@dataclass(frozen=True, slots=True)
class _Sight:
    """A code that came up on a GPU, and whether the exporter itself calls it fatal."""

    gpu: str
    code: int
    since: float | None
    at: float
    fatal: bool = False


def _code_event(evidence: Evidence, bounds: Bounds, sight: _Sight) -> Event:
    error = gpuerrors.explain(evidence.vendor, sight.code)
    bearing = "fatal" if sight.fatal else code_bearing(error, bounds.fatal)
    return Event(
        at=sight.at,
        since=sight.since,
        node=evidence.node,
        gpu=sight.gpu,
        kind="error_code",
        what=str(error),
        meaning=error.meaning,
        severity="critical" if bearing == "fatal" else error.severity,
        bearing=bearing,
        action=error.action,
        vendor=evidence.vendor,
        code=sight.code,
    )


def code_bearing(error: GpuError, fatal: frozenset[int] | None = None) -> Bearing:
    """What a code says of the GPU; `fatal` are the codes that a site calls so, in place of the catalog's."""
    if error.code in fatal if fatal is not None else error.policy == "fatal":
        return "fatal"
    if error.policy == "uncorrected" or error.severity == "critical":
        return "hard"
    if error.policy == "application":
        return "hard" if error.fault == "hardware" else "application"
    if error.policy == "ignored":
        return "sign" if error.fault == "hardware" else "note"
    quiet = error.policy == "corrected" or error.severity == "info" or error.fault == "application"
    return "note" if quiet else "sign"


def _window_counts(evidence: Evidence, bounds: Bounds) -> Iterator[Event]:
    """Codes that the exporter counted in its sliding window: also those that another one hid, or that came again."""
    good = evidence.good()
    tracks = signals.of(evidence, "gpu:error_window_count")
    keyed = joined(tracks, lambda labels: (labels.get("gpu", ""), labels.get("code", "")))
    for (gpu, code), samples in keyed.items():
        before: float | None = None
        last = 0.0
        for at, value in samples:
            if before is None or at - before > evidence.slack:
                last, before = 0.0, _answered(good, at, evidence)
            if value > last and code.isdecimal():
                yield _code_event(evidence, bounds, _Sight(gpu, int(code), before, at))
            last, before = value, at


def _answered(good: list[float], at: float, evidence: Evidence) -> float | None:
    index = bisect_left(good, at)
    return good[index - 1] if index and at - good[index - 1] <= evidence.slack else None


def _once(events: Sequence[Event], slack: float) -> Iterator[Event]:
    """Without codes that two series tell of: those of the exporter's window that the last code shows as well."""
    kept: dict[tuple[str, int], float] = {}
    for event in events:
        last = kept.get((event.gpu, event.code))
        if event.code and last is not None and event.at - last <= slack:
            continue
        kept[event.gpu, event.code] = event.at
        yield event
