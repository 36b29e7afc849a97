"""What shards are predicted to carry, as the page of the servers has it: bounded, close, and parsed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aamic.catalog import promql
from aamic.catalog.dashboards import federation
from aamic.catalog.dashboards.ground import Ground
from aamic.model.dashboard import Dashboard

FEDERATED = frozenset({"federation"})
LOADS = st.dictionaries(st.from_regex(r"[a-z]{1,6}-[0-9]{1,3}", fullmatch=True), st.integers(800, 10**8), max_size=200)


def page(predicted: dict[str, int], features: frozenset[str] = FEDERATED) -> Dashboard:
    return federation.build(Ground("c", 3, (), (), features, predicted=predicted))


def predicted_query(found: Dashboard) -> str:
    (panel,) = (each for each in found.panels if each.title == "Series, and their prediction")
    return panel.queries[1].expr


@given(LOADS)
def test_every_prediction_is_there_once_and_nearly_right(predicted: dict[str, int]) -> None:
    groups = federation.rounded(predicted)

    assert sorted(name for names in groups.values() for name in names) == sorted(predicted)
    assert [name for value, names in groups.items() for name in names if abs(value / predicted[name] - 1) > 0.5] == []
    assert len(groups) <= max(federation.GROUPS, 9 * 6)


@given(LOADS.filter(bool))
def test_its_query_is_one_that_prometheus_reads(predicted: dict[str, int]) -> None:
    promql.parse(predicted_query(page(predicted)).replace("$", ""))


def test_shards_of_one_load_share_a_part_and_one_more_node_changes_nothing() -> None:
    loads = {f"shard-{number}": 812_300 + number for number in range(1, 4)}

    query = predicted_query(page(loads))

    assert query.count(" or ") == 0
    assert 'shard=~"(shard-1|shard-2|shard-3)"' in query
    assert query.endswith("* 0 + 812000)")
    assert query == predicted_query(page({name: series + 90 for name, series in loads.items()}))


def test_a_single_server_is_held_against_its_own() -> None:
    query = predicted_query(page({"prometheus": 5_678}, frozenset()))

    assert query == '(max by (cluster) (up{job="prometheus",cluster=~"$cluster"}) * 0 + 5680)'


def test_without_a_prediction_there_is_no_such_panel() -> None:
    assert [each.title for each in page({}).panels if "prediction" in each.title] == []
