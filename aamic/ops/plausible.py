"""Numbers and texts that came from elsewhere, within the bounds of the API's documents; what has none there is None."""

from __future__ import annotations

from math import isfinite, nan
from typing import Final

from aamic.model.api import MOST

LONGEST: Final = 4096
"""Characters of the longest text of the API."""
_ROUNDING: Final = 1e-6


def whole(value: float | None) -> int | None:
    """A count; None where it can be none.

    >>> whole(3.0), whole(-1.0), whole(0.5), whole(1e300), whole(None)
    (3, None, None, None, None)
    """
    found = quantity(value)
    return int(found) if found is not None and found == int(found) else None


def quantity(value: float | None) -> float | None:
    """A number that is not negative; None where it is none, or larger than anything.

    >>> quantity(0.5), quantity(float("nan")), quantity(-0.5)
    (0.5, None, None)
    """
    return value if value is not None and isfinite(value) and 0 <= value <= MOST else None


def ratio(value: float | None) -> float | None:
    """A share of 1, which an average may exceed by a rounding.

    >>> ratio(1.0000000001), ratio(7.0)
    (1.0, None)
    """
    return min(value, 1.0) if value is not None and 0 <= value <= 1 + _ROUNDING else None


def summand(value: float) -> float:
    """A part of a sum: one that cannot be leaves the whole sum unknown.

    >>> summand(2.0), summand(-2.0)
    (2.0, nan)
    """
    return value if value >= 0 else nan


def clip(text: str, limit: int = LONGEST) -> str:
    """A text that is not longer than an API text may be."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
