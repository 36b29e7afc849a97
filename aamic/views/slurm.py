"""Jobs and nodes of Slurm, as tables and as JSON. What users named stands on one line and steers no terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from aamic.model.slurm import ExitStatus, HookRecord, Job, SlurmNode
from aamic.views.hosts import Fold
from aamic.views.table import table
from aamic.views.terminal import safe

Owned = Callable[[SlurmNode], bool]
"""Whether a node's reason is aamic's."""

_LONGEST: Final = 40
_JOBS: Final = ("job", "name", "user", "partition", "state", "started", "GPUs", "nodes")
_NODES: Final = ("node", "state", "GPUs", "partitions", "since", "by", "reason")
_RECORDS: Final = ("ended", "node", "job", "user", "exit", "GPUs", "verdict", "reason")


def jobs_text(jobs: Sequence[Job], fold: Fold) -> str:
    """A line for each job."""
    if not jobs:
        return "no jobs\n"
    return table([_JOBS, *(_job_cells(job, fold) for job in jobs)])


def jobs_json(jobs: Iterable[Job]) -> dict[str, Any]:
    """Every job as a value for JSON."""
    return {"version": 1, "jobs": [job_json(job) for job in jobs]}


def job_json(job: Job) -> dict[str, Any]:
    """One job as a value for JSON; times are seconds since 1970."""
    return {
        "id": job.id,
        "job": job.shown,
        "name": job.name,
        "user": job.user,
        "account": job.account,
        "partition": job.partition,
        "state": job.state,
        "flags": list(job.flags),
        "reason": job.reason,
        "submitted": job.submitted,
        "started": job.started,
        "ended": job.ended,
        "nodes": list(job.nodes),
        "gpus": None if job.gpus is None else {node: list(indices) for node, indices in job.gpus.items()},
        "gpu_count": job.gpu_count,
        "exit": None if job.exit is None else {"code": job.exit.code, "signal": job.exit.signal},
        "restarts": job.restarts,
        "cancelled_by": job.by,
        "source": job.source,
    }


def nodes_text(nodes: Sequence[SlurmNode], owned: Owned) -> str:
    """A line for each node, and how many are drained by whom."""
    ours = sum(1 for node in nodes if node.drained and owned(node))
    others = sum(1 for node in nodes if node.drained) - ours
    lines = table([_NODES, *(_node_cells(node, owned) for node in nodes)]) if nodes else ""
    count = f"{len(nodes):,} node{'' if len(nodes) == 1 else 's'}"
    return f"{lines}{count}: {ours:,} drained by aamic, {others:,} by others\n"


def nodes_json(nodes: Iterable[SlurmNode], owned: Owned) -> dict[str, Any]:
    """Every node as a value for JSON."""
    return {"version": 1, "nodes": [node_json(node, owned) for node in nodes]}


def node_json(node: SlurmNode, owned: Owned) -> dict[str, Any]:
    """One node as a value for JSON; times are seconds since 1970."""
    return {
        "node": node.name,
        "state": node.state,
        "flags": list(node.flags),
        "drained": node.drained,
        "drained_by_aamic": node.drained and owned(node),
        "reason": node.reason,
        "reason_by": node.reason_by,
        "reason_at": node.reason_at,
        "gpus": node.gpus,
        "partitions": list(node.partitions),
    }


def records_text(records: Sequence[HookRecord], unknown: Sequence[str]) -> str:
    """A line for each job that an epilog wrote down, and the nodes whose journals are not known."""
    lines = table([_RECORDS, *map(_record_cells, records)]) if records else ""
    failed = [each for each in records if each.exit not in {None, ExitStatus(0, 0)}]
    bad = sum(1 for each in failed if each.verdict == "fail")
    count = f"{len(records):,} job{'' if len(records) == 1 else 's'}"
    summary = f"{count}: {len(failed):,} ended with an error, {bad:,} of them where the node's verdict was fail\n"
    return lines + summary + "".join(f"unknown: {safe(each)}\n" for each in unknown)


def records_json(
    records: Iterable[HookRecord], unknown: dict[str, str], damaged: dict[str, int], absent: Sequence[str]
) -> dict[str, Any]:
    """Every record as a value for JSON; nodes that could not be read say why, those without a journal are named."""
    return {
        "version": 1,
        "jobs": [
            {
                "node": each.node,
                "at": each.at,
                "job": each.job,
                "user": each.user,
                "partition": each.partition,
                "gpus": list(each.gpus),
                "exit": None if each.exit is None else {"code": each.exit.code, "signal": each.exit.signal},
                "verdict": each.verdict,
                "reason": each.reason,
            }
            for each in records
        ],
        "unknown": unknown,
        "damaged_lines": damaged,
        "without_journal": list(absent),
    }


def moment(time: float | None) -> str:
    """A time in the zone of who looks, with its offset; nothing where there is none."""
    if time is None:
        return ""
    return datetime.fromtimestamp(time).astimezone().isoformat(sep=" ", timespec="seconds")  # made local


def _job_cells(job: Job, fold: Fold) -> tuple[str, ...]:
    state = "+".join((job.state, *(flag for flag in job.flags if flag != job.state)))
    why = f" ({job.reason})" if job.state == "PENDING" and job.reason else ""
    return (
        job.shown,
        _short(job.name),
        job.user,
        job.partition,
        f"{state}{why}{_exit(job.exit)}",
        moment(job.started),
        "" if job.gpu_count is None else f"{job.gpu_count:,}",
        _folded(job.nodes, fold),
    )


def _folded(nodes: Sequence[str], fold: Fold) -> str:
    try:
        return fold(nodes)
    except ValueError:  # names that no host list can hold
        return ",".join(nodes)


def _exit(status: ExitStatus | None) -> str:
    return "" if status is None or status == ExitStatus(0, 0) else f" {status.code}:{status.signal}"


def _node_cells(node: SlurmNode, owned: Owned) -> tuple[str, ...]:
    return (
        node.name,
        "+".join((node.state, *node.flags)),
        "" if node.gpus is None else f"{node.gpus:,}",
        ",".join(node.partitions),
        moment(node.reason_at),
        ("aamic" if owned(node) else node.reason_by) if node.reason else "",
        node.reason,
    )


def _record_cells(record: HookRecord) -> tuple[str, ...]:
    return (
        moment(record.at),
        record.node,
        str(record.job),
        record.user,
        "" if record.exit is None else f"{record.exit.code}:{record.exit.signal}",
        ",".join(map(str, record.gpus)),
        record.verdict,
        record.reason,
    )


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
