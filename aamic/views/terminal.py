"""Text from anywhere on a terminal: nothing in it steers the terminal, and lines end where the window ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rich.cells import cell_len, get_character_cell_size

_NARROWEST: Final = 16


def safe(line: str) -> str:
    r"""Text on one line, with everything escaped that is no visible character: controls, and marks that turn text.

    >>> print(safe("a\tb\x1b[2J\u202e"))
    a\tb\x1b[2J\u202e
    """
    return line if line.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)


def wrapped(text: str, width: int, indent: str = "", after: str | None = None) -> Iterator[str]:
    """A line of text in lines of at most `width` cells, cut behind commas and blanks where that is possible.

    >>> list(wrapped("gpu-[001,003,005,007]", 20, "  "))
    ['  gpu-[001,003,005,', '  007]']

    The first begins with `indent`, the others with `after`, which is `indent` if not given; both are cut where they
    would leave too little room. A width below 16 counts as 16.
    """
    deepest = max(width - _NARROWEST, 0)
    lead, after = indent[:deepest], (indent if after is None else after)[:deepest]
    rest = text
    while True:
        room = max(width - cell_len(lead), _NARROWEST)
        cut = _fitting(rest, room)
        if cut >= len(rest):
            break
        good = max(rest.rfind(mark, room // 2, cut) for mark in ", ") + 1 or cut
        yield f"{lead}{rest[:good]}".rstrip()
        rest, lead = rest[good:], after
    yield f"{lead}{rest}".rstrip()


def _fitting(text: str, room: int) -> int:
    """How many characters fit into as many cells; at least one."""
    if text.isascii():
        return room
    if len(text) <= room and cell_len(text) <= room:
        return len(text)
    used = 0
    for number, character in enumerate(text):
        used += get_character_cell_size(character)
        if used > room:
            return max(number, 1)
    return len(text)
