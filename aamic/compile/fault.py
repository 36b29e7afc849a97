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
    value: Any
    wanted: Node
    schema: Schema
    data: Any

    @property
    def subject(self) -> str:
        """The path as a person writes it, in backticks."""
        return dotted(self.path)

    @property
    def is_secret(self) -> bool:
        """Whether the value is, or stands below, a reference to a secret."""
        return self.schema.is_secret(self.path, self.data)

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
    path, of_key = _path(error["loc"], data, has_absent_key=error["type"] == "missing")
    value = at(data, path)
    wanted = schema.at(path, data) or {}
    if of_key:
        value = path[-1]
        parent = schema.alternatives(schema.at(path[:-1], data) or {})
        wanted = next((node["propertyNames"] for node in parent if "propertyNames" in node), {"type": "string"})
    return Fault(error["type"], path, of_key, value, wanted, schema, data)


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


def _path(loc: tuple[str | int, ...], data: Any, *, has_absent_key: bool) -> tuple[Path, bool]:
    """The path in the document that a path in the model leads to: without tags of unions and marks of keys."""
    path: list[str | int] = []
    steps = loc[:-1] if has_absent_key else loc
    for step in steps:
        if isinstance(step, int) if isinstance(data, list) else isinstance(data, dict) and step in data:
            path.append(step)
            data = data[step]
    if has_absent_key:
        path.append(loc[-1])
    return tuple(path), loc[-1:] == ("[key]",)
