"""Fields of Slurm's answers, as its programs and slurmrestd write them alike: times, states, exit codes, GPUs.

A field that cannot be read is one that is not known; nothing here raises.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, TypeAlias

from aamic.model.slurm import ExitStatus

Expand: TypeAlias = Callable[[str], Sequence[str]]
"""The names that a host list stands for; ValueError where it is none."""

BASE_STATES: Final = (
    "PENDING",
    "RUNNING",
    "SUSPENDED",
    "COMPLETED",
    "CANCELLED",
    "FAILED",
    "TIMEOUT",
    "NODE_FAIL",
    "PREEMPTED",
    "BOOT_FAIL",
    "DEADLINE",
    "OUT_OF_MEMORY",
)
"""src/common/slurm_protocol_defs.c, job_state_string."""
UNENDED: Final = frozenset({"PENDING", "RUNNING", "SUSPENDED", "UNKNOWN"})
_MEANT: Final = {
    "CONFIGURING": "RUNNING",
    "RESIZING": "RUNNING",
    "SIGNALING": "RUNNING",
    "STOPPED": "RUNNING",
    "REQUEUED": "PENDING",
    "REQUEUE_HOLD": "PENDING",
    "REQUEUE_FED": "PENDING",
    "RESV_DEL_HOLD": "PENDING",
    "SPECIAL_EXIT": "PENDING",
    "LAUNCH_FAILED": "PENDING",
}
"""Where only a flag is told: the base state that it stands with. COMPLETING and STAGE_OUT may stand with any end."""
FLAGS: Final = (*_MEANT, "COMPLETING", "STAGE_OUT", "REVOKED", "POWER_UP_NODE", "EXPEDITING")
"""What Slurm adds to a base state (job_state_string and job_state_string_complete of the same file, up to 25.05)."""
_LATEST: Final = 2**33
_LARGEST: Final = 2**32
_MOST_INDICES: Final = 4096
_BY: Final = re.compile(r"CANCELLED by ([0-9]{1,10})")
_EXIT: Final = re.compile(r"([0-9]{1,5}):([0-9]{1,5})")
_WORD: Final = re.compile(r"[A-Z_]{1,40}")
_GRES: Final = re.compile(
    r"(?:gres/)?gpu(?::(?P<type>[^:=(),\s]+))??(?:[:=](?P<count>[0-9]{1,7}))?(?:\((?P<inside>[^()]*)\))?"
)
_INDEX: Final = re.compile(r"([0-9]{1,4})(?:-([0-9]{1,4}))?")


def seconds(text: str) -> float | None:
    """A time in seconds since 1970, from such a number or from an ISO time in UTC; None for `Unknown` and the like.

    >>> seconds("1764090000"), seconds("2025-11-25T17:00:00"), seconds("Unknown"), seconds("N/A")
    (1764090000.0, 1764090000.0, None, None)
    """
    if text.isascii() and text.isdigit():
        return _sane(int(text[:20]))
    try:
        return _sane(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())
    except (ValueError, OverflowError):
        return None


def _sane(value: float) -> float | None:
    return float(value) if 0 < value < _LATEST else None


def whole(text: str) -> int | None:
    """A number that is not negative, or None.

    >>> whole("7"), whole("-1"), whole("N/A")
    (7, None, None)
    """
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None  # noqa: PLR2004  # 64 bits


def state(words: Iterable[str]) -> tuple[str, tuple[str, ...]]:
    """The base state of a job and its flags, from all the words that Slurm says; UNKNOWN where it says none.

    >>> state(["COMPLETED", "COMPLETING"]), state(["CONFIGURING"]), state(["CANCELLED by 1000"])
    (('COMPLETED', ('COMPLETING',)), ('RUNNING', ('CONFIGURING',)), ('CANCELLED', ()))
    """
    said = [word.strip().upper() for word in words]
    plain = ["CANCELLED" if word.startswith("CANCELLED") else word for word in said]
    known = [word for word in plain if _WORD.fullmatch(word)]
    base = next((word for word in known if word in BASE_STATES), None)
    flags = tuple(word for word in known if word not in BASE_STATES)
    if base is None:
        base = _MEANT.get(flags[0], flags[0]) if flags else "UNKNOWN"
    return base, flags


def canceller(text: str) -> int | None:
    """The user id in `CANCELLED by 1000`."""
    found = _BY.fullmatch(text)
    return int(found[1]) if found else None


def exit_pair(text: str) -> ExitStatus | None:
    """An exit code as `3:0`."""
    found = _EXIT.fullmatch(text)
    return ExitStatus(int(found[1]), int(found[2])) if found else None


def exit_wait(status: int | None) -> ExitStatus | None:
    """An exit code as wait(2) has it: 768 for `exit 3`.

    >>> exit_wait(768), exit_wait(9)
    (ExitStatus(code=3, signal=0), ExitStatus(code=0, signal=9))
    """
    if status is None or not 0 <= status < _LARGEST:
        return None
    return ExitStatus(status >> 8 & 0xFF, status & 0x7F)


def names(text: str, expand: Expand) -> tuple[str, ...]:
    """The nodes of a host list; none where there are none yet, or it cannot be read."""
    if not text or text.lower() in {"(null)", "none", "none assigned", "unknown"}:
        return ()
    try:
        return tuple(expand(text))
    except ValueError:
        return ()


def gpu_count(text: str) -> int | None:
    """How many GPUs a list of resources holds, None where it says nothing of GPUs.

    >>> gpu_count("cpu=8,mem=64G,gres/gpu=4,gres/gpu:h100=4"), gpu_count("gpu:h100:8(S:0-1)"), gpu_count("cpu=1")
    (4, 8, None)
    """
    found = [match for match in map(_GRES.fullmatch, _split(text)) if match]
    plain = [match for match in found if not match["type"]] if text.count("gres/") else found
    counts = [int(match["count"] or 1) for match in plain or found]
    return sum(counts) if counts else None


def gpu_indices(text: str) -> tuple[int, ...] | None:
    """The GPUs that a job has of one node, from `gpu:h100:2(IDX:0,3)`; None where their indices are not told.

    >>> gpu_indices("gpu:2(IDX:0-1)"), gpu_indices("gpu:a:1(IDX:4),gpu:b:1(IDX:0)"), gpu_indices("gpu:2")
    ((0, 1), (0, 4), None)
    """
    indices: list[int] = []
    for match in filter(None, map(_GRES.fullmatch, _split(text))):
        inside = match["inside"] or ""
        if match["count"] == "0":
            continue
        if not inside.startswith("IDX:") or (found := _numbers(inside.removeprefix("IDX:"))) is None:
            return None
        indices += found
    return tuple(sorted(set(indices)))


def _numbers(text: str) -> list[int] | None:
    numbers: list[int] = []
    for part in text.split(","):
        found = _INDEX.fullmatch(part)
        if not found:
            return None
        first, last = int(found[1]), int(found[2] or found[1])
        numbers += range(first, min(last, first + _MOST_INDICES) + 1)
    return numbers


def _split(text: str) -> list[str]:
    """The parts between commas that stand in no parentheses."""
    return re.findall(r"(?:[^,(]|\([^)]*\))+", text)


def gpu_sum(gpus: Mapping[str, Sequence[int]] | None) -> int | None:
    """How many GPUs are named on all nodes."""
    return None if gpus is None else sum(map(len, gpus.values()))


def runs(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """First and last of each row of consecutive numbers, which come in order.

    >>> runs([1, 2, 3, 7])
    [(1, 3), (7, 7)]
    """
    found: list[tuple[int, int]] = []
    for each in numbers:
        if found and found[-1][1] == each - 1:
            found[-1] = (found[-1][0], each)
        else:
            found.append((each, each))
    return found
