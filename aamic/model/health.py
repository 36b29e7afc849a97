"""What is thought of every GPU, node and rack of a cluster, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

State = Literal["ok", "warn", "unknown", "fail"]
STATES: Final[tuple[State, ...]] = ("ok", "warn", "unknown", "fail")
"""From good to bad."""


@dataclass(frozen=True, slots=True)
class Component:
    """One thing that was looked at; `level` is a state, or `unmeasured`. Bounds are None where none is crossed."""

    name: str
    level: str
    value: float | None
    warn: float | None
    fail: float | None
    message: str


@dataclass(frozen=True, slots=True)
class GpuHealth:
    """One GPU that reports; `score` is from 0 to 100, None where it is not known."""

    gpu: str
    uuid: str
    verdict: State
    score: int | None
    reason: str
    components: tuple[Component, ...] = ()


@dataclass(frozen=True, slots=True)
class NodeHealth:
    """A node with GPUs, never better than the worst of them; `expected` is how many the inventory gives it."""

    name: str
    rack: str | None
    verdict: State
    score: int | None
    reason: str
    expected: int
    gpus: tuple[GpuHealth, ...] = ()
    components: tuple[Component, ...] = ()


@dataclass(frozen=True, slots=True)
class GroupHealth:
    """A rack, or nodes that are in none: how many nodes are in each state.

    The verdict is that of the worst node. The score is the mean of the nodes', rounded down, in which one that is not
    known counts as 0; None where none is known.
    """

    name: str | None
    verdict: State
    score: int | None
    counts: tuple[tuple[State, int], ...]

    @property
    def nodes(self) -> int:
        """How many there are."""
        return sum(count for _, count in self.counts)

    def count(self, state: State) -> int:
        """How many are in a state."""
        return dict(self.counts)[state]


@dataclass(frozen=True, slots=True)
class Silence:
    """Why something is not known of these nodes: what a server said, with its URL. `lost` if nobody else knew it."""

    message: str
    nodes: tuple[str, ...]
    lost: bool


@dataclass(frozen=True)
class Health:
    """The nodes that were asked for, in the site's order; `at` is in seconds since 1970.

    `without` have no GPUs and count nowhere. `answered` is whether any server did.
    """

    cluster: str
    at: float
    nodes: tuple[NodeHealth, ...]
    without: tuple[str, ...] = ()
    silences: tuple[Silence, ...] = ()
    answered: bool = True

    @cached_property
    def whole(self) -> GroupHealth:
        """All of them together."""
        return group(self.cluster, self.nodes)

    @cached_property
    def racks(self) -> tuple[GroupHealth, ...]:
        """Their racks, in the site's order."""
        found: dict[str | None, list[NodeHealth]] = {}
        for node in self.nodes:
            found.setdefault(node.rack, []).append(node)
        return tuple(group(name, nodes) for name, nodes in found.items())


def group(name: str | None, nodes: Sequence[NodeHealth]) -> GroupHealth:
    """What is thought of nodes together.

    >>> nodes = [NodeHealth("a", None, "ok", 100, "", 8), NodeHealth("b", None, "unknown", None, "", 8)]
    >>> group("r1", nodes).verdict, group("r1", nodes).score
    ('unknown', 50)
    """
    counts: dict[State, int] = dict.fromkeys(STATES, 0)
    for node in nodes:
        counts[node.verdict] += 1
    return GroupHealth(name, worst(node.verdict for node in nodes), _mean(nodes), tuple(counts.items()))


def _mean(nodes: Sequence[NodeHealth]) -> int | None:
    if all(node.score is None for node in nodes):
        return None
    return sum(node.score or 0 for node in nodes) // len(nodes)


def worst(verdicts: Iterable[State]) -> State:
    """The worst of them; nothing at all is not known."""
    return max(verdicts, key=STATES.index, default="unknown")
