"""A node's verdicts over a span that has passed: what was stored of it, given to the judge as a node check would."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from aamic.agent.health.exposition import Sample
from aamic.agent.health.judge import Verdict, judge
from aamic.agent.health.nodepolicy import Policy
from aamic.agent.health.readings import readings
from aamic.clients.base import Track
from aamic.ops.stored import HEAT, NAMES, Span

_LABELS: Final = {"gpu": "gpu", "gpu_uuid": "gpu_uuid", "code": "code", "error_severity": "error_severity"}
SIGNALS: Final = [{"name": name, "sources": [{"metrics": [name], "labels": _LABELS}]} for name in NAMES]
"""How series that are neutral already are read."""


@dataclass(frozen=True, slots=True)
class Said:
    """What was thought of a node from `at` on: its verdict, and signals with their GPUs."""

    at: float
    verdict: str
    signals: frozenset[tuple[str, str]]


@dataclass
class Memory:
    """What one judge remembers of one node between spans, and the last verdict."""

    judge: Mapping[str, Any] = field(default_factory=dict)
    verdict: str = "ok"


def replay(tracks: Sequence[Track], policy: Policy, memory: Memory, span: Span, lookback: float) -> Iterator[Said]:
    """Yield what changes in a node's verdict, in order of time; `memory` is then that of the end.

    A sample counts until the next one of its series, and for `lookback` seconds at the most.
    """
    last: Said | None = None
    for at, verdict in judged(tracks, policy, memory, span, lookback):
        bad = frozenset((each.signal, each.gpu) for each in verdict.findings if each.level in {"fail", "warn"})
        said = Said(at, verdict.state, bad)
        if last is None or (said.verdict, said.signals) != (last.verdict, last.signals):
            yield said
            last = said


def judged(
    tracks: Sequence[Track], policy: Policy, memory: Memory, span: Span, lookback: float
) -> Iterator[tuple[float, Verdict]]:
    """Yield the verdict of each look; `memory` is that of the look."""
    series = [_Series(track) for track in tracks if counts(track)]
    for number in range(span.steps):
        at = span.start + number * span.step
        seen = readings(_at(series, at, lookback), SIGNALS)
        verdict, memory.judge = judge(seen or None, policy, memory.judge, at, "nothing is stored")
        memory.verdict = verdict.state
        yield at, verdict


def counts(track: Track) -> bool:
    """Whether the judge reads a series."""
    return track.labels.get("__name__") != "gpu:throttle_ratio" or track.labels.get("reason") in HEAT


class _Series:
    """One series, ready to be asked for its value at a time."""

    def __init__(self, track: Track) -> None:
        self.name = track.labels.get("__name__", "").removeprefix("gpu:")
        self.labels = dict(track.labels)
        self.times = [at for at, _ in track.samples]
        self.values = [value for _, value in track.samples]


def _at(series: Iterable[_Series], at: float, lookback: float) -> Iterator[Sample]:
    for each in series:
        index = bisect_right(each.times, at) - 1
        if index >= 0 and at - each.times[index] <= lookback:
            yield Sample(each.name, each.labels, each.values[index])
