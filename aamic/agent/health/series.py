"""What a counter did over a span of time, from a few of its values. Pure."""

from typing import List, Optional, Sequence

Points = List[List[float]]
"""Pairs of time and value, in order of time."""

_POINTS = 12
"""Values kept of a span: enough for a rate, few enough for a small file."""


def kept(points: Points, now: float, value: float, span: float) -> Points:
    """Return the points with a new one; those that are older than the span are gone, but for the last before it."""
    before = [point for point in points if point[0] < now]
    old = sum(1 for point in before if point[0] <= now - span)
    recent = before[max(0, old - 1) :]
    thinned = [
        point
        for index, point in enumerate(recent)
        if index in (0, len(recent) - 1) or point[0] - recent[index - 1][0] >= span / _POINTS
    ]
    if len(thinned) > 1 and thinned[-1][0] - thinned[-2][0] < span / _POINTS and thinned[-1][1] >= thinned[-2][1]:
        del thinned[-1]  # a value between two others says nothing of an increase
    return thinned + [[now, value]]  # noqa: RUF005  # a list of lists, in any Python


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
