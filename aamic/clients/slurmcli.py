"""A Slurm cluster through its own programs: squeue, scontrol and sacct, here or on the controller over SSH.

Users name their jobs, and `scontrol show job` prints such a name without quotes, even with line breaks in it, so that
it can look like other fields. Everything is therefore read from squeue and sacct, with a separator that nobody could
know. Only the indices of GPUs stand in scontrol alone; those are believed where they agree with all the rest.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from aamic.clients import slurmtext as read
from aamic.clients.slurmcommands import Commands, SlurmError, records, separator
from aamic.errors import OutsideError
from aamic.model.slurm import Job, JobSource, SlurmNode

_SQUEUE: Final = (
    "jobid jobarrayid name username account partition state reason submittime starttime endtime nodelist tres-alloc"
    " exit_code restartcnt"
).split()
_SACCT: Final = (
    "JobIDRaw JobID JobName User Account Partition State Reason Submit Start End NodeList AllocTRES ExitCode"
).split()
_JOB: Final = re.compile(r"[0-9]{1,10}(?:[_+][0-9]{1,10})?")
_NODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")
_UNKNOWN_JOB: Final = "Invalid job id specified"
_DETAIL: Final = re.compile(r"^     Nodes=(\S+) CPU_IDs=\S* Mem=\S* GRES=(.*)$", re.MULTILINE)
_RECORD: Final = re.compile(r"^(?=JobId=)", re.MULTILINE)
_STATE: Final = re.compile(r"^   State=(\S+)", re.MULTILINE)
_GRES: Final = re.compile(r"^   Gres=(\S*)", re.MULTILINE)
_PARTITIONS: Final = re.compile(r"^   Partitions=(\S*)", re.MULTILINE)
_REASON: Final = re.compile(r"^   Reason=(?P<reason>.*?)(?: \[(?P<by>[^\]@]*)@(?P<at>[^\]@]*)\])?$", re.MULTILINE)
_LONGEST: Final = 1000
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
        held = self._held(name)
        if held and not any(each.restarts or each.shown != str(each.id) for each in held):
            return held
        try:
            kept = _asked(self._accounted("-j", name), name)
        except OutsideError as error:
            if not held:
                raise OutsideError(
                    f"the controller does not hold job `{name}`, and accounting cannot be asked: {error}", error.hint
                ) from error
            self.note(f"earlier runs and finished parts of job `{name}` are not known: {error}")
            return held
        return merged(held, kept)

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
            found = _asked(self._squeue("-j", name), name)
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


def read_squeue(text: str, mark: str, expand: read.Expand) -> tuple[Job, ...]:
    """The jobs that squeue printed, by number. Raises OutsideError where it makes no sense."""
    return _by_number(_of_squeue(dict(zip(_SQUEUE, row, strict=True)), expand) for row in _rows(text, mark, _SQUEUE))


def read_sacct(text: str, mark: str, expand: read.Expand) -> tuple[Job, ...]:
    """The runs that sacct printed, in order of start; `restarts` counts them. OutsideError where it makes no sense."""
    rows = _rows(text, mark, _SACCT)
    found = _by_number(_of_sacct(dict(zip(_SACCT, row, strict=True)), expand) for row in rows)
    return numbered(found)


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
    return _by_number([*earlier, *held])


def ran(jobs: Iterable[Job], since: float, until: float, nodes: Sequence[str]) -> tuple[Job, ...]:
    """Those that ran at any time between, on any of the nodes where some are named."""
    wanted = frozenset(nodes)
    return tuple(
        job
        for job in jobs
        if job.started is not None and job.started <= until and (job.ended is None or job.ended >= since)
        if not wanted or wanted.intersection(job.nodes)
    )


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


def _by_number(jobs: Iterable[Job]) -> tuple[Job, ...]:
    return tuple(sorted(jobs, key=lambda job: (job.id, job.submitted or 0, job.started or math.inf)))


def _is_earlier(run: Job, current: Job) -> bool:
    if run.ended is None or run.started == current.started:
        return False
    return current.started is None or run.ended <= current.started


def _asked(jobs: Iterable[Job], name: str) -> tuple[Job, ...]:
    """Those that a name stands for: the job itself, its tasks, its components."""
    begins = (f"{name}_", f"{name}+")
    return tuple(job for job in jobs if name in {job.shown, str(job.id)} or job.shown.startswith(begins))


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


def settled(job: Job, gpus: Mapping[str, tuple[int, ...] | None], source: JobSource) -> Job:
    """The job with its GPUs, if all of them are known, on its own nodes, and as many as it was given."""
    known = {node: indices for node, indices in gpus.items() if indices is not None}
    if set(known) != set(job.nodes) or len(known) < len(gpus) or not known:
        return job
    count = read.gpu_sum(known)
    if job.gpu_count not in {None, count} or (not count and job.gpu_count is None and job.ended is not None):
        return job
    return replace(job, gpus=known, gpu_count=count, source=source)


def _date(second: int) -> str:
    """A time as sacct reads it; it runs with UTC as its zone."""
    try:
        return datetime.fromtimestamp(max(second, 0), UTC).strftime("%Y-%m-%dT%H:%M:%S")
    except (OverflowError, ValueError, OSError) as error:
        raise OutsideError(f"there is no time {second} seconds after 1970") from error
