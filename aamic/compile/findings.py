"""Collects what is wrong with a site while it is resolved, so that every problem is told at once."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, Protocol

from aamic.errors import Place, Problem

Path = tuple[str | int, ...]
_OF_A_RACK: Final = 2
_OF_A_SHARD: Final = 3
_CROWD: Final = 50


class Places(Protocol):
    """Where values stand in the files: the part of a Document that findings need."""

    def place(self, path: Path) -> Place:
        """The place of the value at a path, or of its nearest ancestor."""
        ...

    def place_of_key(self, path: Path) -> Place:
        """The place of the key that the path ends in."""
        ...


class Findings:
    """Problems in the order found.

    `pruned` are paths that validation dropped, about which nothing is concluded. Where the text was not `sound`,
    nothing is concluded from a value that is missing.
    """

    def __init__(self, document: Places, pruned: Collection[Path] = (), *, sound: bool = True) -> None:
        self._document = document
        self._pruned = frozenset(pruned)
        self.sound = sound
        self.problems: list[Problem] = []

    @property
    def failed(self) -> bool:
        """Whether an error, not only a warning, was found."""
        return any(problem.severity == "error" for problem in self.problems)

    @property
    def crowded(self) -> bool:
        """Whether so many problems are known that a hint which compares many names is no longer worth its time."""
        return len(self.problems) >= _CROWD

    def may_lack(self, *path: str | int) -> bool:
        """Whether the value at a path, or one that holds it, may have been written and then dropped."""
        return not self.sound or any(path[: len(pruned)] == pruned for pruned in self._pruned)

    def may_lack_part(self, *path: str | int) -> bool:
        """Whether the value at a path, or a part of it, may have been written and then dropped."""
        return self.may_lack(*path) or any(pruned[: len(path)] == path for pruned in self._pruned)

    def lost_claims(self) -> bool:
        """Whether listed shards may claim nodes that later checks do not see."""
        return not self.sound or any(
            path[:2] == ("federation", "shards")
            and (len(path) <= _OF_A_SHARD or path[_OF_A_SHARD] in {"nodes", "racks"})
            for path in self._pruned
        )

    def lost_nodes(self) -> bool:
        """Whether nodes may have been written that later checks do not see."""
        return not self.sound or any(
            path[0] in {"include", "inventory"}
            or (path[0] in {"racks", "nodes"} and (len(path) <= _OF_A_RACK or path[_OF_A_RACK] == "nodes"))
            for path in self._pruned
        )

    def is_written(self, *path: str | int) -> bool:
        """Whether anything of a path below the top stands in the files; else its place is that of the whole site."""
        return self._document.place(path) != self._document.place(())

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
