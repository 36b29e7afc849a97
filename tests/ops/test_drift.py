from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aamic.catalog import promql
from aamic.clients.base import Sample
from aamic.compile.resolve import AGGREGATES
from aamic.model.drift import Drift, Group
from aamic.ops.drift import classify, query


def samples(**values: float) -> list[Sample]:
    return [Sample({"node": node}, value) for node, value in values.items()]


def test_nodes_are_grouped_by_what_is_known_of_them() -> None:
    found = classify("c", ["a1", "a2", "b", "c", "d", "e", "f"], samples(a1=0, a2=0, b=1, c=12, d=-1, e=-2))

    assert found == Drift(
        "c",
        (
            Group("in sync", 0, ("a1", "a2"), "a[1-2]"),
            Group("drifted", 12, ("c",), "c"),
            Group("drifted", 1, ("b",), "b"),
            Group("pending", 0, ("d",), "d"),
            Group("unchecked", 0, ("e",), "e"),
            Group("unknown", 0, ("f",), "f"),
        ),
        heard=True,
    )
    assert not found.in_sync


def test_nothing_heard_is_nothing_in_sync() -> None:
    found = classify("c", ["a"], samples(other=0))

    assert (found.heard, found.in_sync, found.nodes("unknown")) == (False, False, ("a",))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -3.0])
def test_a_value_that_no_rule_gives_is_no_good_news(value: float) -> None:
    assert classify("c", ["a"], samples(a=value)).nodes("unchecked") == ("a",)


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.floats()), st.lists(st.sampled_from("abcdefgh"), unique=True))
def test_every_node_is_in_exactly_one_group(values: dict[str, float], nodes: list[str]) -> None:
    found = classify("c", nodes, samples(**values))

    assert sorted(name for group in found.groups for name in group.nodes) == sorted(nodes)
    assert set(found.nodes("in sync")) == {name for name in nodes if values.get(name) == 0}


def test_the_query_reads_what_central_is_given() -> None:
    read = {promql.exact_name(each) or "" for each in promql.selectors(promql.parse(query("c")))}

    assert read == {"node:aamic_apply_pending", "node:aamic_drifted_files:count"}
    assert promql.federated(AGGREGATES, read) == read


def test_a_cluster_is_quoted() -> None:
    found = promql.selectors(promql.parse(query('a"} or up{x="')))

    assert {promql.exact_name(each) for each in found} == {"node:aamic_apply_pending", "node:aamic_drifted_files:count"}
