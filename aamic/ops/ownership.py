"""Which GPUs of a node a job had, and where that is known from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aamic.catalog import neutral
from aamic.model.analysis import Known, Window
from aamic.model.fleet import Fleet
from aamic.model.slurm import HookRecord, Job
from aamic.ops.evidence import Evidence

_EPILOG: Final = 600.0
"""Seconds after the end of a job in which its epilog may have written it down, by the clock of the node."""

Owned = tuple[frozenset[str] | None, Known]
"""Indices of GPUs as text, None where they are not known, and where they are known from."""


def owned(job: Job, evidence: Evidence, window: Window, fleet: Fleet, hooks: Sequence[HookRecord]) -> Owned:
    """The job's own GPUs on one of its nodes: from Slurm, the hooks' journal, or the exporter; else if all or none."""
    node = evidence.node
    if job.gpus is not None:
        return _texts(job.gpus.get(node, ())), "slurm"
    if job.gpu_count == 0:
        return frozenset(), "no GPUs"
    written = [record for record in hooks if _same(record, job, node)]
    if written:
        return _texts(written[-1].gpus), "journal"
    if mapped := _mapped(job, evidence, window):
        return mapped, "metrics"
    if job.gpu_count is not None and job.gpu_count == _all(job, fleet):
        return _texts(range(_count(fleet, node))), "whole nodes"
    return None, "unknown"


def _texts(indices: Sequence[int]) -> frozenset[str]:
    return frozenset(map(str, indices))


def _same(record: HookRecord, job: Job, node: str) -> bool:
    """Whether an epilog wrote this of that run of the job; a requeued job has several."""
    if (record.node, record.job) != (node, job.id) or job.started is None:
        return False
    return job.started <= record.at and (job.ended is None or record.at <= job.ended + _EPILOG)


def _mapped(job: Job, evidence: Evidence, window: Window) -> frozenset[str]:
    """The GPUs whose exporter named the job: the prolog tells it where `slurm.job_mapping` is on."""
    label = neutral.job_label(evidence.vendor) if evidence.vendor else None
    return frozenset(
        track.labels.get(codes.source.labels["gpu"], "")
        for codes in evidence.codes
        for track in codes.tracks
        if label and str(job.id) == track.labels.get(label)
        if any(window.start <= at <= window.end + window.lag for at, _ in track.samples)
    )


def _all(job: Job, fleet: Fleet) -> int:
    return sum(_count(fleet, node) for node in job.nodes)


def _count(fleet: Fleet, node: str) -> int:
    found = fleet.nodes.get(node)
    return found.gpu.count if found and found.gpu else 0
