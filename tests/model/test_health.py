"""Laws of what is thought of nodes together."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from aamic.model.health import STATES, GroupHealth, Health, NodeHealth, State, group

BAD = STATES.index
SCORES: dict[State, st.SearchStrategy[int | None]] = {
    "ok": st.integers(51, 100),
    "warn": st.integers(1, 50),
    "unknown": st.none(),
    "fail": st.just(0),
}
RACKS = st.sampled_from(["r1", "r2", None])
NODES = st.lists(
    st.sampled_from(STATES).flatmap(
        lambda state: st.builds(NodeHealth, st.just("n"), RACKS, st.just(state), SCORES[state], st.just(""), st.just(8))
    ),
    min_size=1,
    max_size=9,
)


def lost(node: NodeHealth) -> NodeHealth:
    return replace(node, verdict="unknown", score=None)


def points(of: GroupHealth) -> int:
    return of.score or 0


@given(NODES, st.data())
def test_losing_data_never_raises_a_score_nor_makes_anything_ok(nodes: list[NodeHealth], data: st.DataObject) -> None:
    gone = data.draw(st.integers(0, len(nodes) - 1))
    after = [lost(node) if number == gone else node for number, node in enumerate(nodes)]
    less, more = group("r", after), group("r", nodes)

    assert points(less) <= points(more)
    assert less.verdict in {"unknown", "fail"}


@given(NODES, st.data())
def test_a_node_that_gets_worse_never_makes_the_rest_look_better(nodes: list[NodeHealth], data: st.DataObject) -> None:
    which = data.draw(st.integers(0, len(nodes) - 1))
    worse = [replace(node, verdict="fail", score=0) if number == which else node for number, node in enumerate(nodes)]

    assert points(group("r", worse)) <= points(group("r", nodes))
    assert group("r", worse).verdict == "fail"


@given(NODES, st.randoms())
def test_order_means_nothing_and_nobody_is_better_than_the_worst(nodes: list[NodeHealth], random: object) -> None:
    shuffled = list(nodes)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    found = group("r", nodes)

    assert group("r", shuffled) == found
    assert all(BAD(found.verdict) >= BAD(node.verdict) for node in nodes)
    assert found.nodes == len(nodes)
    assert (found.score == 100) == all(node.score == 100 for node in nodes)


@given(NODES)
def test_every_node_is_in_one_rack(nodes: list[NodeHealth]) -> None:
    found = Health("c", 0.0, tuple(nodes))

    assert sum(rack.nodes for rack in found.racks) == found.whole.nodes == len(nodes)
    assert found.whole.verdict == max((rack.verdict for rack in found.racks), key=BAD)


def test_nothing_at_all_is_unknown() -> None:
    assert group("r", []) == GroupHealth("r", "unknown", None, tuple((state, 0) for state in STATES))
