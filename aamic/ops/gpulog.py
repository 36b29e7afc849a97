"""What a kernel log tells of GPUs, read line by line, so that its length does not matter."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from aamic.catalog import gpulines
from aamic.catalog.gpulines import Told
from aamic.model.gpuerror import GpuError, Severity
from aamic.model.gpulog import GpuLog, Sight
from aamic.ops.loglines import Line, cleaned, may_tell, messages

_MOST: Final = 10_000
"""Errors of single GPUs that are kept apart; a log that has more is not one of real hosts."""
_RANK: Final[dict[Severity, int]] = {"critical": 0, "warning": 1, "info": 2}

Key = tuple[str | None, str | None, GpuError]


@dataclass(slots=True)
class _Tally:
    """How often something was told so far; `total` is the highest of the counts since the driver began."""

    first: str | None
    last: str | None
    said: str
    lines: int = 0
    new: int = 0
    total: int = 0


def read_log(lines: Iterable[bytes]) -> GpuLog:
    """What the log tells, whatever its bytes are; counts do not depend on the order of the lines."""
    markers = re.compile(b"|".join(re.escape(each.marker.encode()) for each in gpulines.every()))
    tallies: dict[Key, _Tally] = {}
    number = dropped = 0
    for line in map(cleaned, lines):
        number += 1
        if may_tell(line, markers):
            dropped += sum(not _noted(tallies, found, told) for found, told in _told(line))
    return GpuLog(_sorted(tallies), number, dropped, tuple(each.marker for each in gpulines.every()))


def _told(line: bytes) -> Iterator[tuple[Line, Told]]:
    for found in messages(line):
        for vendor in gpulines.every():
            if vendor.marker in found.message and (told := vendor.read(found.message)):
                yield found, told
                break


def _noted(tallies: dict[Key, _Tally], found: Line, told: Told) -> bool:
    """Count it in; False if there are too many to keep apart."""
    key = (found.host, told.pci, told.error)
    if key not in tallies:
        if len(tallies) >= _MOST:
            return False
        tallies[key] = _Tally(found.at, found.at, told.said)
    tally = tallies[key]
    tally.last = found.at or tally.last
    tally.lines += 1
    if told.running:
        tally.total = max(tally.total, told.count)
    else:
        tally.new += told.count
    return True


def _sorted(tallies: dict[Key, _Tally]) -> tuple[Sight, ...]:
    sights = [
        Sight(host, pci, error, max(each.new, each.total), each.lines, each.first, each.last, each.said)
        for (host, pci, error), each in tallies.items()
    ]
    return tuple(sorted(sights, key=_order))


def _order(sight: Sight) -> tuple[int, str, int, str, str, str]:
    """By severity, then all of one error together."""
    error = sight.error
    number = error.code if isinstance(error.code, int) else 0
    return _RANK[error.severity], error.vendor, number, f"{error}", sight.host or "", sight.pci or ""
