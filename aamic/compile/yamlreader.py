"""The converter from YAML events to plain values: the one hot loop of the parser."""

from __future__ import annotations

from sys import intern
from typing import Any

from yaml.error import MarkedYAMLError
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from aamic.compile.scalars import resolve
from aamic.compile.text import shown
from aamic.compile.yamlfault import NO_TAGS, explain, place_of
from aamic.compile.yamlparser import parser_of
from aamic.compile.yamlvalues import FAULTY_KEY, MERGE_KEY, NO_KEY, Open, PlacedList, PlacedMap
from aamic.errors import Place, Problem
from aamic.model.secret import SECRET_KEYS

MAX_VALUES = 2_000_000  # with aliases followed; 100,000 nodes of five keys are 600,000
MAX_DEPTH = 50

_TAG = "tag:yaml.org,2002:"
_TYPES: dict[str, tuple[type, ...]] = {
    _TAG + "null": (type(None),),
    _TAG + "bool": (bool,),
    _TAG + "int": (int,),
    _TAG + "float": (float, int),
}


class FaultFoundError(Exception):
    """Something is wrong; reading again with places tells what."""


class _StopError(Exception):
    """The rest of the file makes no sense, or too much of it."""


class Converter:
    """Turns one YAML text into `root`; the first fault raises FaultFoundError unless `placed`.

    Attributes:
        problems: Everything that is wrong with it.
        whole: Whether it was read to its end; only single values are wrong then.
    """

    def __init__(self, text: str, name: str, *, placed: bool) -> None:
        self.problems: list[Problem] = []
        self.whole = True
        self._text = text
        self._name = name
        self._placed = placed
        self._map: type[dict[str, Any]] = PlacedMap if placed else dict
        self._list: type[list[Any]] = PlacedList if placed else list
        self._documents = 0
        self._count = 0
        self._anchors: dict[str, tuple[Any, int, int] | None] = {}  # value, size, height; None until its end
        self._top = Open(self._list(), None, 0)  # holds the root as its only item
        self._stack = [self._top]

    @property
    def root(self) -> Any:
        """The value of the document; what could be read of it if there are problems."""
        holder = self._stack[0].value
        if holder:
            return holder[0]
        return self._stack[1].value if len(self._stack) > 1 else None

    def run(self) -> Converter:
        """Read the text to its end, or as far as it can be read."""
        try:
            self._read_events()
        except _StopError:
            pass
        except MarkedYAMLError as error:
            self._raise_if_unplaced()
            self.whole = False
            self.problems.append(explain(error, self._text, self._name))
        return self

    def _read_events(self) -> None:
        get_event = parser_of(self._text).get_event
        while True:
            event = get_event()
            kind = type(event)
            if kind is ScalarEvent:
                self._add(self._scalar(event), event)
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                self._close()
            elif kind is MappingStartEvent:
                self._open(self._map(), event)
            elif kind is SequenceStartEvent:
                self._open(self._list(), event)
            elif kind is AliasEvent:
                self._alias(event)
            elif kind is DocumentStartEvent:
                self._begin_document(event)
            elif kind is StreamEndEvent:
                return

    # Values

    def _scalar(self, event: Any) -> Any:
        value = event.value
        tag = event.tag
        if tag is not None:
            value = self._tagged(event)
        elif not event.style:
            try:
                value = resolve(value)
            except ValueError:
                self._report(f"number{self._quoted(value, 20)} is too long", event, "put it in quotes if it is text")
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, 1, 0)
        return value

    def _tagged(self, event: Any) -> Any:
        """Follow a tag of the core schema; `!!str 12` is a text."""
        if event.tag in ("!", _TAG + "str"):
            return event.value
        if event.tag not in _TYPES:
            self._refuse_tag(event)
            return event.value
        try:
            value = resolve(event.value)
        except ValueError:
            value = event.value
        if not isinstance(value, _TYPES[event.tag]):
            kind = event.tag.removeprefix(_TAG)
            subject = self._quoted(event.value).lstrip() or "the value"
            self._report(f"{subject} is not what its tag `!!{kind}` says", event, "remove the tag")
        return value

    def _open(self, value: Any, event: Any) -> None:
        if event.tag is not None and event.tag not in ("!", _TAG + ("map" if isinstance(value, dict) else "seq")):
            self._refuse_tag(event)
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        if self._placed:
            value.start = event.start_mark
        self._top = Open(value, event, self._count)
        self._stack.append(self._top)
        self._limit_depth(len(self._stack) - 1, event)

    def _close(self) -> None:
        done = self._stack.pop()
        self._top = top = self._stack[-1]
        if done.merged is not None:
            self._merge(done)
        if done.height >= top.height:
            top.height = done.height + 1
        if done.start.anchor is not None:
            self._anchors[done.start.anchor] = (done.value, self._count - done.before + 1, done.height)
        self._add(done.value, done.start)

    def _alias(self, event: Any) -> None:
        name = event.anchor
        if name not in self._anchors:
            hint = f"write{self._quoted('&' + name) or ' its anchor'} before the value that it names"
            self._report(f"alias{self._quoted('*' + name)} has no anchor before it", event, hint)
        elif self._anchors[name] is None:
            hint = "an alias cannot stand within the value that it names"
            self._report(f"alias{self._quoted('*' + name)} contains itself", event, hint)
        value, size, height = self._anchors.get(name) or ("", 1, 0)
        self._limit_depth(len(self._stack) - 1 + height, event)
        self._top.height = max(self._top.height, height + 1)
        self._count += size - 1
        self._add(value, event)

    def _add(self, value: Any, event: Any) -> None:
        """Take the next value: an item, a key, or the value of the key before."""
        top = self._top
        key = top.key
        if top.is_list:
            top.value.append(value)
            if self._placed:
                top.value.at.append((event.start_mark, event.start_mark))
        elif key is NO_KEY:
            top.key = self._key(value, event)
            top.key_event = event
            return
        else:
            top.key = NO_KEY
            if key is MERGE_KEY:
                top.merged = (value, event)
            elif key is not FAULTY_KEY:
                top.value[key] = value
                if self._placed:
                    top.value.at[key] = (top.key_event.start_mark, event.start_mark)
        self._count += 1
        if self._count > MAX_VALUES:
            hint = "its aliases multiply; write the values out, or use fewer of them"
            self._stop(f"the file stands for more than {MAX_VALUES:,} values", event, hint)

    # Keys

    def _key(self, key: Any, event: Any) -> Any:
        top = self._top
        if type(key) is not str:
            self._refuse_key(key, event)
            return FAULTY_KEY
        if key == "<<" and type(event) is ScalarEvent and not event.style:
            if top.merged is None:
                return MERGE_KEY
            self._report("key `<<` stands twice in one mapping", event, "give one `<<` a list of aliases")
            return FAULTY_KEY
        if key in top.value:
            self._report(
                f"key{self._quoted(key)} stands twice in one mapping", event, "remove one of the two", self._first(key)
            )
            return FAULTY_KEY
        return intern(key)

    def _first(self, key: str) -> tuple[Place, ...]:
        return (place_of(self._top.value.at[key][0], self._name),) if self._placed else ()

    def _refuse_key(self, key: Any, event: Any) -> None:
        if isinstance(key, dict | list):
            kind = "mapping" if isinstance(key, dict) else "list"
            hint = "put text that begins with `{` or `[` in quotes"
            self._report(f"a key is text, not a {kind}", event, hint)
        elif (written := getattr(event, "value", "")) == "":
            self._report("a key is missing before `:`", event, "write `key: value`")
        else:
            example = self._quoted(f'"{written}"')
            self._report(
                f"key{self._quoted(written)} is not text", event, f"put it in quotes{example and ':'}{example}"
            )

    def _merge(self, done: Open) -> None:
        """Add the keys of `<<: *alias`; the mapping's own keys win, then the earlier alias."""
        value, event = done.merged
        for source in value if isinstance(value, list) else [value]:
            if not isinstance(source, dict):
                self._report(
                    "`<<` takes a mapping or a list of mappings", event, "give it an alias such as `*defaults`"
                )
                return
            marks = getattr(source, "at", {})
            for key, merged in source.items():
                if key not in done.value:
                    done.value[key] = merged
                    if self._placed:
                        done.value.at[key] = marks[key]

    # Faults

    def _begin_document(self, event: Any) -> None:
        self._documents += 1
        if self._documents > 1:
            self._stop("a second document begins here", event, "keep one document in a file; remove `---`")

    def _refuse_tag(self, event: Any) -> None:
        tag = event.tag.replace(_TAG, "!!")
        self._report(f"tag{self._quoted(tag)} is not supported", event, NO_TAGS)

    def _limit_depth(self, depth: int, event: Any) -> None:
        if depth > MAX_DEPTH:
            self._stop(f"values are nested deeper than {MAX_DEPTH} levels", event, "check the brackets and aliases")

    def _quoted(self, text: str, limit: int = 60) -> str:
        """User text behind a space, as a message may quote it; nothing where a secret belongs."""
        secret = any(mapping.key in SECRET_KEYS for mapping in self._stack)
        return "" if secret else f" {shown(text, limit)}"

    def _stop(self, message: str, event: Any, hint: str) -> None:
        self._report(message, event, hint)
        self.whole = False
        raise _StopError

    def _report(self, message: str, event: Any, hint: str, also: tuple[Place, ...] = ()) -> None:
        self._raise_if_unplaced()
        self.problems.append(Problem(message, place_of(event.start_mark, self._name), hint, also))

    def _raise_if_unplaced(self) -> None:
        if not self._placed:
            raise FaultFoundError
