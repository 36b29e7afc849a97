"""Values of panels: which number is one, and how a panel's mappings and bounds judge it."""

from __future__ import annotations

import math
import re
from typing import Final

from aamic.model.dashboard import Bound, Panel
from aamic.model.preview import Figure

_PUNCTUATION: Final = "_-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$"
"""By the order in which Grafana sorts text: all of it is before digits, and these before letters."""
_ORDERED: Final = re.compile(r"\s*(?:topk|bottomk|sort|sort_desc|sort_by_label\w*)\b")


def number(value: float) -> float | None:
    """A value that can be drawn; None for NaN and the infinite.

    >>> number(1.5), number(float("nan")), number(float("inf"))
    (1.5, None, None)
    """
    return value if math.isfinite(value) else None


def order(expr: str) -> bool:
    """Whether a query gives its series in an order that means something.

    >>> order("topk(5, up)"), order("up")
    (True, False)
    """
    return bool(_ORDERED.match(expr))


def collated(text: str) -> tuple[bool, tuple[tuple[int, str], ...]]:
    """What sorts text as Grafana does: without regard to case, numbers digit by digit, and nothing behind all else.

    >>> sorted(["", "r2", "R10", "r-1"], key=collated)
    ['r-1', 'R10', 'r2', '']
    """
    return not text, tuple((_PUNCTUATION.find(letter) % (len(_PUNCTUATION) + 1), letter) for letter in text.casefold())


def figure(panel: Panel, name: str, value: float | None) -> Figure:
    """A value as the panel judges it: by what it maps it to, or by the highest bound that it reaches.

    What is no number is unknown, where there is anything to judge by.
    """
    found = None if value is None else number(value)
    if found is None:
        return Figure(name, None, "unknown" if panel.bounds or panel.mappings else "none", _infinite(value))
    mapped = next((each for each in panel.mappings if each.value == found), None)
    if mapped:
        return Figure(name, found, mapped.severity, mapped.text)
    crossed = max((each for each in panel.bounds if found >= each.value), key=lambda each: each.value, default=None)
    return _bounded(panel, name, found, crossed)


def _bounded(panel: Panel, name: str, value: float, crossed: Bound | None) -> Figure:
    if crossed:
        return Figure(name, value, crossed.severity, alert=crossed.alert)
    return Figure(name, value, "ok" if panel.bounds else "none")


def _infinite(value: float | None) -> str:
    return "no number" if value is None or math.isnan(value) else "infinite" if value > 0 else "minus infinite"
