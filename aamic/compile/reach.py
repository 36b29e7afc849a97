"""What a rule sees from where it runs: a shard its own nodes only, central each series of a pair twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aamic.compile.matching import Note
from aamic.compile.vectors import OWN_JOBS, Vector

_OF_A_NODE: Final = frozenset({"node", "instance", "gpu", "gpu_id", "gpu_uuid", "UUID"})
"""Labels of which a shard has all series, or whose values it alone has."""
_COUNTS_TWICE: Final = frozenset({"sum", "count", "avg", "count_values", "topk", "bottomk"})
_SHARD: Final = "each shard sees only its own nodes"


@dataclass(frozen=True, slots=True)
class ShardReach:
    """A rule that runs on each of several shards."""

    whole_racks: bool

    def absent(self, name: str, vector: Vector, note: Note) -> None:
        """Note that series of another shard's nodes are absent here."""
        if _is_scraped(vector):
            note(f"`{name}()` at `scope: shard`: {_SHARD}, and misses all others", "set `scope: central`", "warning")

    def aggregate(self, operator: str, vector: Vector, result: Vector, note: Note) -> None:
        """Note that an aggregate of all nodes is one of the shard's nodes."""
        local = _OF_A_NODE | {"rack"} if self.whole_racks else _OF_A_NODE
        if result.labels is None or result.labels & local or not _of_nodes(vector):
            return
        if vector.labels is None or vector.labels & local:
            note(
                f"`{operator}` over all nodes at `scope: shard`: {_SHARD}",
                "set `scope: central`, or keep `node` with `by (...)`",
                "warning",
            )


@dataclass(frozen=True, slots=True)
class CentralReach:
    """A rule of central, where both servers of a pair may give the same series."""

    def absent(self, name: str, vector: Vector, note: Note) -> None:
        """Nothing: central sees all shards."""

    def aggregate(self, operator: str, vector: Vector, result: Vector, note: Note) -> None:
        """Note that series of both servers of a pair are added up."""
        twice = operator in _COUNTS_TWICE and "replica" in vector.several
        if twice and (operator in {"topk", "bottomk"} or result.lacks("replica")):
            note(
                f"`{operator}` counts both servers of a pair: they give central the same series",
                "take one of the two first, with `max without (replica) (...)`",
                "warning",
            )


def _of_nodes(vector: Vector) -> bool:
    """Whether its series come from several nodes, and not from the servers themselves."""
    nodes = vector.values.get("node")
    return _is_scraped(vector) and (nodes is None or len(nodes) > 1)


def _is_scraped(vector: Vector) -> bool:
    if vector.sources is None:
        return vector.labels is not None
    return not vector.sources <= OWN_JOBS
