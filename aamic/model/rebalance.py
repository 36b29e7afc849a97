"""How nodes are spread over shards, what another distribution would move, and whether that is worth it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

CheckState = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Move:
    """Nodes that `source` scrapes before and `target` after; both are names of servers."""

    source: str
    target: str
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Folder:
    """A data folder of a server on a host, with how long the server keeps samples in it."""

    server: str
    host: str
    path: str
    retention: str


@dataclass(frozen=True, slots=True)
class Transition:
    """What becomes of nodes and their history from one distribution to another.

    `kept` are folders in which servers go on that lose nodes; `left` are those that no server of the site reads
    afterwards. `series` are predicted ones of the moved nodes, `history` seconds that the longest of their old servers
    keeps samples. A server that takes another host or folder begins anew: it stands in `anew`, and its nodes count as
    moved. `split` are racks that one server scrapes before and several after.
    """

    moves: tuple[Move, ...]
    anew: tuple[str, ...]
    kept: tuple[Folder, ...]
    left: tuple[Folder, ...]
    nodes: int
    series: int
    history: float
    split: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Balance:
    """How evenly shards are filled.

    `series` are the predicted series of each shard, `measured` those in its memory, None where it did not say; it is
    None where nobody was asked. Of a candidate, `measured` is what its nodes bring along. `memory` is the greatest part
    of a host's RAM that its servers are predicted to need, on `host`; None where the site does not say what the hosts
    have.
    """

    series: Mapping[str, int]
    memory: float | None
    host: str = ""
    measured: Mapping[str, int | None] | None = None

    @property
    def fullest(self) -> str:
        """The shard with the most predicted series, the first of equals."""
        return max(self.series, key=lambda name: self.series[name])

    @property
    def peak(self) -> int:
        """Predicted series of the fullest shard."""
        return self.series[self.fullest]

    @property
    def imbalance(self) -> float:
        """The fullest shard, as a multiple of the average."""
        return self.peak * len(self.series) / sum(self.series.values())

    @property
    def seen(self) -> Mapping[str, int] | None:
        """The measured series of each shard; None unless every shard said how many it has."""
        known = {name: count for name, count in (self.measured or {}).items() if count is not None}
        return known if known and known.keys() == self.series.keys() and any(known.values()) else None

    @property
    def measured_imbalance(self) -> float | None:
        """The imbalance in measured series; None unless every shard said how many it has."""
        seen = self.seen
        return None if seen is None else max(seen.values()) * len(seen) / sum(seen.values())

    @property
    def load(self) -> Mapping[str, int]:
        """What decides: measured series where every shard said how many it has, else predicted ones."""
        return self.seen or self.series


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a change is worth what it moves, and why."""

    worth: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """Another distribution: by what nodes are placed, and on how many shards.

    `fault` says why there is no such distribution; then the others are None.
    """

    by: str
    shards: int
    balance: Balance | None = None
    transition: Transition | None = None
    verdict: Verdict | None = None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at in a federation; `details` say what is wrong, or what was found."""

    name: str
    state: CheckState
    details: tuple[str, ...] = ()
    hint: str | None = None
