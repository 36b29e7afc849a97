"""Cells in columns. What stands in them steers no terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from aamic.views.terminal import safe


def table(rows: Sequence[Sequence[str]]) -> str:
    r"""Cells in columns as wide as their widest, without blanks at the ends of lines.

    >>> print(table([("node", "GPUs"), ("gpu-001", "8"), ("mon\x1b", "")]))
    node     GPUs
    gpu-001  8
    mon\x1b
    <BLANKLINE>
    """
    cells = [[safe(cell) for cell in row] for row in rows]
    widths = [max(cell_len(row[column]) for row in cells) for column in range(len(rows[0]))]
    lines = ("  ".join(padded(cell, width) for cell, width in zip(row, widths, strict=True)) for row in cells)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def padded(cell: str, width: int) -> str:
    """The cell with blanks behind it."""
    return cell + " " * (width - cell_len(cell))


def short(text: str, width: int) -> str:
    """Text of at most so many cells, with `…` where more follows; terminal-safe.

    >>> short("a-name-that-is-long", 8)
    'a-name-…'
    """
    text = safe(text)
    if cell_len(text) <= width:
        return text
    while cell_len(text) > width - 1:
        text = text[:-1]
    return f"{text}…"
