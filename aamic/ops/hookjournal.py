"""The journal that the epilog keeps on each node: lines of an untrusted host -> records. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from aamic.clients.slurmtext import exit_pair, seconds, whole
from aamic.model.slurm import HookRecord

JOURNAL: Final = "/var/lib/aamic/jobs.journal"
LARGEST: Final = 8 << 20
"""So many bytes of its end are read."""
NONE_KEPT: Final = 3
_FIELDS: Final = 14
"""Version, time, job, user, uid, partition, account, GPUs, exit, verdict, score, node, restarts, reason."""
_GPU: Final = re.compile(r"[0-9]{1,4}")
_VERDICTS: Final = frozenset({"ok", "warn", "fail", "unknown"})


@dataclass(frozen=True, slots=True)
class Journal:
    """What could be read of one, and how many of its lines could not; not `kept`: the node has none."""

    records: tuple[HookRecord, ...]
    damaged: int
    kept: bool = True


def command() -> tuple[str, ...]:
    """The command line that prints a node's journal, the newest part of it where it is large.

    Its status is NONE_KEPT where there is none. With AAMIC_ROOT set, a folder stands for the host.
    """
    none = f'test -e "$1" || test -e "$1.1" || exit {NONE_KEPT}'
    script = f'{none}; cat -- "$1.1" "$1" 2>/dev/null | tail -c "$2"; test ! -e "$1" || test -r "$1"'
    return ("sh", "-c", f'set -- "${{AAMIC_ROOT:-}}$1" "$2"; {script}', "aamic", JOURNAL, str(LARGEST))


def read_journal(node: str, text: str) -> Journal:
    """The records of a node's journal, in its order. Lines that make no sense are counted."""
    lines = [line for line in text.split("\n") if line]
    found = [_record(node, line.split("\t")) for line in lines]
    records = tuple(each for each in found if each is not None)
    return Journal(records, len(lines) - len(records))


def _record(node: str, fields: list[str]) -> HookRecord | None:
    if len(fields) < _FIELDS or fields[0] != "1":
        return None
    at, job = seconds(fields[1]), whole(fields[2])
    if at is None or job is None:
        return None
    return HookRecord(
        node=node,
        at=at,
        job=job,
        user=_plain(fields[3]),
        partition=_plain(fields[5]),
        gpus=tuple(int(part) for part in fields[7].split(",") if _GPU.fullmatch(part)),
        exit=exit_pair(fields[8]),
        verdict=fields[9] if fields[9] in _VERDICTS else "unknown",
        reason=_plain(" ".join(fields[13:])),
    )


def _plain(text: str) -> str:
    return "" if text == "-" else text
