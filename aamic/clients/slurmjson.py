"""Jobs and nodes as slurmrestd writes them, field by field, since every release changes the form of some.

Up to v0.0.38 a job's state is a word, times and exit codes are numbers (the exit code a wait status). v0.0.39 makes
numbers `{"set", "infinite", "number"}`; from v0.0.40 states are lists and exit codes `{"status", "return_code",
"signal"}`. Sources: src/plugins/openapi/v0.0.38/jobs.c of Slurm 22.05, and src/plugins/data_parser/*/parsers.c of
23.02 to 26.05. What cannot be read is not known; only an answer of quite another form is an OutsideError.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from aamic.clients import slurmtext as read
from aamic.clients.slurmruns import by_number, numbered, settled
from aamic.errors import OutsideError
from aamic.model.slurm import ExitStatus, Job, SlurmNode

_NODE_STATES: Final = frozenset({"UNKNOWN", "DOWN", "IDLE", "ALLOCATED", "ERROR", "MIXED", "FUTURE", "INVALID"})
_MOST_BITS: Final = 1 << 16


def read_jobs(answer: Any, expand: read.Expand) -> tuple[Job, ...]:
    """The jobs of slurmctld, by number. OutsideError where the answer holds no list of jobs."""
    return by_number(_job(each, expand) for each in _list(answer, "jobs"))


def read_accounted(answer: Any, expand: read.Expand) -> tuple[Job, ...]:
    """The runs of slurmdbd, in order of start. OutsideError where the answer holds no list of jobs."""
    return numbered(by_number(_accounted(each, expand) for each in _list(answer, "jobs")))


def read_nodes(answer: Any) -> tuple[SlurmNode, ...]:
    """The nodes of slurmctld. OutsideError where the answer holds no list of nodes."""
    return tuple(_node(each) for each in _list(answer, "nodes") if _text(each, "name"))


def number(value: Any) -> int | None:
    """A number in any of the forms, None where none is set.

    >>> number(7), number({"set": True, "infinite": False, "number": 7}), number({"set": False, "number": 0})
    (7, 7, None)
    """
    if isinstance(value, Mapping):
        return None if value.get("infinite") or value.get("set") is False else number(value.get("number"))
    if isinstance(value, str):
        return read.whole(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def words(value: Any) -> list[str]:
    """The words of a state, which is one word or a list of them."""
    if isinstance(value, list):
        return [each for each in value if isinstance(each, str)]
    return [value] if isinstance(value, str) else []


def exit_status(value: Any) -> ExitStatus | None:
    """An exit code in any of the forms.

    >>> exit_status(768), exit_status({"status": ["ERROR"], "return_code": {"set": True, "number": 3}})
    (ExitStatus(code=3, signal=0), ExitStatus(code=3, signal=0))
    """
    if not isinstance(value, Mapping) or "number" in value:
        return read.exit_wait(number(value))
    signal = value.get("signal")
    inner = signal if isinstance(signal, Mapping) else {}
    told = number(inner.get("id")) or number(inner.get("signal_id"))
    code = number(value.get("return_code"))
    return None if code is None and told is None else ExitStatus(code or 0, told or 0)


def _list(answer: Any, key: str) -> Sequence[Mapping[str, Any]]:
    found = answer.get(key) if isinstance(answer, Mapping) else None
    if not isinstance(found, list):
        raise OutsideError(f"slurmrestd answered without a list of {key}", "is its release known to aamic?")
    return [each for each in found if isinstance(each, Mapping)]


def _text(row: Mapping[str, Any], *path: str) -> str:
    value = _at(row, *path)
    return value if isinstance(value, str) else ""


def _at(row: Any, *path: str) -> Any:
    for key in path:
        row = row.get(key) if isinstance(row, Mapping) else None
    return row


def _time(value: Any) -> float | None:
    found = number(value)
    return None if found is None else read.seconds(str(found))


def _id(row: Mapping[str, Any]) -> int:
    found = number(row.get("job_id"))
    if found is None or found < 0:
        raise OutsideError("slurmrestd answered with a job that has no number", "is its release known to aamic?")
    return found


def _job(row: Mapping[str, Any], expand: read.Expand) -> Job:
    state, flags = read.state(words(row.get("job_state")))
    nodes = read.names(_text(row, "nodes"), expand)
    ended = state not in read.UNENDED
    array = (row.get("array_job_id"), row.get("array_task_id"), _text(row, "array_task_string"))
    job = Job(
        id=_id(row),
        shown=_shown(_id(row), array, (row.get("het_job_id"), row.get("het_job_offset"))),
        name=_text(row, "name"),
        user=_text(row, "user_name") or _decimal(row.get("user_id")),
        account=_text(row, "account"),
        partition=_text(row, "partition"),
        state=state,
        flags=flags,
        reason=_reason(_text(row, "state_reason")),
        submitted=_time(row.get("submit_time")),
        started=_time(row.get("start_time")) if nodes else None,
        ended=_time(row.get("end_time")) if ended else None,
        nodes=nodes,
        gpus=None,
        gpu_count=read.gpu_count(_text(row, "tres_alloc_str")),
        exit=exit_status(row.get("exit_code")) if ended else None,
        restarts=max(number(row.get("restart_cnt")) or 0, 0),
        source="slurmrestd",
    )
    return settled(job, _indices(row.get("gres_detail"), nodes), "slurmrestd")


def _accounted(row: Mapping[str, Any], expand: read.Expand) -> Job:
    state, flags = read.state(words(_at(row, "state", "current")))
    nodes = read.names(_text(row, "nodes"), expand)
    ended = state not in read.UNENDED
    array = (_at(row, "array", "job_id"), _at(row, "array", "task_id"), _text(row, "array", "task"))
    cancelled = state == "CANCELLED"
    return Job(
        id=_id(row),
        shown=_shown(_id(row), array, (_at(row, "het", "job_id"), _at(row, "het", "job_offset"))),
        name=_text(row, "name"),
        user=_text(row, "user") or _text(row, "association", "user"),
        account=_text(row, "account"),
        partition=_text(row, "partition"),
        state=state,
        flags=flags,
        reason=_reason(_text(row, "state", "reason")),
        submitted=_time(_at(row, "time", "submission")),
        started=_time(_at(row, "time", "start")) if nodes else None,
        ended=_time(_at(row, "time", "end")) if ended else None,
        nodes=nodes,
        gpus=None,
        gpu_count=_tres_gpus(_at(row, "tres", "allocated")),
        exit=_kept_exit(row.get("exit_code"), state) if ended else None,
        restarts=max(number(row.get("restart_cnt")) or 0, 0),
        source="slurmrestd",
        by=number(row.get("kill_request_user")) if cancelled else None,
    )


def _node(row: Mapping[str, Any]) -> SlurmNode:
    said = [word.upper() for word in (*words(row.get("state")), *words(row.get("state_flags")))]
    base = next((word for word in said if word in _NODE_STATES), said[0] if said else "UNKNOWN")
    gres = _text(row, "gres")
    return SlurmNode(
        name=_text(row, "name"),
        state=base,
        flags=tuple(dict.fromkeys(word for word in said if word != base)),
        reason=_text(row, "reason"),
        reason_by=_text(row, "reason_set_by_user") if _text(row, "reason") else "",
        reason_at=_time(row.get("reason_changed_at")),
        gpus=(read.gpu_count(gres) or 0) if isinstance(row.get("gres"), str) else None,
        partitions=tuple(words(row.get("partitions"))),
    )


def _shown(job: int, array: tuple[Any, Any, str], het: tuple[Any, Any]) -> str:
    """What people write for a job."""
    base, task = number(array[0]), number(array[1])
    if base and array[2]:
        return f"{base}_[{_tasks(array[2])}]"
    if base and task is not None:
        return f"{base}_{task}"
    leader, offset = number(het[0]), number(het[1])
    return f"{leader}+{offset}" if leader and offset is not None else str(job)


def _tasks(text: str) -> str:
    """Tasks of an array; slurmdbd tells them as a bitmap in hexadecimal: `0x3C` is 2 to 5."""
    digits, percent, most = text.partition("%")
    if not digits.startswith("0x") or len(digits) > _MOST_BITS // 4:
        return text
    try:
        bits = f"{int(digits, 16):b}"[::-1]
    except ValueError:
        return text
    runs = read.runs([place for place, bit in enumerate(bits) if bit == "1"])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in runs) + percent + most


def _indices(detail: Any, nodes: Sequence[str]) -> dict[str, tuple[int, ...] | None]:
    """The GPUs on each node: `gres_detail` has a text for each, in the order of the nodes."""
    told = words(detail)
    if len(told) == len(nodes):
        return {node: read.gpu_indices(text) for node, text in zip(nodes, told, strict=True)}
    return {} if told else dict.fromkeys(nodes, ())


def _tres_gpus(rows: Any) -> int | None:
    """How many GPUs stand in a list of `{"type": "gres", "name": "gpu", "count": 4}`."""
    gpus = [
        row
        for row in (rows if isinstance(rows, list) else ())
        if isinstance(row, Mapping) and row.get("type") == "gres"
    ]
    plain = [number(row.get("count")) for row in gpus if row.get("name") == "gpu"]
    typed = [number(row.get("count")) for row in gpus if _text(row, "name").startswith("gpu:")]
    counts = [count for count in plain or typed if count is not None and count >= 0]
    return sum(counts) if counts else None


def _decimal(value: Any) -> str:
    found = number(value)
    return "" if found is None else str(found)


def _reason(text: str) -> str:
    return "" if text == "None" else text


def _kept_exit(value: Any, state: str) -> ExitStatus | None:
    """An exit code of accounting.

    Up to v0.0.38 it says SUCCESS and 0 of every job that was not ended by a signal (`_dump_job_exit_code` of
    src/plugins/openapi/dbv0.0.38/parse.c), so that it is believed of jobs that completed alone.
    """
    found = exit_status(value)
    return None if found == ExitStatus(0, 0) and state != "COMPLETED" else found
