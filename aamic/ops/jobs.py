"""`aamic slurm job-analyze`: what the GPUs of a job did while it ran, and whether that explains how it ended.

A job of many nodes is examined node by node, and what is stored of a node is let go of before it takes the memory of
them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from aamic.model.analysis import Analysis, Event, Gap, Known, Window
from aamic.model.slurm import HookRecord, Job
from aamic.ops import coverage, evidence, signals, wording
from aamic.ops.correlate import Weighed, judge
from aamic.ops.events import found
from aamic.ops.evidence import LOOK_BACK, Ask, Evidence
from aamic.ops.limits import bounds
from aamic.ops.ownership import owned

_AT_ONCE: Final = 4
"""Nodes that are examined at a time."""
_STICKY: Final = frozenset({"error_code", "remap_failure", "remap_pending", "unhealthy"})
"""What stays visible after it happened, so that it may be older than a job."""


@dataclass(frozen=True, slots=True)
class Part:
    """What is known of a job on one of its nodes."""

    node: str
    own: tuple[Event, ...]
    elsewhere: tuple[Event, ...]
    older: tuple[Event, ...]
    gaps: tuple[Gap, ...]
    notes: tuple[str, ...]
    known: Known


@dataclass(frozen=True, slots=True)
class Examined:
    """One run of a job with what is known of it on each node; `window` is None where it did not run."""

    job: Job
    window: Window | None
    parts: tuple[Part, ...]


def analyze(jobs: Sequence[Job], ask: Ask, hooks: Sequence[HookRecord] = ()) -> tuple[Analysis, ...]:
    """What became of each run, and what its GPUs have to do with it; `hooks` are what epilogs wrote down."""
    return tuple(conclude(each) for each in examine(jobs, ask, hooks))


def examine(jobs: Sequence[Job], ask: Ask, hooks: Sequence[HookRecord] = ()) -> tuple[Examined, ...]:
    """What is known of each run on each of its nodes. A node is read once for all its runs."""
    on_node: dict[str, list[int]] = {}
    for number, job in enumerate(jobs):
        for node in job.nodes if job.started is not None else ():
            on_node.setdefault(node, []).append(number)

    def work(node: str) -> dict[int, Part]:
        numbers = on_node[node]
        stored = read(ask, node, [jobs[number] for number in numbers])
        return {number: part(jobs[number], stored, ask, hooks) for number in numbers}

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        parts = dict(zip(on_node, pool.map(work, on_node), strict=True))
    return tuple(
        Examined(job, window_of(job, ask), tuple(parts[node][number] for node in job.nodes if node in parts))
        for number, job in enumerate(jobs)
    )


def read(ask: Ask, node: str, jobs: Sequence[Job]) -> Evidence:
    """What is stored of a node over the time that these jobs took."""
    start = min(job.started or 0.0 for job in jobs)
    end = max(ended(job, ask.now) for job in jobs)
    return evidence.read(ask, node, (start, end), bounds(ask.fleet, node).limits)


def ended(job: Job, now: float) -> float:
    """When the job ended; now for one that still runs, and at least a second after it started: Slurm counts seconds."""
    return max((job.started or 0.0) + 1, now if job.ended is None else job.ended)


def window_of(job: Job, ask: Ask) -> Window | None:
    """The time of a run; how late events may be seen depends on how often its nodes are scraped."""
    if job.started is None:
        return None
    end = ended(job, ask.now)
    step = max((evidence.step_of(ask.fleet, node) for node in job.nodes), default=15.0)
    return Evidence("", "", job.started, end, step).window(job.started, end)


def part(job: Job, stored: Evidence, ask: Ask, hooks: Sequence[HookRecord] = ()) -> Part:
    """What is known of a job on one of its nodes."""
    node = stored.node
    window = window_of(job, ask)
    if window is None or evidence.has_no_gpus(ask.fleet, node):
        return Part(node, (), (), (), (), (f"{node}: the site gives the node no GPUs",), "no GPUs")
    stored = stored.clipped(window.start - LOOK_BACK, window.end + LOOK_BACK)
    gpus, known = owned(job, stored, window, ask.fleet, hooks)
    events = found(stored, window, bounds(ask.fleet, node))
    inside = [event for event in events if window.holds(event)]
    mine = tuple(event for event in inside if gpus is None or event.gpu in gpus)
    looked_at = signals.presence(stored) if gpus is None else gpus
    return Part(
        node=node,
        own=mine,
        elsewhere=tuple(event for event in inside if event not in mine),
        older=tuple(_older(events, window, gpus)),
        gaps=(*coverage.gaps(stored, window, ask.now), *coverage.silent(stored, window, looked_at)),
        notes=stored.notes,
        known=known,
    )


def _older(events: Sequence[Event], window: Window, gpus: frozenset[str] | None) -> Iterator[Event]:
    """What was still shown when the job started: the last of each kind on each of its GPUs."""
    last: dict[tuple[str, str], Event] = {}
    for event in events:
        if event.at <= window.start and event.kind in _STICKY and (gpus is None or event.gpu in gpus):
            last[event.gpu, event.kind] = event
    return (event for event in last.values() if event.bearing != "note")


def conclude(examined: Examined, repeated: Mapping[tuple[str, str], int] | None = None) -> Analysis:
    """The verdict over what is known of a run, in words.

    `repeated` is in how many jobs a program's fault came up, by node and GPU, where that was looked into.
    """
    job, window, parts = examined.job, examined.window, examined.parts
    if window is None:
        return wording.not_started(job)
    weighed = [
        Weighed(event, each.known != "unknown", (repeated or {}).get((event.node, event.gpu), 1))
        for each in parts
        for event in each.own
    ]
    weighed.sort(key=lambda each: _time(each.event))
    gaps = tuple(gap for each in parts for gap in each.gaps)
    sure = all(each.known != "unknown" for each in parts)
    verdict = judge(job, window, weighed, sure=sure, complete=bool(parts) and not gaps)
    draft = Analysis(
        job=job,
        window=window,
        correlation=verdict.correlation,
        confidence=verdict.confidence,
        reasons=(),
        recommendation="",
        events=tuple(each.event for each in weighed),
        elsewhere=_by_time(event for each in parts for event in each.elsewhere),
        older=_by_time(event for each in parts for event in each.older),
        gaps=gaps,
        notes=tuple(dict.fromkeys(note for each in parts for note in each.notes)),
        known=_known(parts),
    )
    return wording.worded(draft, verdict.decisive, weighed)


def _by_time(events: Iterable[Event]) -> tuple[Event, ...]:
    return tuple(sorted(events, key=_time))


def _time(event: Event) -> tuple[float, str, str, str, str]:
    return event.at, event.node, event.gpu, event.kind, event.what


def _known(parts: Sequence[Part]) -> Known:
    """Where the job's GPUs are known from; one node on which they are not decides."""
    ways = [each.known for each in parts]
    return "unknown" if not ways or "unknown" in ways else ways[0]
