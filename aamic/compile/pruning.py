"""A document without the values that are wrong, so that the rest can still be checked."""

from __future__ import annotations

from typing import Any, Final

from aamic.compile.findings import Path, Places
from aamic.errors import Place

STAND_INS: Final[dict[str, Any]] = {"version": 1, "cluster": {"name": "unnamed"}}
"""What later checks find where a key that every site must have is missing or wrong."""


class Pruning:
    """Drops values from `data`, which itself stays as it is.

    Dropping an item of a list moves the items behind it; `original` tells where they were written.
    """

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data
        self._dropped: dict[str | int, Any] = {}  # step -> the same for the steps below, None where it is dropped

    def drop(self, path: Path) -> None:
        """Drop the value at a path of the original data, with its key."""
        below: dict[str | int, Any] = self._dropped
        for step in path[:-1]:
            below = below.setdefault(step, {})
            if below is None:
                return
        below[path[-1]] = None

    def kept(self) -> dict[str, Any]:
        """The data without what was dropped."""
        stand_ins = {key: value for key, value in STAND_INS.items() if self._dropped.get(key, ...) is None}
        rest: dict[str, Any] = _without(self._data, self._dropped)
        return {**rest, **stand_ins}

    def original(self, path: Path) -> Path:
        """Where the value that stands at `path` now was written."""
        below: Any = self._dropped
        written: list[str | int] = []
        for step in path:
            place = _written(step, below) if isinstance(step, int) and below else step
            written.append(place)
            below = below.get(place) if below else None
        return tuple(written)

    def dropped(self) -> frozenset[Path]:
        """The paths of what was dropped, in the original data."""
        return frozenset(_leaves(self._dropped, ()))


class PrunedPlaces:
    """Places of values that stand in pruned data."""

    def __init__(self, document: Places, pruning: Pruning) -> None:
        self._document = document
        self._pruning = pruning

    def place(self, path: Path) -> Place:
        """The place of the value at a path, or of its nearest ancestor."""
        return self._document.place(self._pruning.original(path))

    def place_of_key(self, path: Path) -> Place:
        """The place of the key that the path ends in."""
        return self._document.place_of_key(self._pruning.original(path))


def _without(value: Any, dropped: dict[str | int, Any]) -> Any:
    if isinstance(value, dict):
        kept = ((key, item) for key, item in value.items() if dropped.get(key, ...) is not None)
        return {key: _without(item, dropped[key]) if key in dropped else item for key, item in kept}
    if isinstance(value, list):
        items = ((index, item) for index, item in enumerate(value) if dropped.get(index, ...) is not None)
        return [_without(item, dropped[index]) if index in dropped else item for index, item in items]
    return value


def _written(index: int, dropped: dict[str | int, Any]) -> int:
    """The index that an item had before items in front of it were dropped."""
    for gone in sorted(int(step) for step, below in dropped.items() if below is None):
        index += gone <= index
    return index


def _leaves(dropped: dict[str | int, Any], path: Path) -> list[Path]:
    return [
        leaf
        for step, below in dropped.items()
        for leaf in ([(*path, step)] if below is None else _leaves(below, (*path, step)))
    ]
