"""What happened on one node, to which jobs, and which of its GPUs are suspected for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from aamic.model.analysis import Analysis, Event, NodeAnalysis, Suspect
from aamic.model.slurm import Job, SlurmNode
from aamic.ops import coverage, signals
from aamic.ops.events import found
from aamic.ops.evidence import LOOK_BACK, Ask, Evidence
from aamic.ops.jobs import Examined, conclude, part, window_of
from aamic.ops.limits import bounds

_RANK: Final = ("note", "application", "sign", "hard", "fatal")
_WORTH: Final = frozenset({"sign", "hard", "fatal"})


def affected(stored: Evidence, jobs: Iterable[Job], ask: Ask) -> tuple[Analysis, ...]:
    """The jobs that ran on a node, in order of start, each explained by that node alone."""
    ran = [job for job in jobs if stored.node in job.nodes and job.started is not None]
    return tuple(
        conclude(Examined(job, window_of(job, ask), (part(job, stored, ask),)))
        for job in sorted(ran, key=lambda job: (job.started or 0.0, job.id))
    )


def look_at(stored: Evidence, start: float, jobs: Iterable[Job], ask: Ask, slurm: SlurmNode | None) -> NodeAnalysis:
    """What happened on a node from `start` until now, to whom, and how it stands in Slurm."""
    window = stored.window(start, ask.now)
    ran = affected(stored, jobs, ask)
    clipped = stored.clipped(start - LOOK_BACK, ask.now)
    events = found(clipped, window, bounds(ask.fleet, stored.node))
    inside = tuple(event for event in events if window.holds(event))
    return NodeAnalysis(
        node=stored.node,
        start=start,
        end=ask.now,
        events=inside,
        older=tuple(event for event in events if event.at <= window.start and event.bearing in _WORTH),
        jobs=ran,
        suspects=tuple(_suspects(inside, ran)),
        gaps=(*coverage.gaps(clipped, window, ask.now), *coverage.silent(clipped, window, signals.presence(clipped))),
        notes=stored.notes,
        slurm=slurm,
    )


def _suspects(events: Sequence[Event], jobs: Sequence[Analysis]) -> Iterator[Suspect]:
    """GPUs that are broken or lost data, or on which signs or programs' faults repeat; worst first."""
    by_gpu: dict[str, list[Event]] = {}
    for event in events:
        if event.bearing != "note":
            by_gpu.setdefault(event.gpu, []).append(event)
    met = repeated(jobs)
    listed = [_suspect(gpu, those, jobs) for gpu, those in by_gpu.items() if _suspected(gpu, those, met)]
    return iter(sorted(listed, key=lambda each: (-_RANK.index(each.worst), -each.events, each.gpu)))


def _suspected(gpu: str, events: Sequence[Event], met: Mapping[tuple[str, str], int]) -> bool:
    if any(event.bearing in {"hard", "fatal"} for event in events):
        return True
    signs = sum(event.bearing == "sign" for event in events)
    return signs > 1 or met.get((events[0].node, gpu), 0) > 1


def _suspect(gpu: str, events: Sequence[Event], jobs: Sequence[Analysis]) -> Suspect:
    hit = tuple(dict.fromkeys(each.job.shown for each in jobs if any(event.gpu == gpu for event in each.events)))
    worst = max((event.bearing for event in events), key=_RANK.index)
    return Suspect(gpu, len(events), hit, worst)


def repeated(jobs: Iterable[Analysis]) -> Mapping[tuple[str, str], int]:
    """In how many jobs a program failed, by node and GPU.

    Where the jobs' own GPUs are not known one event may seem to be of several jobs, so it is never more than events.
    """
    met: dict[tuple[str, str], set[int]] = {}
    seen: dict[tuple[str, str], set[float]] = {}
    for each in jobs:
        for event in each.events:
            if event.bearing == "application":
                met.setdefault((event.node, event.gpu), set()).add(each.job.id)
                seen.setdefault((event.node, event.gpu), set()).add(event.at)
    return {place: min(len(ids), len(seen[place])) for place, ids in met.items()}
