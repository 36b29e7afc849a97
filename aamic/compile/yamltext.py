"""A YAML file as plain values, and where each of them stands.

PyYAML's own constructors read YAML 1.1, keep the last of two equal keys, build any tag and follow
aliases without end, so only its parser is used here. A file is read without places first, which
is what a correct one needs; once more with places if something is wrong, or when a later stage
asks for a place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from aamic.compile.collector import collector_paused
from aamic.compile.text import decode
from aamic.compile.yamlfault import place_of
from aamic.compile.yamlreader import Converter, FaultFoundError
from aamic.errors import InputError, Place, Problem

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True)
class YamlFile:
    """One file. If it has problems, `data` is what could be read nevertheless; all but single values if `whole`."""

    name: str
    text: str = field(repr=False)
    data: dict[str, Any]
    problems: tuple[Problem, ...] = ()
    whole: bool = True

    def place(self, path: KeyPath) -> Place:
        """Return where the value at `path` stands, or its nearest ancestor if there is none."""
        return self._places(path)[1]

    def place_of_key(self, path: KeyPath) -> Place:
        """Return where the last key of `path` stands, or what `place` returns if there is none."""
        return self._places(path)[0 if self.depth(path) == len(path) else 1]

    def depth(self, path: KeyPath) -> int:
        """Return how many steps of `path` exist in this file."""
        node: Any = self.data
        for done, step in enumerate(path):
            known = range(len(node)) if isinstance(node, list) else node if isinstance(node, dict) else ()
            if step not in known:
                return done
            node = node[step]
        return len(path)

    def _places(self, path: KeyPath) -> tuple[Place, Place]:
        """Return the places of the key and the value that the existing part of `path` leads to."""
        node = self._located
        key = value = getattr(node, "start", None)
        for step in path[: self.depth(path)]:
            key, value = node.at[step]
            node = node[step]
        return place_of(key, self.name), place_of(value, self.name)

    @cached_property
    @collector_paused()
    def _located(self) -> Any:
        return Converter(self.text, self.name, placed=True).run().root


def read_yaml(data: bytes, name: str, *, if_empty: str) -> YamlFile:
    """Return what a file says, and everything that is wrong with it; `if_empty` is the hint for an empty one."""
    try:
        text = decode(data, name)
    except InputError as error:
        return YamlFile(name, "", {}, error.problems, whole=False)
    converter = _convert(text, name)
    problems, root = converter.problems, converter.root
    if not problems and not isinstance(root, dict):
        problems = [_no_mapping(root, name, if_empty)]
    whole = converter.whole and isinstance(root, dict)
    return YamlFile(name, text, root if isinstance(root, dict) else {}, tuple(problems), whole)


def _convert(text: str, name: str) -> Converter:
    try:
        return Converter(text, name, placed=False).run()
    except FaultFoundError:
        return Converter(text, name, placed=True).run()


def _no_mapping(root: Any, name: str, if_empty: str) -> Problem:
    if root is None:
        return Problem(f"`{name}` is empty", Place(name, 1), if_empty)
    kind = "a list" if isinstance(root, list) else "a single value"
    return Problem(f"`{name}` holds {kind} instead of keys", Place(name, 1), "begin with `key: value` lines")


def read_value(data: bytes, name: str) -> Any:
    """The value of any YAML or JSON text, also one that nobody vouches for.

    Raises:
        ValueError: It cannot be read as a whole, or means too much.
    """
    try:
        file = _convert(decode(data, name), name)
    except InputError as error:
        raise ValueError(str(error)) from error
    if file.problems or not file.whole:
        raise ValueError(file.problems[0].message if file.problems else f"`{name}` is not whole")
    return file.root
