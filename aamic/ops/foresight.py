"""Which failed jobs a drain would have come before. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from aamic.model.backtest import Drain, FailedJob
from aamic.model.slurm import Job

FAILED: Final = frozenset({"FAILED", "NODE_FAIL", "BOOT_FAIL"})
"""States in which a node may have had a part; what ran out of its time or memory, or was cancelled, is left out."""


def failed(jobs: Iterable[Job], start: float, end: float) -> Iterator[FailedJob]:
    """Those jobs that failed in a span, on nodes, each run once."""
    for job in jobs:
        if job.state in FAILED and job.nodes and job.ended is not None and start <= job.ended < end:
            yield FailedJob(job.shown, job.state, job.started or job.ended, job.ended, job.nodes)


def told(drains: Sequence[Drain], jobs: Sequence[FailedJob], horizon: float) -> tuple[Drain, ...]:
    """The drains, each with the jobs that failed on its node within the horizon after it."""
    on: dict[str, list[FailedJob]] = {}
    for job in jobs:
        for node in job.nodes:
            on.setdefault(node, []).append(job)
    return tuple(
        replace(drain, before=tuple(job.shown for job in on.get(drain.node, ()) if _before(drain, job, horizon)))
        for drain in drains
    )


def foreseen(drains: Sequence[Drain], jobs: Sequence[FailedJob], horizon: float) -> tuple[FailedJob, ...]:
    """The jobs that one of these drains came before."""
    by_node = _by_node(drains)
    return tuple(job for job in jobs if any(_before(drain, job, horizon) for drain in _of(by_node, job)))


def avoided(drains: Sequence[Drain], jobs: Sequence[FailedJob], horizon: float) -> tuple[FailedJob, ...]:
    """Those of them that had not started at the time of the drain."""
    by_node = _by_node(drains)
    return tuple(
        job
        for job in jobs
        if any(_before(drain, job, horizon) and drain.at <= job.started for drain in _of(by_node, job))
    )


def _before(drain: Drain, job: FailedJob, horizon: float) -> bool:
    return drain.at <= job.ended <= drain.at + horizon


def _by_node(drains: Sequence[Drain]) -> Mapping[str, list[Drain]]:
    found: dict[str, list[Drain]] = {}
    for drain in drains:
        found.setdefault(drain.node, []).append(drain)
    return found


def _of(by_node: Mapping[str, list[Drain]], job: FailedJob) -> Iterator[Drain]:
    for node in job.nodes:
        yield from by_node.get(node, ())
