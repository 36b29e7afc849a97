"""What may be done to nodes of Slurm by hand: whose drain it is decides. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from aamic.model.slurm import SlurmNode

OURS: Final = "aamic: "
"""Every reason that aamic gives begins so."""

Outcome = Literal["do", "nothing", "refused"]


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done to a node, or why not; `reason` is the one to set, '' where none is."""

    node: SlurmNode
    outcome: Outcome
    message: str
    reason: str = ""


def is_ours(node: SlurmNode) -> bool:
    """Whether a node's reason is one that aamic gave."""
    return node.reason.startswith(OURS.strip())


def drain_step(node: SlurmNode, reason: str) -> Step:
    """How a node is drained for a reason; never over the reason of somebody else."""
    whole = reason if reason.startswith(OURS) else f"{OURS}{reason}"
    if node.reason and not is_ours(node) and (node.drained or "DOWN" in {node.state, *node.flags}):
        return Step(node, "refused", f"it is {condition(node)}; that reason would be lost")
    if node.drained and not node.reason:
        return Step(node, "refused", "somebody else drained it, and gave no reason")
    if node.drained and node.reason == whole:
        return Step(node, "nothing", f"it is {condition(node)} already")
    return Step(node, "do", f"it was {condition(node)}", whole)


def resume_step(node: SlurmNode, *, force: bool) -> Step:
    """How a node is given back to jobs: only what aamic drained, unless it is forced."""
    if not node.drained:
        return Step(node, "nothing", f"it is not drained but {condition(node)}")
    if not is_ours(node) and not force:
        return Step(node, "refused", f"it is {condition(node)}, not by aamic")
    return Step(node, "do", f"it was {condition(node)}")


def condition(node: SlurmNode) -> str:
    """The state of a node in words, with its reason and whose that is.

    >>> condition(SlurmNode("n1", "IDLE", ("DRAIN",), "bad fan", "kim", None, 8, ()))
    'IDLE+DRAIN by kim: bad fan'
    """
    state = "+".join((node.state, *node.flags))
    by = f" by {node.reason_by}" if node.reason_by and node.reason else ""
    return f"{state}{by}: {node.reason}" if node.reason else state
