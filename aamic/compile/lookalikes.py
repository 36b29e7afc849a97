"""The node that a name was meant for, though it is written in another way."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property
from typing import Final

_LOOKALIKES: Final = str.maketrans("oil", "011")
_NUMBER: Final = re.compile("[0-9]+")
_LETTERS: Final = re.compile("[a-z]")


class Lookalikes:
    """Finds which of many names another one looks like; the names are read when first asked.

    >>> known = Lookalikes(["gpu-017", "login-1"])
    >>> [known.of(name) for name in ("gpu-O17", "gpu_17", "gup-017", "GPU-0017", "gpu-018", "cpu-017")]
    ['gpu-017', 'gpu-017', 'gpu-017', 'gpu-017', None, None]

    Names of nodes are alike by nature: *gpu-018* is a neighbour of *gpu-017*, not a slip of the pen. So two names look
    alike if they hold the same numbers and the same letters, whatever the order and repetition of letters, case,
    separators, leading zeros, and letters that look like digits.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = names

    def of(self, name: str) -> str | None:
        """The first of the names that looks like this one."""
        return self._first.get(_looks(name))

    @cached_property
    def _first(self) -> dict[tuple[frozenset[str], tuple[str, ...]], str]:
        first: dict[tuple[frozenset[str], tuple[str, ...]], str] = {}
        for name in self._names:
            first.setdefault(_looks(name), name)
        return first


def _looks(name: str) -> tuple[frozenset[str], tuple[str, ...]]:
    plain = name.lower().translate(_LOOKALIKES)
    return frozenset(_LETTERS.findall(plain)), tuple(number.lstrip("0") for number in _NUMBER.findall(plain))
