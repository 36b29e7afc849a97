"""Which part of a window is known of a node, and why the rest is not."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from aamic.catalog import gpuerrors
from aamic.clients.base import Track
from aamic.model.analysis import Gap, Window
from aamic.ops.evidence import Evidence


def gaps(evidence: Evidence, window: Window, now: float) -> tuple[Gap, ...]:
    """The parts of a window in which the exporter was not seen to answer, and what cannot be seen of the whole.

    What lies between two answers is known if they are neighbours. Of a window that goes on, the last moments cannot be
    there yet.
    """
    whole = (window.start, window.end)
    if evidence.faults:
        return tuple(Gap(evidence.node, *whole, fault) for fault in evidence.faults)
    good = evidence.good()
    end = _awaited(good, window, now)
    holes = tuple(
        Gap(evidence.node, lower, upper, _why(evidence, lower, upper, now))
        for lower, upper in _holes(good, evidence.bad(), window.start, end, window.slack)
    )
    return (*holes, *(Gap(evidence.node, *whole, why) for why in evidence.blind))


def _awaited(good: Sequence[float], window: Window, now: float) -> float:
    """Until when answers can be expected: the last one, while the window goes on and there was one just now."""
    fresh = good and good[-1] >= now - window.slack and good[-1] > window.start
    return min(window.end, good[-1]) if fresh and window.end >= now else window.end


def silent(evidence: Evidence, window: Window, gpus: Iterable[str]) -> Iterator[Gap]:
    """What is not known of GPUs although their exporter answers: series that should be there, and are not."""
    inside = (window.start - window.slack, window.end + window.lag)
    if not any(inside[0] <= at <= inside[1] for at in evidence.good()):
        return
    coded = _seen(((t.labels.get(c.source.labels["gpu"]), t) for c in evidence.codes for t in c.tracks), inside)
    if not any(start < inside[1] and end > inside[0] for start, end in evidence.recorded):
        why = f"no `gpu:*` series: its recording rules gave nothing (asked {evidence.url})"
        yield Gap(evidence.node, window.start, window.end, why)
    if gpuerrors.always_shown(evidence.vendor) and not evidence.blind:
        for gpu in sorted(set(gpus) - coded):
            why = f"no {gpuerrors.kind(evidence.vendor)} series of GPU {gpu} (asked {evidence.url})"
            yield Gap(evidence.node, window.start, window.end, why)


def _seen(tracks: Iterable[tuple[str | None, Track]], inside: tuple[float, float]) -> set[str | None]:
    """The GPUs with a sample within a span."""
    return {gpu for gpu, track in tracks if any(inside[0] <= at <= inside[1] for at, _ in track.samples)}


def _holes(
    good: Sequence[float], bad: Sequence[float], start: float, end: float, slack: float
) -> Iterator[tuple[float, float]]:
    """The parts of [start, end] that do not lie between two neighbouring answers.

    >>> list(_holes([0, 10, 20, 70, 80], [], 5, 90, 30))
    [(20, 70), (80, 90)]
    >>> list(_holes([], [], 5, 90, 30))
    [(5, 90)]
    """
    edge = start
    for before, after in pairwise(good):
        if after - before > slack or bisect_left(bad, before) != bisect_right(bad, after):
            continue
        if before > edge:
            yield edge, min(before, end)
        edge = max(edge, min(after, end))
        if edge >= end:
            return
    if edge < end:
        yield edge, end


def _why(evidence: Evidence, lower: float, upper: float, now: float) -> str:
    if lower >= now - evidence.slack:
        return "too early: it is not scraped yet, so ask again in a minute"
    if evidence.cut is not None and lower < evidence.cut:
        return f"older than what is stored: {evidence.cut_why}"
    if any(lower <= at <= upper for at in evidence.bad()):
        return f"the exporter of its GPUs was down (says {evidence.url})"
    return f"no samples of the exporter's `up` (asked {evidence.url})"
