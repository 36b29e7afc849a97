"""Pydantic's errors in our own words. No value below a secret reference is ever repeated."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from aamic.compile.expected import with_article
from aamic.compile.fault import Fault, dotted
from aamic.compile.findings import Places
from aamic.compile.suggest import closest
from aamic.compile.text import shown
from aamic.errors import Problem

_BOOLEANS_OF_YAML_1_1: Final = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
_FORMS: Final = {
    "array": "write `[first, second]`, or a line with `- ` for each item",
    "object": "write `key: value` lines",
}
_DIGITS: Final = 20
_UNSHOWN: Final = frozenset({"URL", "URL or path", "host and port", "line of text"})
"""Types whose values may hold a password, such as `https://user:password@host`."""
_CREDENTIALS: Final = re.compile("://|@")
"""What a webhook's URL and a password in front of a host have in common."""
_MOST: Final = {"duration": "`99y`, `999w` or `9999d`", "size": "`7EB`, `999PB` or `999999TB`"}
"""The largest amounts of types whose patterns bound the digits of numbers."""
_BOUNDED: Final = re.compile(r"\[1-[79]\](\[0-9\]\{0,[0-9]\})?")
_REFERENCE_HINT: Final = "write `{file: PATH}`, `{env: NAME}` or `{command: [PROGRAM, ARGUMENT]}`"


def complain(found: Fault, places: Places) -> Problem:
    """Say what is wrong, where, and what to write instead."""
    message, hint = _SAY.get(found.error, _wrong_type)(found)
    at_key = found.of_key or found.error in ("extra_forbidden", "missing")
    path = found.path[:-1] if found.error == "missing" else found.path
    place = places.place_of_key(path) if at_key else places.place(path)
    return Problem(message, place, hint)


def _unknown_key(found: Fault) -> tuple[str, str | None]:
    where, key = dotted(found.path[:-1]), str(found.path[-1])
    if found.is_secret:
        return f"a reference to a secret has one key, but {where} has more", _REFERENCE_HINT
    near = found.meant
    if near is None:
        hint = "keys here are " + ", ".join(f"`{name}`" for name in found.siblings)
    elif near in found.mapping:
        hint = f"`{near}` is there already; remove one of the two"
    else:
        hint = f"did you mean `{near}`?"
    # A secret may have become a key: `slack: {https://hooks.example.com/...}`.
    hidden = _CREDENTIALS.search(key) or (near is None and found.is_near_secret)
    name = "" if hidden else f" {shown(key)}"
    return f"unknown key{name}" + (f" in {where}" if found.path[1:] else ""), hint


def _missing(found: Fault) -> tuple[str, str | None]:
    *above, key = found.path
    where = dotted(tuple(above)) if above else "the site"
    return f"{where} lacks the key `{key}`", _meaning(found)


def _no_kind(found: Fault) -> tuple[str, str | None]:
    """Nothing tells which kind of mapping this should be."""
    if not found.is_secret:
        keys = ", ".join(f"`{node['required'][0]}`" for node in found.kinds if node.get("required"))
        if not isinstance(found.value, dict):
            return _wrong_type(found)
        return f"{found.subject} has none of the keys {keys}", "add one of them; it tells what this is"
    if isinstance(found.value, str):
        return (
            f"{found.subject} holds plain text where a reference to a secret belongs",
            f"{_REFERENCE_HINT}; replace the secret if others have seen this file",
        )
    return f"{found.subject} is not a reference to a secret", _REFERENCE_HINT


def _wrong_type(found: Fault) -> tuple[str, str | None]:
    wanted = found.schema.wanted(found.wanted)
    return f"{found.subject} is {_found(found)}, wanted {wanted}", _remedy(found) or _rule(found) or _meaning(found)


def _mismatch(found: Fault) -> tuple[str, str | None]:
    kind = found.kind("string")
    title = with_article(kind.get("title", "fitting text"))
    if not found.value:
        return f"{_where(found)} is empty text, wanted {title}", _rule(found) or _meaning(found)
    if found.is_secret or kind.get("title") in _UNSHOWN or _CREDENTIALS.search(str(found.value)):
        return f"{_where(found)} is not {title}", _rule(found) or _meaning(found)
    if quantity := _too_large(found):
        message = f"{shown(found.value)} in {found.subject} is too large a {quantity}"
        return message, f"at most {_MOST[quantity]} are allowed"
    comma = "," if found.of_key else ""
    link = " " if found.of_key else " in "
    return f"{shown(str(found.value))}{comma}{link}{_where(found)}{comma} is not {title}", _rule(found) or _meaning(
        found
    )


def _too_large(found: Fault) -> str | None:
    """The type of a quantity that is right but for its number of digits."""
    kind = found.kind("string")
    title: str = kind.get("title", "")
    loose = _BOUNDED.sub("[1-9][0-9]*", kind["pattern"]) if title in _MOST else "$."
    return title if re.search(loose, found.value) else None


def _long_text(found: Fault) -> tuple[str, str | None]:
    limit = found.kind("string")["maxLength"]
    return f"{_where(found)} has {len(found.value):,} characters", f"at most {limit:,} are allowed"


def _list_length(found: Fault) -> tuple[str, str | None]:
    if not found.value:
        return f"{found.subject} is an empty list", "write at least one item, or remove the key"
    limit = found.kind("array")["maxItems"]
    return f"{found.subject} has {len(found.value):,} items", f"at most {limit:,} are allowed"


def _out_of_range(found: Fault) -> tuple[str, str | None]:
    kind = found.kind("integer") or found.kind("number")
    value = "is not" if found.is_secret else f"is {str(found.value)[:_DIGITS]}, not"
    bounds = f"{kind['const']}" if "const" in kind else f"between {kind.get('minimum')} and {kind.get('maximum')}"
    return f"{found.subject} {value} {bounds}", _meaning(found)


def _no_choice(found: Fault) -> tuple[str, str | None]:
    if not isinstance(found.value, str):
        return _wrong_type(found)
    choices = [value for node in found.kinds for value in node.get("enum", [node["const"]] if "const" in node else [])]
    near = closest(found.value, choices)
    hint = f"did you mean `{near}`?" if near and len(choices) > 1 else _meaning(found)
    listed = ", ".join(f"`{value}`" for value in choices)
    return f"{shown(found.value)} in {found.subject} is not {'one of ' if len(choices) > 1 else ''}{listed}", hint


def _where(found: Fault) -> str:
    return f"a key of {dotted(found.path[:-1])}" if found.of_key else found.subject


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
    kinds = {node.get("type") for node in found.kinds}
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
    if "number" in kinds and not value.strip().isdecimal():
        return "write a number alone, without a unit"
    return "write it without quotes or tag" if kinds & {"integer", "number"} and value.strip().isdecimal() else None


def _fits_when_quoted(found: Fault) -> bool:
    kind, text = found.kind("string"), str(found.value)
    choices = kind.get("enum", [kind.get("const", text)])
    return not isinstance(found.value, list) and text in choices and bool(re.search(kind.get("pattern", ""), text))


def _rule(found: Fault) -> str | None:
    """What text of this type looks like."""
    kind = found.kind("string")
    if rule := kind.get("patternErrorMessage"):
        return f"write {rule}"
    examples = " or ".join(f"`{example}`" for example in kind.get("examples", []))
    return f"write {with_article(kind['title'])} such as {examples}" if examples else None


def _meaning(found: Fault) -> str | None:
    """What the key is for, in the words of the schema."""
    path = found.path
    while path and isinstance(path[-1], int):
        path = path[:-1]
    node = found.schema.at(path, found.data) or {}
    described = (kind["description"] for kind in [node, *found.schema.alternatives(node)] if "description" in kind)
    meaning = next(described, None)
    return f"`{path[-1]}`: {meaning.rstrip('.')}" if path and meaning else None


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
