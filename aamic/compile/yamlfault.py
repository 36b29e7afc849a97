"""What is wrong with text that is no YAML, in words for the person who wrote it."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, Protocol

from yaml.error import MarkedYAMLError

from aamic.compile.text import shown
from aamic.errors import Place, Problem


class Mark(Protocol):
    """A position as PyYAML gives it; both count from 0."""

    line: int
    column: int


class _Rule(NamedTuple):
    """The wordings of libyaml and of PyYAML for one fault, and ours; `{}` is the character at the place."""

    wording: str
    at: Literal["problem", "context"]
    message: str
    hint: str


_QUOTE_IT = "put the text in quotes"
_INDENT = "check the indentation, and put text with special characters in quotes"
NO_TAGS = "remove it; values are plain text, numbers, true, false, null, lists and mappings"

_RULES = tuple(
    _Rule(*rule)
    for rule in (
        (r"quoted scalar.*unexpected (end|document)", "context", "this quote is never closed", "add the closing {}"),
        (r"quoted scalar", "problem", "unknown escape", "double a backslash, or use single quotes"),
        (r"(alias|anchor): .*alphabetic", "context", "text cannot begin with {}", _QUOTE_IT),
        (r"cannot start any token|mapping keys", "problem", "text cannot begin with {}", _QUOTE_IT),
        (r"mapping values", "problem", "{} is not expected here", _INDENT),
        (r"sequence entries", "problem", "a list cannot begin here", "begin it on a line of its own"),
        (r"expected ':'", "context", "`:` is missing after this key", "write `key: value`"),
        (r"expected ',' or '\]'", "problem", "`,` or `]` is expected here", "close the list, or check the quotes"),
        (r"expected ',' or '}'", "problem", "`,` or `}` is expected here", "close the mapping, or check the quotes"),
        (r"node content", "problem", "a value is expected here", "write a value, or check the brackets"),
        (r"block mapping", "problem", "this does not line up with the mapping it follows", _INDENT),
        (r"block collection", "problem", "this does not line up with the list it follows", _INDENT),
        (
            r"block scalar",
            "problem",
            "this cannot follow `|` or `>`",
            "begin on the next line, or put the text in quotes",
        ),
        (r"tag", "context", "tags are not supported", NO_TAGS),
        (r"document start", "problem", "nothing may follow the end of the document", _INDENT),
        (r"directive|incompatible", "problem", "this line is no directive of YAML 1.2", "remove it"),
    )
)
_AFTER_VALUE = _Rule("", "problem", "this cannot follow the value before it", "put the whole value in quotes")
_OTHER = _Rule("", "problem", "this is not valid YAML", _INDENT)


def explain(error: MarkedYAMLError, text: str, name: str) -> Problem:
    """Return the problem behind an error of PyYAML's parser; `text` is the whole file."""
    lines = text.splitlines()
    mark = error.problem_mark or error.context_mark
    if mark is not None and (tab := _tab_before(lines, mark)) is not None:
        place = Place(name, mark.line + 1, tab + 1)
        return Problem("a tab is used for indentation", place, "indent with spaces")
    wording = f"{error.context}: {error.problem}"
    rule = next((rule for rule in _RULES if re.search(rule.wording, wording)), _OTHER)
    if rule.wording in {"block mapping", "block collection"} and mark is not None and not _begins_line(lines, mark):
        rule = _AFTER_VALUE
    mark = (error.context_mark if rule.at == "context" else None) or mark
    character = shown(_character(lines, mark))
    also = () if rule.at == "context" else _begin(error, name)
    message, hint = (part.replace("{}", character) for part in (rule.message, rule.hint))
    return Problem(message, place_of(mark, name), hint, also)


def place_of(mark: Mark | None, name: str) -> Place:
    """Return a position of PyYAML's as a place."""
    return Place(name, mark.line + 1, mark.column + 1) if mark is not None else Place(name, 1)


def _begin(error: MarkedYAMLError, name: str) -> tuple[Place, ...]:
    """Where the list or mapping that holds the fault begins, if that is somewhere else."""
    mark = error.context_mark
    same = mark is None or error.problem_mark is None or mark.line == error.problem_mark.line
    return () if same else (place_of(mark, name),)


def _tab_before(lines: list[str], mark: Mark) -> int | None:
    """Return the column of a tab in the indentation, if the fault lies there."""
    line = lines[mark.line] if mark.line < len(lines) else ""
    indentation = line[: len(line) - len(line.lstrip())]
    return indentation.find("\t") if "\t" in indentation and mark.column <= len(indentation) else None


def _begins_line(lines: list[str], mark: Mark) -> bool:
    return mark.line >= len(lines) or not lines[mark.line][: mark.column].strip(" -")


def _character(lines: list[str], mark: Mark | None) -> str:
    line = lines[mark.line] if mark is not None and mark.line < len(lines) else ""
    return line[mark.column : mark.column + 1] if mark is not None else ""
