"""Raw samples of a long span, put together from the pieces in which a server gives them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from aamic.clients.base import Track

CHUNK: Final = 6 * 3600.0
"""Seconds that are asked for at once; a node with 8 GPUs then answers with a few MB."""
_SLACK: Final = 0.001
"""Prometheus 3 leaves the lower bound of a range out, Prometheus 2 takes it in; so a bit more is asked for."""


class Tracks:
    """Series between two times, each sample once and in order, however the pieces overlap."""

    def __init__(self, start: float, end: float) -> None:
        self._start = start
        self._end = end
        self._found: dict[tuple[tuple[str, str], ...], dict[float, float]] = {}

    def pieces(self, chunk: float) -> Iterator[tuple[float, float]]:
        """The pieces to ask for, as (end, length) in seconds, from the first to the last.

        >>> [(end, round(length)) for end, length in Tracks(0, 25).pieces(10)]
        [(10, 10), (20, 10), (25, 5)]
        """
        lower = self._start
        while lower < self._end:
            upper = min(lower + chunk, self._end)
            yield upper, upper - lower + _SLACK
            lower = upper

    def add(self, labels: Mapping[str, str], values: Sequence[Sequence[Any]]) -> None:
        """Take in the samples of one series, as the API writes them; those outside of the span are left out.

        Raises:
            ValueError, TypeError: They are written in another way.
        """
        samples = self._found.setdefault(tuple(sorted(labels.items())), {})
        for at, value in values:
            if self._start <= at <= self._end:
                samples[float(at)] = float(value)

    def all(self) -> tuple[Track, ...]:
        """Every series that has a sample, in order of labels."""
        return tuple(
            Track(dict(labels), tuple(sorted(samples.items())))
            for labels, samples in sorted(self._found.items())
            if samples
        )
