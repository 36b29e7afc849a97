"""Where a text is cut to add, replace or remove one entry of a YAML mapping or list."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from aamic.compile.yamlnodes import Entry, Node, line_break, line_end, line_start
from aamic.compile.yamlwrite import written

_ANCHOR: Final = re.compile(r"&[^ \t\r\n]+[ \t]+")


class Splice(NamedTuple):
    """Text that takes the place of what stands from `start` to `end`."""

    start: int
    end: int
    text: str


def applied(text: str, splices: Iterable[Splice]) -> str:
    """Return the text with every splice made; they do not overlap."""
    for start, end, new in sorted(splices, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def added(text: str, parent: Node, value: str, key: str | None) -> list[Splice]:
    """Add an entry behind the others of a mapping, or of a list if `key` is None."""
    entry = value if key is None else f"{written(key)}: {value}"
    if not parent.entries:
        at = text.index("{" if parent.kind == "map" else "[", parent.start) + 1
        return [Splice(at, at, entry)]
    last = parent.entries[-1]
    if parent.flow:
        return [Splice(last.end, last.end, f", {entry}")]
    return [_behind(text, last, [f"- {entry}" if key is None else entry])]


def added_list(text: str, parent: Node, item: str, key: str) -> list[Splice]:
    """Add a key with a list of one item behind the others of a mapping: a further item is a further line then."""
    if parent.flow or not parent.entries:
        return added(text, parent, f"[{item}]", key)
    return [_behind(text, parent.entries[-1], [f"{written(key)}:", f"  - {item}"])]


def _behind(text: str, last: Entry, lines: Iterable[str]) -> Splice:
    """Lines behind an entry of a block, indented like it."""
    indent = " " * (last.start - line_start(text, last.start))
    at = line_end(text, last.end)
    new = line_break(text, at)
    block = new.join(f"{indent}{line}" for line in lines)
    return Splice(at, at, block + new if text[at - 1 : at] in ("\n", "\r") else new + block)


def replaced(text: str, entry: Entry | None, node: Node, value: str) -> list[Splice]:
    """Put another value in the place of one."""
    if node.empty and entry:
        at = entry.end
        return [Splice(at, at, f" {value}" if entry.mark else f": {value}")]
    if node.flow:
        return [Splice(_behind_anchor(text, node), node.end, value)]
    end = _end_of_text(text, node)
    if entry and entry.mark and node.own and node.entries and _begins_line(text, node.start):
        return [Splice(entry.mark, entry.mark, f" {value}"), _lines(text, node.start, end)]
    return [Splice(node.start, end, value)]


def _behind_anchor(text: str, node: Node) -> int:
    """Where a value begins behind its anchor: the name is not part of it, and somebody may want it."""
    found = _ANCHOR.match(text, node.start, node.end)
    return found.end() if found else node.start


def removed(text: str, above: Entry | None, parent: Node, entry: Entry) -> list[Splice]:
    """Take an entry out of a mapping or list; `above` is the entry whose value `parent` is."""
    if parent.flow:
        return [_out_of_flow(text, parent, entry)]
    if len(parent.entries) == 1:
        return replaced(text, above, parent, "{}" if parent.kind == "map" else "[]")
    if _begins_line(text, entry.start):
        return [_lines(text, entry.start, entry.end)]
    following = parent.entries[parent.entries.index(entry) + 1].start
    return [Splice(entry.start, entry.end if "#" in text[entry.end : following] else following, "")]


def _out_of_flow(text: str, parent: Node, entry: Entry) -> Splice:
    """An entry between brackets with one of the commas beside it; a comment beside the comma stays."""
    index = parent.entries.index(entry)
    if index:
        before = parent.entries[index - 1].end
        if _only_comma(text[before : entry.start]):
            return Splice(before, entry.end, "")
    elif len(parent.entries) > 1:
        after = parent.entries[1].start
        if _only_comma(text[entry.end : after]):
            return Splice(entry.start, after, "")
    comma = text.find(",", entry.end, parent.end)
    own = comma >= 0 and not text[entry.end : comma].strip()
    return Splice(entry.start, comma + 1 if own else entry.end, "")


def _only_comma(between: str) -> bool:
    return between.strip() == ","


def _begins_line(text: str, at: int) -> bool:
    return not text[line_start(text, at) : at].strip(" ")


def _lines(text: str, start: int, end: int) -> Splice:
    """The lines from one position to another; of a text that ends without a line break, the break before them."""
    start, end = line_start(text, start), line_end(text, end)
    if end == len(text) and text[end - 1 : end] not in ("\n", "\r"):
        start -= len(line_break(text, start)) if start else 0
    return Splice(start, end, "")


def _end_of_text(text: str, node: Node) -> int:
    """Where a block ends, without the line break that a block scalar ends in."""
    at = node.end
    return at - len(line_break(text, at)) if text[at - 1 : at] in ("\n", "\r") else at
