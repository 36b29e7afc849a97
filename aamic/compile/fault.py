"""Pydantic's errors brought home to the document: which value each is about, and what should stand there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from aamic.compile.expected import Node, Path, Schema, at
from aamic.compile.suggest import closest
from aamic.compile.text import shown

_PLAIN_KEY: Final = re.compile("[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Fault:
    """One error of pydantic, brought home to the document: where, what stands there, what should.

    `error` is pydantic's name of it. `of_key` means that the key itself is wrong, not its value.
    """

    error: str
    path: Path
    of_key: bool
    data: Any
    schema: Schema

    @property
    def value(self) -> Any:
        """What stands there: the key itself if `of_key`, None if the key is missing."""
        return self.path[-1] if self.of_key else at(self.data, self.path)

    @property
    def wanted(self) -> Node:
        """What the schema says of it."""
        if not self.of_key:
            return self.schema.at(self.path, self.data) or {}
        parents = self.schema.alternatives(self.schema.at(self.path[:-1], self.data) or {})
        return next((node["propertyNames"] for node in parents if "propertyNames" in node), {})

    @property
    def subject(self) -> str:
        """The path as a person writes it, in backticks."""
        return dotted(self.path)

    @property
    def is_secret(self) -> bool:
        """Whether the value is, or stands below, a reference to a secret."""
        return self.schema.is_secret(self.path, self.data)

    @property
    def is_near_secret(self) -> bool:
        """Whether the mapping that the path ends in is one where a secret belongs, or a mapping of such."""
        return self.schema.holds_secret(self.path[:-1], self.data)

    @property
    def mapping(self) -> Any:
        """The mapping whose key the path ends in."""
        return at(self.data, self.path[:-1])

    @property
    def siblings(self) -> list[str]:
        """The keys that this mapping may have."""
        parent = self.schema.at(self.path[:-1], self.data) or {}
        return list(self.schema.keys(parent, self.mapping))

    @property
    def meant(self) -> str | None:
        """The key that was probably meant by an unknown one."""
        return _closest(str(self.path[-1]), tuple(self.siblings))

    @property
    def kinds(self) -> list[Node]:
        """What the schema lets the value be."""
        return self.schema.alternatives(self.wanted)

    def kind(self, name: str) -> Node:
        """The one of `kinds` that has this JSON type, or an empty schema."""
        return next((node for node in self.kinds if node.get("type") == name), {})


def fault(error: Mapping[str, Any], data: Any, schema: Schema) -> Fault:
    """Find the value that an error of pydantic is about."""
    is_missing = error["type"] == "missing"
    path = _path(error["loc"][:-1] if is_missing else error["loc"], data)
    if is_missing:
        path = (*path, error["loc"][-1])
    return Fault(error["type"], path, error["loc"][-1:] == ("[key]",), data, schema)


@lru_cache(maxsize=1000)
def _closest(key: str, known: tuple[str, ...]) -> str | None:
    """As `closest`; the same slip often stands in thousands of nodes."""
    return closest(key, known)


def dotted(path: Path) -> str:
    """A path as a person writes it, in backticks.

    >>> dotted(("nodes", "mon-[02-04]", "reserved_ports", 0))
    '`nodes["mon-[02-04]"].reserved_ports[0]`'
    """
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _PLAIN_KEY.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += f'["{shown(step)[1:-1]}"]'
    return f"`{text}`"


def _path(loc: tuple[str | int, ...], data: Any) -> Path:
    """The path in the document that a path in the model leads to: without tags of unions and marks of keys."""
    path: list[str | int] = []
    for step in loc:
        if isinstance(step, int) if isinstance(data, list) else isinstance(data, dict) and step in data:
            path.append(step)
            data = data[step]
    return tuple(path)
