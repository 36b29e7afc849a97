"""A picture as values: boxes and arrows, for views to draw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["nodes", "shard", "central", "alertmanager", "receiver"]


@dataclass(frozen=True, slots=True)
class Box:
    """Something of the topology; `layer` counts from the scraped nodes (0) to those who are told (4)."""

    key: str
    kind: Kind
    layer: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Arrow:
    """Data flows from one box to another."""

    source: str
    target: str
    label: str


@dataclass(frozen=True, slots=True)
class Graph:
    """Boxes in order of layer, and the arrows between them."""

    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
