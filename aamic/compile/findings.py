"""Collects what is wrong with a site while it is resolved, so that every problem is told at once."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from aamic.errors import Place, Problem

Path = tuple[str | int, ...]


class Places(Protocol):
    """Where values stand in the files: the part of a Document that findings need."""

    def place(self, path: Path) -> Place:
        """The place of the value at a path, or of its nearest ancestor."""
        ...

    def place_of_key(self, path: Path) -> Place:
        """The place of the key that the path ends in."""
        ...


class Findings:
    """Problems in the order found; `pruned` are paths that validation dropped, about which nothing is concluded."""

    def __init__(self, document: Places, pruned: Collection[Path] = ()) -> None:
        self._document = document
        self._pruned = frozenset(pruned)
        self.problems: list[Problem] = []

    @property
    def failed(self) -> bool:
        """Whether an error, not only a warning, was found."""
        return any(problem.severity == "error" for problem in self.problems)

    def is_pruned(self, *path: str | int) -> bool:
        """Whether anything at or below the path was dropped by validation."""
        return any(pruned[: len(path)] == path for pruned in self._pruned)

    def place(self, *path: str | int) -> Place:
        """Where the value at a path stands."""
        return self._document.place(path)

    def key(self, *path: str | int) -> Place:
        """Where the key that a path ends in stands."""
        return self._document.place_of_key(path)

    def error(self, message: str, place: Place, hint: str | None = None, also: tuple[Place, ...] = ()) -> None:
        """Note an error."""
        self.problems.append(Problem(message, place, hint, also))

    def warn(self, message: str, place: Place, hint: str | None = None) -> None:
        """Note a warning."""
        self.problems.append(Problem(message, place, hint, severity="warning"))
