"""The Markdown of text panels as HTML: paragraphs, lists, code and bold words; links are shown by their words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby
from typing import Final

from aamic.views.markup import element, shown, text

_INLINE: Final = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*|\[([^\]]+)\]\([^)\s]*\)")


def paragraphs(markdown: str) -> str:
    r"""The HTML of a text.

    >>> paragraphs("# About\n\nSee **all** of `x<y`:\n- one\n- [two](http://a.example)")
    '<p><b>About</b></p><p>See <b>all</b> of <code>x&lt;y</code>:</p><ul><li>one</li><li>two</li></ul>'
    """
    return "".join(_block(kind, [line for _, line in lines]) for kind, lines in groupby(_kinds(markdown), key=_first))


def plain(markdown: str) -> list[str]:
    r"""The lines of a text without its marks.

    >>> plain("# About\n\n**all** of `x`")
    ['About', '', 'all of x']
    """
    return [_INLINE.sub(_words, line.lstrip("# ")) for line in markdown.splitlines()]


def _words(found: re.Match[str]) -> str:
    return found[1] or found[2] or found[3]


def _first(pair: tuple[str, str]) -> str:
    return pair[0]


def _kinds(markdown: str) -> Iterable[tuple[str, str]]:
    for line in map(str.strip, markdown.splitlines()):
        yield (
            ("none" if not line else "item" if line.startswith(("- ", "* ")) else "head" if line[0] == "#" else "p"),
            line,
        )


def _block(kind: str, lines: list[str]) -> str:
    if kind == "item":
        return element("ul", "".join(element("li", _inline(line[2:])) for line in lines))
    if kind == "head":
        return "".join(element("p", text("b", line.lstrip("# "))) for line in lines)
    return element("p", _inline(" ".join(lines))) if kind == "p" else ""


def _inline(line: str) -> str:
    parts, at = [], 0
    for found in _INLINE.finditer(line):
        tag = "code" if found[1] else "b" if found[2] else ""
        parts += [shown(line[at : found.start()]), text(tag, _words(found)) if tag else shown(_words(found))]
        at = found.end()
    return "".join([*parts, shown(line[at:])])
