"""Tables in Markdown that are as easy to read in a terminal, and what they were measured on."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table of Markdown; the first column is text, the others are figures.

    >>> print(table(("nodes", "s"), [("1,000", 0.5)]))
    | nodes |   s |
    | ----- | --: |
    | 1,000 | 0.5 |
    """
    cells = [tuple(head), *(tuple(map(str, row)) for row in rows)]
    widths = [max(3, *(len(row[column]) for row in cells)) for column in range(len(head))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(map(_line, [_padded(cells[0], widths), rule, *(_padded(row, widths) for row in cells[1:])]))


def _padded(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    first, *others = zip(row, widths, strict=True)
    return [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def machine() -> str:
    """What the figures depend on."""
    return (
        f"{platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} processors "
        f"({_processor()}), {_memory() / 1024**3:.0f} GiB of RAM, load {os.getloadavg()[0]:.1f} at the start"
    )


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
