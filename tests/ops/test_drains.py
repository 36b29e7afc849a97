from __future__ import annotations

import pytest

from aamic.model.slurm import SlurmNode
from aamic.ops.drains import drain_step, is_ours, resume_step


def node(state: str, reason: str = "", by: str = "root") -> SlurmNode:
    base, *flags = state.split("+")
    return SlurmNode("n1", base, tuple(flags), reason, by, 1.0, 8, ("main",))


@pytest.mark.parametrize(
    ("before", "outcome", "reason"),
    [
        (node("IDLE"), "do", "aamic: hot"),
        (node("MIXED", "left over"), "do", "aamic: hot"),
        (node("IDLE+DRAIN", "aamic: cold"), "do", "aamic: hot"),
        (node("IDLE+DRAIN", "aamic: hot"), "nothing", ""),
        (node("IDLE+DRAIN", "bad fan"), "refused", ""),
        (node("IDLE+DRAIN"), "refused", ""),
        (node("DOWN", "Not responding"), "refused", ""),
        (node("DOWN"), "do", "aamic: hot"),
    ],
)
def test_a_drain_never_overwrites_what_somebody_else_said(before: SlurmNode, outcome: str, reason: str) -> None:
    step = drain_step(before, "hot")

    assert (step.outcome, step.reason) == (outcome, reason)


@pytest.mark.parametrize(
    ("before", "outcome", "forced"),
    [
        (node("IDLE"), "nothing", "nothing"),
        (node("IDLE+DRAIN", "aamic: hot"), "do", "do"),
        (node("IDLE+DRAIN", "bad fan"), "refused", "do"),
        (node("IDLE+DRAIN"), "refused", "do"),
        (node("IDLE+DRAIN", "not aamic: hot"), "refused", "do"),
    ],
)
def test_only_our_own_drains_end_unless_it_is_forced(before: SlurmNode, outcome: str, forced: str) -> None:
    assert resume_step(before, force=False).outcome == outcome
    assert resume_step(before, force=True).outcome == forced


def test_a_reason_is_ours_by_its_beginning_alone() -> None:
    assert is_ours(node("IDLE+DRAIN", "aamic: x"))
    assert not is_ours(node("IDLE+DRAIN", "see aamic: x"))
