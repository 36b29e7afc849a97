"""`aamic slurm job-analyze`: what the GPUs of a job did while it ran, and whether that explains how it ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from aamic.model.analysis import Analysis, Event, Gap, Known, Window
from aamic.model.fleet import Fleet
from aamic.model.slurm import HookRecord, Job
from aamic.ops import coverage, evidence, wording
from aamic.ops.correlate import Weighed, judge
from aamic.ops.events import found
from aamic.ops.evidence import Evidence, Open
from aamic.ops.limits import bounds
from aamic.ops.ownership import owned

_AT_ONCE: Final = 8
"""Nodes of which servers are asked at a time."""
_STICKY: Final = frozenset({"error_code", "remap_failure", "remap_pending", "unhealthy", "lost"})
"""What stays visible after it happened, so that it may be older than a job."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that jobs are explained from: the site, what is stored of nodes, and what epilogs wrote down.

    `repeated` is in how many jobs a program's fault came up, by node and GPU, where that was looked into. `now` is in
    seconds since 1970.
    """

    fleet: Fleet
    now: float
    evidence: Mapping[str, Evidence]
    hooks: Sequence[HookRecord] = ()
    repeated: Mapping[tuple[str, str], int] = field(default_factory=dict)


def gather(fleet: Fleet, jobs: Sequence[Job], now: float, open_: Open) -> Mapping[str, Evidence]:
    """What is stored of every node of these jobs, each read once over the time that its jobs took."""
    spans: dict[str, tuple[float, float]] = {}
    for job in jobs:
        if job.started is not None:
            for node in job.nodes:
                start, end = spans.get(node, (job.started, job.started))
                spans[node] = min(start, job.started), max(end, ended(job, now))
    return gather_spans(fleet, spans, now, open_)


def gather_spans(
    fleet: Fleet, spans: Mapping[str, tuple[float, float]], now: float, open_: Open
) -> Mapping[str, Evidence]:
    """What is stored of nodes, each over its own span of time."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        read = pool.map(lambda node: evidence.read(fleet, node, spans[node], now, open_), spans)
        return dict(zip(spans, read, strict=True))


def ended(job: Job, now: float) -> float:
    """When the job ended; now for one that still runs, and not before it started."""
    return max(job.started or 0.0, now if job.ended is None else job.ended)


@dataclass(frozen=True, slots=True)
class _Part:
    """What is known of a job on one of its nodes."""

    own: tuple[Weighed, ...]
    elsewhere: tuple[Event, ...]
    older: tuple[Event, ...]
    gaps: tuple[Gap, ...]
    notes: tuple[str, ...]
    known: Known


def explain(job: Job, facts: Facts, only: Sequence[str] = ()) -> Analysis:
    """What became of one run of a job, and what its GPUs have to do with it; of some of its nodes `only`, if named."""
    if job.started is None:
        return wording.not_started(job)
    window = _window(job, facts)
    parts = [_part(job, node, window, facts) for node in job.nodes if not only or node in only]
    weighed = sorted((each for part in parts for each in part.own), key=lambda each: each.event.at)
    gaps = tuple(gap for part in parts for gap in part.gaps)
    sure = all(part.known != "unknown" for part in parts)
    verdict = judge(job, window, weighed, sure=sure, complete=bool(parts) and not gaps)
    draft = Analysis(
        job=job,
        window=window,
        correlation=verdict.correlation,
        confidence=verdict.confidence,
        reasons=(),
        recommendation="",
        events=tuple(each.event for each in weighed),
        elsewhere=_by_time(event for part in parts for event in part.elsewhere),
        older=_by_time(event for part in parts for event in part.older),
        gaps=gaps,
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
        known=_known(parts),
    )
    return wording.worded(draft, verdict.decisive, weighed)


def _window(job: Job, facts: Facts) -> Window:
    """The time of a run; how late events may be seen depends on the servers, and the slowest counts."""
    start, end = job.started or 0.0, ended(job, facts.now)
    known = [facts.evidence[node] for node in job.nodes if node in facts.evidence]
    slowest = max(known, key=lambda each: each.step, default=Evidence("", "", start, end, 15.0))
    return slowest.window(start, end)


def _part(job: Job, node: str, window: Window, facts: Facts) -> _Part:
    stored = facts.evidence.get(node)
    if stored is None:
        return _Part((), (), (), (Gap(node, window.start, window.end, "nothing was asked of it"),), (), "unknown")
    gpus, known = owned(job, stored, window, facts.fleet, facts.hooks)
    if evidence.has_no_gpus(facts.fleet, node):
        return _Part((), (), (), (), (f"{node}: the site gives the node no GPUs",), "no GPUs")
    events = found(stored, window, bounds(facts.fleet, node))
    inside = [event for event in events if window.holds(event)]
    mine = [event for event in inside if gpus is None or event.gpu in gpus]
    return _Part(
        own=tuple(_weighed(event, facts, sure=gpus is not None) for event in mine),
        elsewhere=tuple(event for event in inside if event not in mine),
        older=tuple(_older(events, window, gpus)),
        gaps=(*coverage.gaps(stored, window, facts.now), *coverage.silent(stored, window, gpus or ())),
        notes=tuple(f"{node}: {note}" for note in stored.notes),
        known=known,
    )


def _weighed(event: Event, facts: Facts, *, sure: bool) -> Weighed:
    return Weighed(event, sure, facts.repeated.get((event.node, event.gpu), 1))


def _older(events: Sequence[Event], window: Window, gpus: frozenset[str] | None) -> Iterator[Event]:
    """What was still shown when the job started: the last of each kind on each of its GPUs."""
    last: dict[tuple[str, str], Event] = {}
    for event in events:
        if event.at <= window.start and event.kind in _STICKY and (gpus is None or event.gpu in gpus):
            last[event.gpu, event.kind] = event
    return (event for event in last.values() if event.bearing != "note")


def _by_time(events: Iterable[Event]) -> tuple[Event, ...]:
    return tuple(sorted(events, key=lambda event: (event.at, event.node, event.gpu, event.kind, event.what)))


def _known(parts: Sequence[_Part]) -> Known:
    """Where the job's GPUs are known from; one node on which they are not decides."""
    ways = [part.known for part in parts]
    return "unknown" if not ways or "unknown" in ways else ways[0]
