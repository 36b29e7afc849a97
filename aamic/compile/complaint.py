"""Pydantic's errors in our own words. No value below a secret reference is ever repeated."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aamic.compile.expected import Node, Path, Schema, child, with_article
from aamic.compile.findings import Places
from aamic.compile.suggest import closest
from aamic.compile.text import shown
from aamic.errors import Problem

_PLAIN_KEY = re.compile("[A-Za-z0-9_-]+")
_BOOLEANS_OF_YAML_1_1: Final = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
_FORMS: Final = {
    "array": "write `[first, second]`, or a line with `- ` for each item",
    "object": "write `key: value` lines",
}
_DIGITS: Final = 20
_UNSHOWN: Final = frozenset({"URL", "line of text"})
"""Types whose values may hold a password, such as `https://user:password@host`."""
_REFERENCE_HINT: Final = "write `{file: PATH}`, `{env: NAME}` or `{command: [PROGRAM, ARGUMENT]}`"


@dataclass(frozen=True)
class Fault:
    """One error of pydantic, brought home to the document: where, what stands there, what should.

    `of_key` means that the key itself is wrong, not its value.
    """

    kind: str
    path: Path
    of_key: bool
    value: Any
    wanted: Node
    schema: Schema
    data: Any

    @property
    def subject(self) -> str:
        """The path as a person writes it, in backticks."""
        return dotted(self.path)

    @property
    def is_secret(self) -> bool:
        """Whether the value is, or stands below, a reference to a secret."""
        return self.schema.is_secret(self.path, self.data)


def fault(error: Mapping[str, Any], data: Any, schema: Schema) -> Fault:
    """Find the value that an error of pydantic is about."""
    path, of_key = _path(error["loc"], data, has_absent_key=error["type"] == "missing")
    value: Any = data
    for step in path:
        value = child(value, step)
    wanted = schema.at(path, data) or {}
    if of_key:
        value = path[-1]
        parent = schema.alternatives(schema.at(path[:-1], data) or {})
        wanted = next((node["propertyNames"] for node in parent if "propertyNames" in node), {"type": "string"})
    return Fault(error["type"], path, of_key, value, wanted, schema, data)


def complain(found: Fault, places: Places) -> Problem:
    """Say what is wrong, where, and what to write instead."""
    message, hint = _SAY.get(found.kind, _wrong_type)(found)
    at_key = found.of_key or found.kind in ("extra_forbidden", "missing")
    path = found.path[:-1] if found.kind == "missing" else found.path
    place = places.place_of_key(path) if at_key else places.place(path)
    return Problem(message, place, hint)


def dotted(path: Path) -> str:
    """A path as a person writes it, in backticks.

    >>> dotted(("nodes", "mon-[02-04]", "reserved_ports", 0))
    '`nodes["mon-[02-04]"].reserved_ports[0]`'
    """
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _PLAIN_KEY.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += f'["{shown(step)[1:-1]}"]'
    return f"`{text}`"


def _path(loc: tuple[str | int, ...], data: Any, *, has_absent_key: bool) -> tuple[Path, bool]:
    """The path in the document that a path in the model leads to: without tags of unions and marks of keys."""
    path: list[str | int] = []
    steps = loc[:-1] if has_absent_key else loc
    for step in steps:
        if isinstance(step, int) if isinstance(data, list) else isinstance(data, dict) and step in data:
            path.append(step)
            data = data[step]
    if has_absent_key:
        path.append(loc[-1])
    return tuple(path), loc[-1:] == ("[key]",)


def _unknown_key(found: Fault) -> tuple[str, str | None]:
    *above, key = found.path
    where = f" in {dotted(tuple(above))}" if above else ""
    if found.is_secret:
        return f"more than one key{where}, which is a reference to a secret", _REFERENCE_HINT
    parent = found.schema.at(tuple(above), found.data) or {}
    mapping = found.data
    for step in above:
        mapping = child(mapping, step)
    known = list(found.schema.keys(parent, mapping))
    near = closest(str(key), [name for name in known if name not in mapping] or known)
    hint = f"did you mean `{near}`?" if near else "keys here are " + ", ".join(f"`{name}`" for name in known)
    return f"unknown key {shown(str(key))}{where}", hint


def _missing(found: Fault) -> tuple[str, str | None]:
    *above, key = found.path
    where = dotted(tuple(above)) if above else "the site"
    return f"{where} lacks the key `{key}`", _meaning(found)


def _no_kind(found: Fault) -> tuple[str, str | None]:
    if not found.is_secret:
        return _wrong_type(found)
    if isinstance(found.value, str):
        return (
            f"{found.subject} holds plain text where a reference to a secret belongs",
            f"{_REFERENCE_HINT}; replace the secret if others have seen this file",
        )
    return f"{found.subject} is no reference to a secret", _REFERENCE_HINT


def _wrong_type(found: Fault) -> tuple[str, str | None]:
    wanted = found.schema.wanted(found.wanted) or "something else"
    return f"{found.subject} is {_found(found)}, wanted {wanted}", _remedy(found) or _examples(found) or _meaning(found)


def _mismatch(found: Fault) -> tuple[str, str | None]:
    kind = _text_type(found)
    title = kind.get("title", "valid text")
    where = f"a key of {dotted(found.path[:-1])}" if found.of_key else found.subject
    hint = _examples(found) or (f"it has the form `{kind['pattern']}`" if "pattern" in kind else None)
    if title in _UNSHOWN:
        reason = "it holds a line break or another control character" if title == "line of text" else hint
        return f"{where} is not {with_article(title)}", reason
    if found.is_secret:
        return f"{where} is not {with_article(title)}", hint
    if not found.value:
        return f"{where} is empty text, wanted {with_article(title)}", hint
    value = shown(str(found.value))
    if found.of_key:
        return f"{value}, {where}, is not {with_article(title)}", hint
    return f"{value} in {where} is not {with_article(title)}", hint


def _long_text(found: Fault) -> tuple[str, str | None]:
    limit = _text_type(found).get("maxLength")
    where = f"a key of {dotted(found.path[:-1])}" if found.of_key else found.subject
    return f"{where} is {len(found.value):,} characters long", f"at most {limit:,} are allowed"


def _list_length(found: Fault) -> tuple[str, str | None]:
    kind = next((node for node in found.schema.alternatives(found.wanted) if node.get("type") == "array"), {})
    if not found.value:
        return f"{found.subject} is an empty list", "write at least one item, or remove the key"
    return f"{found.subject} has {len(found.value):,} items", f"at most {kind['maxItems']:,} are allowed"


def _out_of_range(found: Fault) -> tuple[str, str | None]:
    kind = next((node for node in found.schema.alternatives(found.wanted) if node.get("type") == "integer"), {})
    value = "is" if found.is_secret else f"is {found.value}, which is"
    if "const" in kind:
        return f"{found.subject} {value} not {kind['const']}", f"write {kind['const']}"
    low, high = kind.get("minimum"), kind.get("maximum")
    return f"{found.subject} {value} not between {low} and {high}", _meaning(found)


def _no_choice(found: Fault) -> tuple[str, str | None]:
    choices = [
        value
        for node in found.schema.alternatives(found.wanted)
        for value in node.get("enum", [node["const"]] if "const" in node else [])
    ]
    if not isinstance(found.value, str):
        return _wrong_type(found)
    listed = ", ".join(f"`{value}`" for value in choices)
    near = closest(found.value, choices)
    hint = f"did you mean `{near}`?" if near and len(choices) > 1 else _meaning(found)
    return f"{shown(found.value)} in {found.subject} is not {'one of ' if len(choices) > 1 else ''}{listed}", hint


def _found(found: Fault) -> str:
    """What stands there, in terms of YAML; numbers are shown, text is not."""
    value = found.value
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, int | float):
        return "a number" if found.is_secret else f"the number {str(value)[:_DIGITS]}"
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, list) else "a mapping"


def _remedy(found: Fault) -> str | None:
    """What to do about a value of the wrong type, where the likely slip is known."""
    value = found.value
    kinds = {node.get("type") for node in found.schema.alternatives(found.wanted)}
    if value is None:
        return "write a value, or remove the key"
    if "string" in kinds and isinstance(value, dict):
        return "put text that begins with `{` in quotes"
    if "string" in kinds and _fits_when_quoted(found):
        return "put it in quotes"
    if isinstance(value, str) and (remedy := _remedy_of_text(value, kinds)):
        return remedy
    return _FORMS.get(str(*kinds)) if len(kinds) == 1 else None


def _remedy_of_text(value: str, kinds: set[Any]) -> str | None:
    if "boolean" in kinds and (boolean := _BOOLEANS_OF_YAML_1_1.get(value.lower())):
        return f"YAML 1.2 reads `{value}` as text; write `{boolean}`"
    return "remove the quotes" if "integer" in kinds and value.strip().isdecimal() else None


def _fits_when_quoted(found: Fault) -> bool:
    if isinstance(found.value, list):
        return False
    pattern = _text_type(found).get("pattern")
    return pattern is None or re.search(pattern, str(found.value)) is not None


def _text_type(found: Fault) -> Node:
    return next((node for node in found.schema.alternatives(found.wanted) if node.get("type") == "string"), {})


def _examples(found: Fault) -> str | None:
    kind = _text_type(found)
    examples = [f"`{example}`" for example in kind.get("examples", [])]
    listed = " or ".join(filter(None, [", ".join(examples[:-1]), *examples[-1:]]))
    return f"write {with_article(kind['title'])} such as {listed}" if listed else None


def _meaning(found: Fault) -> str | None:
    description = found.wanted.get("description")
    return f"`{found.path[-1]}`: {description}" if description and isinstance(found.path[-1], str) else None


_SAY: Final[dict[str, Callable[[Fault], tuple[str, str | None]]]] = {
    "extra_forbidden": _unknown_key,
    "missing": _missing,
    "union_tag_not_found": _no_kind,
    "string_pattern_mismatch": _mismatch,
    "string_too_short": _mismatch,
    "string_too_long": _long_text,
    "too_short": _list_length,
    "too_long": _list_length,
    "greater_than_equal": _out_of_range,
    "less_than_equal": _out_of_range,
    "int_parsing_size": _out_of_range,
    "literal_error": _no_choice,
}
"""What each error of pydantic becomes; all others say that a value has the wrong type."""
