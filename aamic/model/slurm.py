"""Slurm as it was observed: jobs and nodes, from whichever source answered. Frozen, no input or output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

JobSource = Literal["slurmrestd", "scontrol", "squeue", "sacct"]


@dataclass(frozen=True, slots=True)
class ExitStatus:
    """How a job ended: its exit code, and the signal that ended it or 0."""

    code: int
    signal: int


@dataclass(frozen=True, slots=True)
class Job:
    """One job, array task, component of a heterogeneous job, or one run of a job that was requeued.

    `id` is Slurm's raw number; `shown` is what people write: `123`, `123_4`, `200+1`. `state` is the base state in
    capitals (`RUNNING`), `flags` what Slurm says besides (`COMPLETING`). Times are seconds since 1970, None where they
    have not come to be or are not known; a projected end is None. `gpus` are the indices on each node where they are
    known, None where not; `gpu_count` is how many in all. `by` is the user id of who cancelled it.
    """

    id: int
    shown: str
    name: str
    user: str
    account: str
    partition: str
    state: str
    flags: tuple[str, ...]
    reason: str
    submitted: float | None
    started: float | None
    ended: float | None
    nodes: tuple[str, ...]
    gpus: Mapping[str, tuple[int, ...]] | None
    gpu_count: int | None
    exit: ExitStatus | None
    restarts: int
    source: JobSource
    by: int | None = None


@dataclass(frozen=True, slots=True)
class SlurmNode:
    """One node as slurmctld sees it.

    `state` is the base state in capitals (`IDLE`), `flags` the others (`DRAIN`, `NOT_RESPONDING`). `reason` is ''
    where there is none; `reason_by` is who set it, `reason_at` when, in seconds since 1970.
    """

    name: str
    state: str
    flags: tuple[str, ...]
    reason: str
    reason_by: str
    reason_at: float | None
    gpus: int | None
    partitions: tuple[str, ...]

    @property
    def drained(self) -> bool:
        """Whether no new job is started there because somebody said so."""
        return "DRAIN" in self.flags


@dataclass(frozen=True, slots=True)
class HookRecord:
    """What an epilog wrote down of a job on its node; `at` is by the node's clock, `gpus` are indices.

    `exit` is None where Slurm did not say. `verdict` is that of the node as the job ended.
    """

    node: str
    at: float
    job: int
    user: str
    partition: str
    gpus: tuple[int, ...]
    exit: ExitStatus | None
    verdict: str
    reason: str
