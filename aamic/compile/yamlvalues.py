"""The values under construction, with or without the marks of where they stand."""

from __future__ import annotations

from typing import Any

from yaml.error import Mark

NO_KEY, MERGE_KEY, FAULTY_KEY = object(), object(), object()


class PlacedMap(dict[str, Any]):
    """A mapping with the marks of each key and of its value."""

    __slots__ = ("at", "start")

    def __init__(self) -> None:
        self.at: dict[str, tuple[Mark, Mark]] = {}


class PlacedList(list[Any]):
    """A list with the marks of its items, each twice: an item is its own key."""

    __slots__ = ("at", "start")

    def __init__(self) -> None:
        self.at: list[tuple[Mark, Mark]] = []


class Open:
    """A mapping or list whose end has not been read yet.

    Attributes:
        before: How many values were read until it began.
        height: Levels of lists and mappings, itself included.
        key: The key whose value comes next, or what stands for none, for `<<` and for a faulty one.
        merged: The value of `<<` with its event.
    """

    __slots__ = ("before", "height", "is_list", "key", "key_event", "merged", "start", "value")

    def __init__(self, value: Any, start: Any, before: int) -> None:
        self.value = value
        self.is_list = isinstance(value, list)
        self.start = start
        self.before = before
        self.height = 1
        self.key: Any = NO_KEY
        self.key_event: Any = None
        self.merged: Any = None
