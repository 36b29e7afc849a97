"""Nodes that take no jobs, as metrics: bounded, counted whole, and readable whatever stands in the reasons."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aamic.agent.health import drainout, exposition, textfile
from aamic.agent.health.policy import Node
from tests.exposition import read

TEXT = st.text(st.characters(codec="utf-8"), max_size=300)
STATES = ("IDLE", "ALLOCATED", "MIXED", "DOWN", "ERROR", "UNKNOWN", "FUTURE")
FLAGS = st.frozensets(st.sampled_from(("DRAIN", "FAIL", "COMPLETING", "POWERED_DOWN", "MAINTENANCE")))
NODES = st.dictionaries(
    st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True),
    st.builds(Node, st.sampled_from(STATES), FLAGS, TEXT, st.none() | st.integers(0, 2**33).map(float), TEXT),
    max_size=12,
)
HOSTILE = Node("IDLE", frozenset({"DRAIN"}), 'a"b\\c\nd} 1\n# HELP é {x="y"} 2', 5.0, 'ev"il\n')


@given(NODES)
def test_every_node_out_of_service_is_counted_and_shown_whatever_its_reason(nodes: dict[str, Node]) -> None:
    out = {name for name, node in nodes.items() if drainout.out_of_service(node)}

    found = exposition.read(textfile.exposition(drainout.families(nodes, ())))

    shown = [each for each in found.samples if each.name == "aamic_slurm_out_of_service_timestamp_seconds"]
    counted = [each for each in found.samples if each.name == "aamic_slurm_nodes_out_of_service"]
    assert found.bad == 0
    assert sorted(each.labels["slurm_node"] for each in shown) == sorted(out)
    assert sum(each.value for each in counted) == len(out)
    assert [len(each.labels["reason"]) > 100 or len(each.labels["user"]) > 32 for each in shown] == [False] * len(out)
    assert all(value.isascii() and value.isprintable() for each in shown for value in each.labels.values())


def test_the_real_promtool_reads_a_hostile_reason() -> None:
    found = read(textfile.exposition(drainout.families({"n1": HOSTILE}, ())).decode())

    (series,) = found.named("aamic_slurm_out_of_service_timestamp_seconds")
    assert (series.labels["reason"], series.labels["user"], series.value) == (
        "a'b\\\\c d} 1 # HELP ? {x='y'} 2", "ev'il", 5.0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("state", "flags", "expected"),
    [
        ("IDLE", {"DRAIN"}, "drained"),
        ("MIXED", {"DRAIN"}, "draining"),
        ("IDLE", {"DRAIN", "COMPLETING"}, "draining"),
        ("DOWN", {"DRAIN"}, "drained"),
        ("DOWN", set(), "down"),
        ("IDLE", {"FAIL"}, "fail"),
        ("IDLE", {"CLOUD", "POWERED_DOWN"}, ""),
        ("IDLE", {"MAINTENANCE"}, ""),
        ("ALLOCATED", set(), ""),
    ],
)
def test_what_takes_no_jobs(state: str, flags: set[str], expected: str) -> None:
    assert drainout.out_of_service(Node(state, frozenset(flags), "", None)) == expected


def test_of_too_many_ours_are_shown_and_all_are_counted() -> None:
    drained = frozenset({"DRAIN"})
    nodes = {f"n{number}": Node("IDLE", drained, "flood", 1.0, "root") for number in range(2000)}
    nodes["n1999"] = Node("IDLE", drained, "aamic: fatal error on GPU 3", 1.0, "root")

    counts, shown = drainout.families(nodes, ("n1998",))

    assert [(labels["by"], value) for labels, value in counts.samples] == [("aamic", 2.0), ("others", 1998.0)]
    assert [labels["slurm_node"] for labels, _ in shown.samples][:4] == ["n1998", "n1999", "n0", "n1"]
    assert len(shown.samples) == drainout.MOST


def test_what_slurm_does_not_say_is_zero_or_empty() -> None:
    _, shown = drainout.families({"n1": Node("DOWN", frozenset(), "", None)}, ())

    assert shown.samples == [
        ({"slurm_node": "n1", "state": "down", "by": "others", "user": "", "reason": ""}, 0.0),
    ]  # fmt: skip
