"""What an unquoted YAML word means: the core schema of YAML 1.2 (chapter 10.3 of its specification).

YAML 1.1 reads `no`, `1:20` and `012` as false, 80 and 10; here they are two texts and the number 12.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import Any

MAX_DIGITS = 100  # far beyond any quantity; Python refuses to print integers of a few thousand digits

_WORDS: dict[str, bool | float | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **{sign + word: math.inf for sign in ("", "+") for word in (".inf", ".Inf", ".INF")},
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}

_NUMBER = re.compile(
    r"""(?P<int>   [-+]?[0-9]+)
      | (?P<oct>   0o[0-7]+)
      | (?P<hex>   0x[0-9a-fA-F]+)
      | (?P<float> [-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?)""",
    re.VERBOSE,
)


@lru_cache(maxsize=4096)
def resolve(text: str) -> Any:
    """Return the value of an unquoted word; words are few in a long file, and equal ones give one object.

    >>> [resolve(word) for word in ("no", "1:20", "012", "0o14", "1e3", "true", "~")]
    ['no', '1:20', 12, 12, 1000.0, True, None]

    Raises:
        ValueError: It is a number of more than `MAX_DIGITS` characters.
    """
    if text[:1] in "0123456789-+.":  # spares most words the regular expression
        number = _NUMBER.fullmatch(text)
        if number is not None:
            return _number(text, number.lastgroup)
    return _WORDS.get(text, text)


def _number(text: str, kind: str | None) -> int | float:
    if len(text) > MAX_DIGITS:
        raise ValueError(text)
    if kind == "int":
        return int(text)
    if kind == "float":
        return float(text)
    return int(text[2:], 8 if kind == "oct" else 16)
