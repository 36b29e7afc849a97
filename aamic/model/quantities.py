"""Prometheus durations and sizes as numbers."""

from __future__ import annotations

import re
from typing import Final

_PART = re.compile("([0-9]+)(ms|[ywdhms])")
_WHOLE_HOURS: Final = {"y": 8760, "w": 168, "d": 24, "h": 1}
_SECONDS: Final = {"y": 31_536_000.0, "w": 604_800.0, "d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_POWERS: Final = " KMGTPE"


def duration_seconds(text: str) -> float:
    """Seconds of a Prometheus duration.

    >>> duration_seconds("1h30m"), duration_seconds("250ms")
    (5400.0, 0.25)
    """
    return sum(float(amount) * _SECONDS[unit] for amount, unit in _PART.findall(text))


def go_duration(text: str) -> str:
    """A Prometheus duration for programs that take Go's, which has no unit above the hour.

    >>> [go_duration(text) for text in ("5d", "1w12h", "90m", "1y250ms")]
    ['120h', '180h', '90m', '8760h250ms']
    """
    parts = _PART.findall(text)
    hours = sum(int(amount) * _WHOLE_HOURS[unit] for amount, unit in parts if unit in _WHOLE_HOURS)
    rest = "".join(amount + unit for amount, unit in parts if unit not in _WHOLE_HOURS)
    return f"{hours}h{rest}" if hours else rest


def size_bytes(text: str) -> int:
    """Bytes of a size; units are powers of 1024, as Prometheus reads them.

    >>> size_bytes("512MB"), size_bytes("1GiB"), size_bytes("3B")
    (536870912, 1073741824, 3)
    """
    number = text.rstrip("BiKMGTPE")
    unit = text[len(number) :].removesuffix("B").removesuffix("i") or " "
    factor: int = 1024 ** _POWERS.index(unit)
    return int(number) * factor
