"""Which nodes take no jobs, and why, as metrics for people; bounded, whatever stands in the reasons. Pure."""

from typing import Collection, Dict, List, Mapping

from .drainwords import OURS, line, natural
from .policy import Node, drained
from .textfile import Family

MOST = 1000
"""Nodes that are shown one by one: ours first. All of them are counted."""
REASON_LIMIT = 100
USER_LIMIT = 32
_BUSY = frozenset(("ALLOCATED", "MIXED", "COMPLETING"))
_BROKEN = {"DOWN": "down", "ERROR": "error", "UNKNOWN": "unknown"}


def families(nodes: Mapping[str, Node], ours: Collection[str]) -> List[Family]:
    """Return how many nodes take no jobs, and of each since when, by whom and for what reason."""
    states = {name: out_of_service(node) for name, node in nodes.items()}
    out = sorted((name for name, state in states.items() if state), key=natural)
    by = {name: _by(name, nodes[name], ours) for name in out}
    counts = [({"by": who}, float(sum(each == who for each in by.values()))) for who in ("aamic", "others")]
    shown = sorted(out, key=lambda name: by[name] != "aamic")[:MOST]
    return [
        Family("aamic_slurm_nodes_out_of_service", "gauge", "Nodes of Slurm that take no jobs.", counts),
        Family(
            "aamic_slurm_out_of_service_timestamp_seconds", "gauge",
            "When a node of Slurm that takes no jobs was given its reason; 0 where Slurm does not say.",
            [(_labels(name, nodes[name], states[name], by[name]), nodes[name].reason_at or 0.0) for name in shown],
        ),
    ]  # fmt: skip


def out_of_service(node: Node) -> str:
    """Return the state of a node that takes no jobs, as sinfo calls it; '' of all others.

    >>> out_of_service(Node("MIXED", frozenset(("DRAIN",)), "", None))
    'draining'

    One that was powered down, or is in maintenance, comes back by itself and is none.
    """
    if drained(node):
        return "draining" if node.state in _BUSY or "COMPLETING" in node.flags else "drained"
    if "FAIL" in node.flags:
        return "fail"
    return _BROKEN.get(node.state, "")


def _by(name: str, node: Node, ours: Collection[str]) -> str:
    return "aamic" if name in ours or (drained(node) and node.reason.startswith(OURS)) else "others"


def _labels(name: str, node: Node, state: str, by: str) -> Dict[str, str]:
    return {
        "slurm_node": name,
        "state": state,
        "by": by,
        "user": line(node.reason_by, USER_LIMIT),
        "reason": line(node.reason, REASON_LIMIT),
    }
