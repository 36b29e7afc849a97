"""A Slurm cluster through its own programs: squeue, scontrol and sacct, here or on the controller over SSH.

Users name their jobs, and `scontrol show job` prints such a name without quotes, even with line breaks in it, so that
it can look like other fields. Everything is therefore read from squeue and sacct, with a separator that nobody could
know. Only the indices of GPUs stand in scontrol alone; those are believed where they agree with all the rest.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from aamic.clients import slurmtext as read
from aamic.clients.slurmcommands import Commands, SlurmError, records, separator
from aamic.clients.slurmruns import (
    asked,
    by_number,
    check_job,
    check_node,
    check_reason,
    known,
    numbered,
    ran,
    settled,
)
from aamic.errors import OutsideError
from aamic.model.slurm import Job, SlurmNode

_SQUEUE: Final = (
    *("jobid", "jobarrayid", "name", "username", "account", "partition", "state", "reason", "submittime"),
    *("starttime", "endtime", "nodelist", "tres-alloc", "exit_code", "restartcnt"),
)
_SACCT: Final = (
    *("JobIDRaw", "JobID", "JobName", "User", "Account", "Partition", "State", "Reason", "Submit"),
    *("Start", "End", "NodeList", "AllocTRES", "ExitCode"),
)
_UNKNOWN_JOB: Final = "Invalid job id specified"
_DETAIL: Final = re.compile(r"^     Nodes=(\S+) CPU_IDs=\S* Mem=\S* GRES=(.*)$", re.MULTILINE)
_RECORD: Final = re.compile(r"^(?=JobId=)", re.MULTILINE)
_STATE: Final = re.compile(r"^   State=(\S+)", re.MULTILINE)
_GRES: Final = re.compile(r"^   Gres=(\S*)", re.MULTILINE)
_PARTITIONS: Final = re.compile(r"^   Partitions=(\S*)", re.MULTILINE)
_REASON: Final = re.compile(r"^   Reason=(?P<reason>.*?)(?: \[(?P<by>[^\]@]*)@(?P<at>[^\]@]*)\])?$", re.MULTILINE)
_MANY_NODES: Final = 100


@dataclass(frozen=True)
class SlurmCli:
    """The programs of a cluster; `expand` reads host lists, and `note` is told what could not be found out."""

    commands: Commands
    expand: read.Expand
    note: Callable[[str], None]

    def job(self, name: str) -> Sequence[Job]:
        """See `clients.base.Workloads`."""
        check_job(name)
        return known(name, self._held(name), lambda: self._accounted("-j", name), self.note)

    def jobs(self) -> Sequence[Job]:
        """See `clients.base.Workloads`."""
        return self._squeue()

    def history(self, since: float, until: float, nodes: Sequence[str] = ()) -> Sequence[Job]:
        """See `clients.base.Workloads`."""
        span = ("-S", _date(math.floor(since)), "-E", _date(math.ceil(until)))
        there = ("-N", ",".join(map(check_node, nodes))) if 0 < len(nodes) <= _MANY_NODES else ()
        return ran(self._accounted("-a", *span, *there), since, until, nodes)

    def nodes(self) -> Sequence[SlurmNode]:
        """See `clients.base.Workloads`."""
        return read_nodes(self.commands.run("scontrol", "show", "node"))

    def drain(self, node: str, reason: str) -> None:
        """See `clients.base.Workloads`."""
        words = (f"NodeName={check_node(node)}", "State=DRAIN", f"Reason={check_reason(reason)}")
        self.commands.run("scontrol", "update", *words)

    def resume(self, node: str) -> None:
        """See `clients.base.Workloads`."""
        self.commands.run("scontrol", "update", f"NodeName={check_node(node)}", "State=RESUME")

    def _held(self, name: str) -> tuple[Job, ...]:
        """What the controller holds of a job, with the indices of its GPUs."""
        try:
            found = asked(self._squeue("-j", name), name)
            shown = self.commands.run("scontrol", "show", "job", "-d", name) if found else ""
        except SlurmError as error:
            if _UNKNOWN_JOB in error.said:
                return ()
            raise
        return with_indices(found, shown, self.expand)

    def _squeue(self, *options: str) -> tuple[Job, ...]:
        mark = separator()
        form = ",".join(f"{name}:{mark}" for name in _SQUEUE)
        text = self.commands.run("squeue", "-h", "-a", "-t", "all", *options, "-O", form)
        return read_squeue(text, mark, self.expand)

    def _accounted(self, *options: str) -> tuple[Job, ...]:
        mark = separator()
        form = ("-n", "-X", "-D", "-p", "--noconvert", f"--delimiter={mark}", f"--format={','.join(_SACCT)}")
        return read_sacct(self.commands.run("sacct", *form, *options), mark, self.expand)


def read_squeue(text: str, mark: str, expand: read.Expand) -> tuple[Job, ...]:
    """The jobs that squeue printed, by number. Raises OutsideError where it makes no sense."""
    return by_number(_of_squeue(dict(zip(_SQUEUE, row, strict=True)), expand) for row in _rows(text, mark, _SQUEUE))


def read_sacct(text: str, mark: str, expand: read.Expand) -> tuple[Job, ...]:
    """The runs that sacct printed, in order of start; `restarts` counts them. OutsideError where it makes no sense."""
    rows = _rows(text, mark, _SACCT)
    found = by_number(_of_sacct(dict(zip(_SACCT, row, strict=True)), expand) for row in rows)
    return numbered(found)


def with_indices(jobs: Sequence[Job], shown: str, expand: read.Expand) -> tuple[Job, ...]:
    """The jobs with what `scontrol show job -d` says of their GPUs, where it fits what is known of them."""
    return tuple(_with_indices(job, shown, expand) for job in jobs)


def read_nodes(text: str) -> tuple[SlurmNode, ...]:
    """The nodes that scontrol printed. Raises OutsideError where there is none."""
    found = [_node(part) for part in re.split(r"^(?=NodeName=)", text, flags=re.MULTILINE) if "NodeName=" in part]
    if not found:
        raise OutsideError("what `scontrol show node` printed names no node")
    return tuple({node.name: node for node in reversed(found)}.values())[::-1]


def _node(text: str) -> SlurmNode:
    name = text.partition("=")[2].split(maxsplit=1)
    state, *flags = _first(_STATE, text).rstrip("*~#!%$@^-").split("+")
    reason = _REASON.search(text)
    gres = _first(_GRES, text)
    return SlurmNode(
        name=name[0] if name else "",
        state=state or "UNKNOWN",
        flags=(*flags, *(["NOT_RESPONDING"] if _first(_STATE, text).endswith("*") else [])),
        reason=reason["reason"] if reason else "",
        reason_by=(reason["by"] or "") if reason else "",
        reason_at=read.seconds(reason["at"] or "") if reason else None,
        gpus=0 if gres in {"", "(null)"} else read.gpu_count(gres) or 0,
        partitions=tuple(filter(None, _first(_PARTITIONS, text).split(","))),
    )


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[1] if found else ""


def _rows(text: str, mark: str, fields: Sequence[str]) -> list[list[str]]:
    return records(text, mark, len(fields))


def _of_squeue(row: Mapping[str, str], expand: read.Expand) -> Job:
    state, flags = read.state([row["state"]])
    nodes = read.names(row["nodelist"], expand)
    ended = state not in read.UNENDED
    return Job(
        id=_number(row["jobid"]),
        shown=row["jobarrayid"],
        name=row["name"],
        user=row["username"],
        account=row["account"],
        partition=row["partition"],
        state=state,
        flags=flags,
        reason=_reason(row["reason"]),
        submitted=read.seconds(row["submittime"]),
        started=read.seconds(row["starttime"]) if nodes else None,
        ended=read.seconds(row["endtime"]) if ended else None,
        nodes=nodes,
        gpus=None,
        gpu_count=read.gpu_count(row["tres-alloc"]),
        exit=read.exit_wait(read.whole(row["exit_code"])) if ended else None,
        restarts=read.whole(row["restartcnt"]) or 0,
        source="squeue",
    )


def _of_sacct(row: Mapping[str, str], expand: read.Expand) -> Job:
    state, flags = read.state([row["State"]])
    nodes = read.names(row["NodeList"], expand)
    ended = state not in read.UNENDED
    return Job(
        id=_number(row["JobIDRaw"]),
        shown=row["JobID"],
        name=row["JobName"],
        user=row["User"],
        account=row["Account"],
        partition=row["Partition"],
        state=state,
        flags=flags,
        reason=_reason(row["Reason"]),
        submitted=read.seconds(row["Submit"]),
        started=read.seconds(row["Start"]) if nodes else None,
        ended=read.seconds(row["End"]),
        nodes=nodes,
        gpus=None,
        gpu_count=read.gpu_count(row["AllocTRES"]),
        exit=read.exit_pair(row["ExitCode"]) if ended else None,
        restarts=0,
        source="sacct",
        by=read.canceller(row["State"]),
    )


def _number(text: str) -> int:
    number = read.whole(text)
    if number is None:
        raise OutsideError(f"what Slurm printed makes no sense: `{text[:40]}` is no job")
    return number


def _reason(text: str) -> str:
    return "" if text in {"None", "(null)"} else text


def _with_indices(job: Job, shown: str, expand: read.Expand) -> Job:
    lines = _DETAIL.findall(_of_job(job, shown))
    gpus: dict[str, tuple[int, ...] | None] = {}
    for hosts, gres in lines:
        for node in read.names(hosts, expand):
            gpus[node] = None if node in gpus else read.gpu_indices(gres)
    return settled(job, gpus, "scontrol")


def _of_job(job: Job, shown: str) -> str:
    """What scontrol says of a job behind its name; nothing where that name does not stand there."""
    for text in _RECORD.split(shown):
        head = re.match(rf"JobId={job.id} (?:\w+=\S+ )*?JobName=", text)
        if head and text.startswith(f"{job.name}\n", head.end()):
            return text[head.end() + len(job.name) :].partition("\n   MinCPUsNode=")[0]
    return ""


def _date(second: int) -> str:
    """A time as sacct reads it; it runs with UTC as its zone."""
    try:
        return datetime.fromtimestamp(max(second, 0), UTC).strftime("%Y-%m-%dT%H:%M:%S")
    except (OverflowError, ValueError, OSError) as error:
        raise OutsideError(f"there is no time {second} seconds after 1970") from error
