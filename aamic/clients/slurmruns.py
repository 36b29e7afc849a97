"""What holds of jobs whichever source told of them: names, runs, and which source knows what."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from aamic.clients.slurmtext import gpu_sum
from aamic.errors import OutsideError
from aamic.model.slurm import Job, JobSource

_JOB: Final = re.compile(r"[0-9]{1,10}(?:[_+][0-9]{1,10})?")
_NODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")
_LONGEST: Final = 1000


def known(
    name: str, held: Sequence[Job], accounted: Callable[[], Sequence[Job]], note: Callable[[str], None]
) -> tuple[Job, ...]:
    """All that is known of a job: what the controller holds of it, and earlier runs and parts from accounting.

    Accounting is asked only where it may know more. Where it does not answer, that is noted.

    Raises:
        OutsideError: The controller holds nothing, and accounting does not answer.
    """
    if held and not any(each.restarts or each.shown != str(each.id) for each in held):
        return tuple(held)
    try:
        kept = asked(accounted(), name)
    except OutsideError as error:
        if not held:
            message = f"the controller does not hold job `{name}`, and accounting cannot be asked: {error}"
            raise OutsideError(message, error.hint) from error
        note(f"earlier runs and finished parts of job `{name}` are not known: {error}")
        return tuple(held)
    return merged(held, kept)


def check_job(name: str) -> None:
    """Raise OutsideError where a name is not that of a job, an array task or a component."""
    if not _JOB.fullmatch(name):
        raise OutsideError(f"`{name}` is no job", "write a number as `123`, an array task as `123_4`, or `200+1`")


def check_node(name: str) -> str:
    """The name of one node. OutsideError where Slurm could read it as anything else, such as `ALL`."""
    if not _NODE.fullmatch(name) or name.upper() in {"ALL", "DEFAULT"}:
        raise OutsideError(f"`{name}` is not the name of one node")
    return name


def check_reason(reason: str) -> str:
    """The reason. OutsideError where it is empty, too long, or not one line."""
    if not reason.strip() or not reason.isprintable() or len(reason) > _LONGEST:
        raise OutsideError("a reason is one line of text", f"write at most {_LONGEST} characters, without line breaks")
    return reason


def numbered(runs: Iterable[Job]) -> tuple[Job, ...]:
    """Runs in order of start, each with how often its job had started anew before it."""
    earlier: Counter[int] = Counter()
    made = []
    for run in runs:
        made.append(replace(run, restarts=max(run.restarts, earlier[run.id])))
        earlier[run.id] += 1
    return tuple(made)


def merged(held: Sequence[Job], kept: Sequence[Job]) -> tuple[Job, ...]:
    """What the controller holds, and of accounting what it no longer holds: earlier runs, and parts that ended."""
    by_id = {job.id: job for job in held}
    earlier = [run for run in kept if run.id not in by_id or _is_earlier(run, by_id[run.id])]
    return by_number([*earlier, *held])


def ran(jobs: Iterable[Job], since: float, until: float, nodes: Sequence[str]) -> tuple[Job, ...]:
    """Those that ran at any time between, on any of the nodes where some are named."""
    wanted = frozenset(nodes)
    return tuple(
        job
        for job in jobs
        if job.started is not None and job.started <= until and (job.ended is None or job.ended >= since)
        if not wanted or wanted.intersection(job.nodes)
    )


def settled(job: Job, gpus: Mapping[str, tuple[int, ...] | None], source: JobSource) -> Job:
    """The job with its GPUs, if all of them are known, on its own nodes, and as many as it was given."""
    known = {node: indices for node, indices in gpus.items() if indices is not None}
    if set(known) != set(job.nodes) or len(known) < len(gpus) or not known:
        return job
    count = gpu_sum(known)
    if job.gpu_count not in {None, count} or (not count and job.gpu_count is None and job.ended is not None):
        return job
    return replace(job, gpus=known, gpu_count=count, source=source)


def by_number(jobs: Iterable[Job]) -> tuple[Job, ...]:
    """Jobs in order of their numbers, runs of one in order of time."""
    return tuple(sorted(jobs, key=lambda job: (job.id, job.submitted or 0, job.started or math.inf)))


def asked(jobs: Iterable[Job], name: str) -> tuple[Job, ...]:
    """Those that a name stands for: the job itself, its tasks, its components."""
    begins = (f"{name}_", f"{name}+")
    return tuple(job for job in jobs if name in {job.shown, str(job.id)} or job.shown.startswith(begins))


def _is_earlier(run: Job, current: Job) -> bool:
    if run.ended is None or run.started == current.started:
        return False
    return current.started is None or run.ended <= current.started
