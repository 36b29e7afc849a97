"""PyYAML's parser alone, without its constructors: libyaml's, or its own where libyaml is absent."""

from __future__ import annotations

from typing import Any, Protocol

from yaml.error import MarkedYAMLError
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner

try:
    from yaml._yaml import CParser
except ImportError:  # PyYAML was built without libyaml
    CParser = None  # type: ignore[assignment,misc]  # typeshed knows it as always there


class EventSource(Protocol):
    """What the two parsers have in common."""

    def get_event(self) -> Any:
        """Return the next event, or raise MarkedYAMLError."""


def parser_of(text: str) -> EventSource:
    """Return the fastest parser there is; `text` holds only what `decode` lets through."""
    return PurePythonParser(text) if CParser is None else CParser(text)


class PurePythonParser(Reader, Scanner, Parser):
    """PyYAML's own parser: the same events, many times slower."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)

    def get_event(self) -> Any:
        """Return the next event.

        Raises:
            MarkedYAMLError: The text is no YAML, or escapes what is no character, as libyaml refuses too.
        """
        try:
            event = super().get_event()  # type: ignore[no-untyped-call]
            getattr(event, "value", "").encode()
        except (ValueError, OverflowError):
            mark = self.get_mark()
            raise MarkedYAMLError("in a quoted scalar", mark, "found invalid Unicode escape", mark) from None
        return event
