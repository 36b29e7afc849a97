"""Whether the managed files of each node are still those that were applied, as Prometheus knows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

State = Literal["in sync", "drifted", "pending", "unchecked", "unknown"]
STATES: Final[tuple[State, ...]] = ("in sync", "drifted", "pending", "unchecked", "unknown")
"""All states, best known first. Only `in sync` is good.

in sync: a check of the last hour found every file as it was applied.
drifted: such a check found files that differ.
pending: a change is under way, or was not confirmed yet.
unchecked: there was a check, but it failed or is older than an hour.
unknown: there is no series: nothing was ever applied, or the node is not scraped.
"""


@dataclass(frozen=True, slots=True)
class Group:
    """Nodes in one state, in the site's order; `files` is how many differ on each of them; `hostlist` folds them."""

    state: State
    files: int
    nodes: tuple[str, ...]
    hostlist: str


@dataclass(frozen=True, slots=True)
class Drift:
    """Every node of a cluster in exactly one group; groups in order of `STATES`, most files first.

    `heard` is whether there was a series of any node at all.
    """

    cluster: str
    groups: tuple[Group, ...]
    heard: bool

    @property
    def in_sync(self) -> bool:
        """Whether every node is in sync; what is not known is not."""
        return all(group.state == "in sync" for group in self.groups)

    def nodes(self, state: State) -> tuple[str, ...]:
        """The nodes in a state, in order of their groups."""
        return tuple(name for group in self.groups if group.state == state for name in group.nodes)
