"""A document without the values that are wrong, so that the rest can still be checked."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from aamic.compile.findings import Path, Places
from aamic.errors import Place

_StandIn = Callable[[int, Any], Any]
_ODD: Final = re.compile("[^a-zA-Z0-9_]")


def _alert_name(index: int, written: Any) -> str:
    """What was written, as near as a name can be: messages about the alert are read beside it."""
    word = _ODD.sub("_", written)[:60] if isinstance(written, str) else ""
    return word if word and not word[0].isdigit() else f"unnamed_{index}"


STAND_INS: Final[dict[tuple[str, ...], _StandIn]] = {
    ("version",): lambda _index, _written: 1,
    ("cluster",): lambda _index, _written: {"name": "unnamed"},
    ("cluster", "name"): lambda _index, _written: "unnamed",
    ("racks", "*", "gpu", "model"): lambda _index, _written: "unknown",
    ("racks", "*", "gpu", "count"): lambda _index, _written: 1,
    ("nodes", "*", "gpu", "model"): lambda _index, _written: "unknown",
    ("nodes", "*", "gpu", "count"): lambda _index, _written: 1,
    ("federation", "shards", "*", "name"): lambda index, _written: f"unnamed-{index}",
    ("alerts", "custom", "*", "name"): _alert_name,
    ("exporters", "custom", "*", "name"): lambda index, _written: f"unnamed-{index}",
    ("exporters", "custom", "*", "port"): lambda index, _written: 1 + index % 1023,
}
"""What later checks find where a key that its mapping must have is missing or wrong, so that they see the mapping.

Made from the item's index in its list and from what was written. Each is one that no later check has a word on.
"""


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
        rest: dict[str, Any] = _without(self._data, self._dropped, ())
        return rest

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


def has_stand_in(path: Path) -> bool:
    """Whether later checks find something else where the value at this path is dropped."""
    return _stand_in(path) is not None


def _stand_in(path: Path) -> _StandIn | None:
    named = path[0] in {"racks", "nodes"}
    return STAND_INS.get(
        tuple("*" if isinstance(step, int) or (named and place == 1) else step for place, step in enumerate(path))
    )


def _without(value: Any, dropped: dict[str | int, Any], path: Path) -> Any:
    if isinstance(value, dict):
        kept = ((key, item) for key, item in value.items() if dropped.get(key, ...) is not None)
        rest = {key: _without(item, dropped[key], (*path, key)) if key in dropped else item for key, item in kept}
        return rest | _stand_ins(value, dropped, path)
    if isinstance(value, list):
        items = ((index, item) for index, item in enumerate(value) if dropped.get(index, ...) is not None)
        return [_without(item, dropped[index], (*path, index)) if index in dropped else item for index, item in items]
    return value


def _stand_ins(value: dict[str, Any], dropped: dict[str | int, Any], path: Path) -> dict[str, Any]:
    """Something for each key of a mapping that was dropped and has a stand-in."""
    index = next((step for step in reversed(path) if isinstance(step, int)), 0)
    gone = [str(key) for key, below in dropped.items() if below is None]
    return {key: make(index, value.get(key)) for key in gone if (make := _stand_in((*path, key)))}


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
