"""The nearest known name, for "did you mean"."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def closest(name: str, known: Iterable[str], likeness: float = 0.6) -> str | None:
    """Return the known name that looks most like `name`, or None if none comes near: `likeness` is 1 for equal names.

    >>> closest("adress", ["name", "address", "rack"])
    'address'
    >>> closest("Rack", ["name", "address", "rack"])
    'rack'
    >>> closest("colour", ["name", "address", "rack"]) is None
    True
    """
    folded = {candidate.casefold(): candidate for candidate in known}
    near = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=likeness)
    return folded[near[0]] if near else None
