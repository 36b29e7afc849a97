"""Series over time, put together by what they tell of: raw series change their labels, a GPU does not."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from math import isfinite
from typing import TypeVar

from aamic.clients.base import Track

Key = TypeVar("Key", bound=Hashable)
Samples = Sequence[tuple[float, float]]


def joined(tracks: Iterable[Track], key: Callable[[Mapping[str, str]], Key]) -> dict[Key, Samples]:
    """The samples of all tracks of a key, in order of time; of several at one moment the highest value.

    What is no number, or without end, is no sample.

    >>> tracks = [Track({"gpu": "0", "job": "a"}, [(1, 0)]), Track({"gpu": "0", "job": "b"}, [(2, 5)])]
    >>> joined(tracks, lambda labels: labels["gpu"])
    {'0': [(1, 0), (2, 5)]}
    """
    found: dict[Key, dict[float, float]] = {}
    for track in tracks:
        samples = found.setdefault(key(track.labels), {})
        for at, value in track.samples:
            if isfinite(value):
                samples[at] = max(value, samples.get(at, value))
    return {each: sorted(samples.items()) for each, samples in found.items()}


def growths(samples: Samples) -> Iterator[tuple[float, float, float]]:
    """Where a counter grows, as (last time before, time, by how much); one that begins anew has grown by its value.

    >>> list(growths([(1, 5), (2, 5), (3, 7), (4, 0), (5, 2)]))
    [(2, 3, 2), (4, 5, 2)]
    """
    for (before, old), (at, new) in pairwise(samples):
        grown = new - old if new >= old else new
        if grown > 0:
            yield before, at, grown


def rises(samples: Samples) -> Iterator[tuple[float | None, float]]:
    """Where a flag becomes 1, as (last time before, time); None where the samples begin with it."""
    before: float | None = None
    was = False
    for at, value in samples:
        if value > 0 and not was:
            yield before, at
        was, before = value > 0, at


def pauses(times: Sequence[float], slack: float, end: float) -> Iterator[tuple[float, float]]:
    """Where times are further apart than neighbours are, the last one from `end`.

    >>> list(pauses([0, 10, 60, 70], 30, 200))
    [(10, 60), (70, 200)]
    """
    for before, after in zip(times, [*times[1:], end], strict=True):
        if after - before > slack:
            yield before, after
