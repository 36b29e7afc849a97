"""Markdown from text that may hold anything: every piece shows as it is and stays in its cell."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table; the cells are Markdown already."""
    titles = list(head)
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def escaped(text: str) -> str:
    r"""Text that Markdown shows as it is, on one line.

    >>> print(escaped("a|b <c> *d*"))
    a\|b \<c\> \*d\*
    """
    return re.sub(r"([\\`*_\[\]<>|~$&])", r"\\\1", " ".join(text.split()))


def code(value: Any) -> str:
    r"""A value as a code span in a table, in YAML's flow style.

    >>> print(code(["a|b", "c d"]), code("a`b"))
    `["a\|b", "c d"]` ``a`b``
    """
    text = value if isinstance(value, str) else flow(value)
    text = " ".join(text.split())
    if "\\|" in text:
        return escaped(text)  # in a code span of a table nothing can stand for these two
    text = text.replace("|", "\\|")
    ticks = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    gap = " " if not text or text[0] == "`" or text[-1] == "`" else ""
    return f"{ticks}{gap}{text}{gap}{ticks}"


def flow(value: Any) -> str:
    """A value as one line of YAML.

    >>> flow({"package": "prometheus", "keep": ["1", True]})
    '{package: prometheus, keep: ["1", true]}'
    """
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{flow(key)}: {flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(each) for each in value) + "]"
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z/][A-Za-z0-9_./-]*", value):
        return json.dumps(value) if value in {"true", "false", "null"} else value
    return json.dumps(value, ensure_ascii=False)


def prose(text: str) -> str:
    r"""A description: what stands between backticks stays code, everything else is escaped.

    >>> print(prose("a `b|c` and <d>"))
    a `b\|c` and \<d\>
    """
    pieces = " ".join(text.split()).split("`")
    if len(pieces) % 2 == 0:
        return escaped(text)
    return "".join(code(piece) if number % 2 else _escaped_piece(piece) for number, piece in enumerate(pieces))


def _escaped_piece(text: str) -> str:
    """Like `escaped`, with the blanks at both ends kept."""
    return f"{' ' * text.startswith(' ')}{escaped(text)}{' ' * (text.endswith(' ') and text != ' ')}"


def fenced(text: str) -> str:
    """A YAML block, behind a fence longer than any in it."""
    ticks = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{ticks}yaml\n{text.rstrip()}\n{ticks}"


def anchor(title: str) -> str:
    """Where GitHub puts a heading.

    >>> anchor("reference to a secret"), anchor("`exporters.node`")
    ('reference-to-a-secret', 'exportersnode')
    """
    return re.sub(r"[^a-z0-9 _-]", "", title.lower()).replace(" ", "-")
