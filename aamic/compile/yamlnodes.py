"""Where each value of a YAML text begins and ends, for those who change a part of it and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from yaml.events import AliasEvent, MappingStartEvent, NodeEvent, ScalarEvent

from aamic.compile.yamlparser import EventSource, parser_of

_END_OF_LINE: Final = re.compile(r"\r\n|\r|\n")
_COLON: Final = re.compile(r"[ \t]*:")
_TO_DASH: Final = re.compile(r"(?:[ \t\r\n]|#[^\r\n]*|[&!][^ \t\r\n]*)*(?=-)")
"""Comments, and before the first item the anchor and tag of its list."""


@dataclass(slots=True)
class Node:
    """One value; positions are those of characters.

    Attributes:
        start: Where its tag, anchor or text begins.
        end: Where its last character ends; that of a block scalar is a line break.
        own: Whether it has no tag or anchor of its own.
        flow: Whether it stands between brackets, or is a scalar that is no `|` or `>`.
        name: Its anchor; of an alias, the anchor that it names.
        text: What a scalar says.
    """

    kind: Literal["scalar", "map", "list", "alias"]
    start: int
    end: int
    column: int
    flow: bool
    own: bool
    name: str | None
    text: str = ""
    entries: list[Entry] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Whether nothing is written for it."""
        return self.start == self.end

    def below(self) -> Iterator[Node]:
        """Yield it and every value and key in it."""
        yield self
        for entry in self.entries:
            if entry.key is not None:
                yield from entry.key.below()
            yield from entry.value.below()


@dataclass(slots=True)
class Entry:
    """A key with its value, or an item; `start` is that of the key or of the dash, `mark` ends its colon or dash."""

    key: Node | None
    value: Node
    start: int
    mark: int | None

    @property
    def end(self) -> int:
        """Where its last character ends."""
        if not self.value.empty:
            return self.value.end
        return self.mark or (self.key.end if self.key else self.value.end)


def nodes_of(text: str) -> Node:
    """Return the value of a text that has been read without a fault, and that holds more than comments."""
    source = parser_of(text)
    while not isinstance(event := source.get_event(), NodeEvent):
        pass
    return _Reading(text, source).node(event)


class _Reading:
    """Builds nodes from the events of a parser."""

    def __init__(self, text: str, source: EventSource) -> None:
        self._text = text
        self._source = source

    def node(self, event: Any) -> Node:
        start, end = event.start_mark, event.end_mark
        if isinstance(event, AliasEvent):
            return Node("alias", start.index, end.index, start.column, True, True, event.anchor)
        own = event.anchor is None and getattr(event, "tag", None) is None
        if isinstance(event, ScalarEvent):
            flow = event.style not in ("|", ">")
            return Node("scalar", start.index, end.index, start.column, flow, own, event.anchor, event.value)
        kind: Literal["map", "list"] = "map" if isinstance(event, MappingStartEvent) else "list"
        node = Node(kind, start.index, end.index, start.column, bool(event.flow_style), own, event.anchor)
        closed = self._fill(node)
        node.end = closed.end_mark.index if node.flow else node.entries[-1].end
        return node

    def _fill(self, node: Node) -> Any:
        while isinstance(event := self._source.get_event(), NodeEvent):
            if node.kind == "map":
                key = self.node(event)
                value = self.node(self._source.get_event())
                node.entries.append(Entry(key, value, key.start, self._colon(key)))
            else:
                node.entries.append(self._item(node, self.node(event)))
        return event

    def _colon(self, key: Node) -> int | None:
        found = _COLON.match(self._text, key.end)
        return found.end() if found else None

    def _item(self, parent: Node, value: Node) -> Entry:
        """An item of a list; its dash is sought behind the item before it, as no event tells of it."""
        if parent.flow:
            return Entry(None, value, value.start, None)
        found = _TO_DASH.match(self._text, parent.entries[-1].end if parent.entries else parent.start)
        dash = found.end() if found else value.start
        return Entry(None, value, dash, dash + 1)


def line_start(text: str, at: int) -> int:
    """Return where the line of a position begins."""
    return max(text.rfind("\n", 0, at), text.rfind("\r", 0, at)) + 1


def line_end(text: str, at: int) -> int:
    """Return where the line that holds the character before a position ends, its line break included."""
    if text[at - 1 : at] in ("\n", "\r"):
        return at
    found = _END_OF_LINE.search(text, at)
    return found.end() if found else len(text)


def line_break(text: str, at: int) -> str:
    """Return the line break before a position, else the first of the text, else a line feed."""
    before = re.search(r"(\r\n|\r|\n)\Z", text[max(0, at - 2) : at])
    found = before or _END_OF_LINE.search(text)
    return found[0] if found else "\n"
