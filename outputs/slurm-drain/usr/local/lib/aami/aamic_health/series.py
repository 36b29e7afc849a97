"""What a counter did over a span of time, from a few of its values. Pure."""

from typing import List, Optional, Sequence

Points = List[List[float]]
"""Pairs of time and value, in order of time."""

_POINTS = 12
"""Values kept of a span: enough for a rate, few enough for a small file."""


def kept(points: Points, now: float, value: float, span: float) -> Points:
    """Return the points with a new one; those that are older than the span are gone, but for the last before it.

    Points between two that are near each other are left out, unless the counter began anew there.
    """
    every = [*(point for point in points if point[0] < now), [now, value]]
    old = sum(1 for point in every if point[0] <= now - span)
    thinned: Points = []
    for point in every[max(0, old - 1) :]:
        if len(thinned) > 1 and _between(thinned[-2], thinned[-1], point, span / _POINTS):
            del thinned[-1]
        thinned.append(point)
    return thinned


def _between(first: List[float], middle: List[float], last: List[float], near: float) -> bool:
    """Whether the middle one says nothing that the others do not."""
    return last[0] - first[0] <= near and first[1] <= middle[1] <= last[1]


def increase(points: Sequence[Sequence[float]]) -> float:
    """Return by how much the counter grew; where it fell it began anew at zero.

    >>> increase([[0, 5], [10, 8], [20, 1]])
    4.0
    """
    grown = 0.0
    for (_, before), (_, after) in zip(points, points[1:]):
        grown += after - before if after >= before else after
    return grown


def rate(points: Sequence[Sequence[float]], least: float) -> Optional[float]:
    """Return the growth by second; None where the points span less than `least` seconds."""
    if len(points) < 2 or points[-1][0] - points[0][0] < least:  # noqa: PLR2004  # from one point to another
        return None
    return increase(points) / (points[-1][0] - points[0][0])
