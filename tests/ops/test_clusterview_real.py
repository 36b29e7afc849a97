"""A look at a cluster through a real Prometheus, whose series are those that the rules record."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from aamic.clients.prometheus import Prometheus
from aamic.model.api import NodeCounts, Remote, Shard, VerdictCounts
from aamic.model.serveconfig import Inventory
from aamic.ops import clusterasked
from aamic.ops.clusterview import look, look_from_outside
from aamic.ops.selectors import quoted
from aamic.ops.undelivered import query
from tests.ops.blocks import stored
from tests.ops.clusters import (
    OWN,
    Alarm,
    Memory,
    Series,
    config,
    node,
    of_other,
    of_shard,
    other,
    sample,
    shard,
    sums,
    well,
)

NASTY = 'a"b\\c{d}|.*,e'
NODES = [node("gpu-1"), node("gpu-10"), node(NASTY, rack=NASTY), node("login1", gpus=0)]


def well_nodes() -> list[Series]:
    """The nodes, of which the last is down; each is seen by both servers of a pair, one of which is behind."""
    found: list[Series] = []
    for replica in ("a", "b"):
        found += [series for entry in NODES[:3] for series in well(entry, shard="s1", replica=replica)]
        found.append(sample("up", 0, job="node", node="login1", shard="s1", replica=replica))
    behind = {"node": "gpu-10", "rack": "r1", "shard": "s1", "replica": "b"}
    return [
        (labels, 7.0 if labels.items() >= {"__name__": "node:gpu_count", **behind}.items() else value)
        for labels, value in found
    ]


def own() -> list[Series]:
    return [
        *well_nodes(),
        *sums(3, 24),
        *of_shard("s1", "a"),
        *of_shard("s1", "b"),
    ]


def foreign() -> list[Series]:
    """Another cluster that the same server holds in full, and one that it reads."""
    twin = [({**labels, "cluster": f"{OWN}2"}, 0.0) for labels, _ in own()]
    return [*twin, *of_other("busan"), *of_other(NASTY)]


def samples(series: Iterable[Series], now: float) -> dict[str, list[tuple[float, float]]]:
    """What promtool makes blocks of; names come together, as OpenMetrics wants."""
    ordered = sorted(series, key=lambda each: each[0]["__name__"])
    return {_written(labels): [(now - ago, value) for ago in (60, 30)] for labels, value in ordered}


def _written(labels: Mapping[str, str]) -> str:
    pairs = ",".join(f"{key}={quoted(value)}" for key, value in labels.items() if key != "__name__" and value)
    return f"{labels['__name__']}{{{pairs}}}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus that holds three clusters, and reads two of them."""
    with stored(tmp_path_factory.mktemp("server"), samples([*own(), *foreign()], time.time())) as found:
        yield found


SETTINGS = config([shard("s1", "a"), shard("s1", "b"), shard("s2")], [other("busan"), other(NASTY), other("gone")])


def test_a_real_prometheus_gives_every_number_of_a_cluster_and_none_of_another(server: Prometheus) -> None:
    view = look(SETTINGS, Inventory(nodes=NODES), server, Alarm(), time.time())

    assert view.status.nodes == NodeCounts(total=4, up=3, down=1)
    assert [(each.name, each.verdict, each.gpus_present) for each in view.nodes] == [
        (NASTY, "ok", 8),
        ("gpu-1", "ok", 8),
        ("gpu-10", "ok", 8),
        ("login1", "critical", None),
    ]
    assert (view.status.score, view.status.verdicts) == (75, VerdictCounts(ok=3, critical=1))
    assert [(each.present, each.expected, each.power_watts) for each in view.status.gpus] == [(24, 24, 700)]
    assert view.status.reasons == [
        "`login1`: none of its exporters answers",
        "nothing new is known from shard `s2`",
    ]
    assert {each.labels["cluster"] for each in view.aggregates} == {OWN}
    assert len(view.aggregates) == 6


def test_a_real_prometheus_tells_of_shards_and_how_old_they_are(server: Prometheus) -> None:
    found = look(SETTINGS, Inventory(nodes=NODES), server, Alarm(), time.time()).status.shards
    ages = [each.age_seconds for each in found]

    assert [each.model_copy(update={"age_seconds": None}) for each in found] == [
        *(
            Shard(
                name="s1",
                replica=replica,
                up=True,
                nodes=2,
                targets_up=7,
                targets_down=1,
                series=900,
                predicted_series=1000,
            )
            for replica in ("a", "b")
        ),
        Shard(name="s2", up=None, nodes=2, predicted_series=1000),
    ]
    assert ages[2] is None
    assert all(age is not None and 25 < age < 180 for age in ages[:2])


def test_a_real_prometheus_tells_of_other_clusters_whatever_they_are_called(server: Prometheus) -> None:
    found = look(SETTINGS, Inventory(nodes=NODES), server, Alarm(), time.time()).status.clusters

    assert [each.state for each in found] == ["connected", "connected", "gone"]
    assert all(each.age_seconds is not None and 25 < each.age_seconds < 180 for each in found[:2])
    assert found[1].model_copy(update={"age_seconds": None}) == Remote(
        name=NASTY,
        endpoint=f"https://{NASTY}:9443",
        kind="aami",
        state="connected",
        nodes_up=50,
        nodes_down=2,
        gpus=408,
    )


def test_a_name_that_is_hostile_selects_nothing_else(server: Prometheus) -> None:
    for name in ('"} or up{cluster=~".*', 'x\\"', ".*", f"{OWN}|x"):
        view = look(config(name=name), Inventory(nodes=NODES), server, Alarm(), time.time())

        assert (view.status.nodes.up, list(view.aggregates)) == (None, [])


def test_a_real_central_server_is_understood_from_outside(server: Prometheus) -> None:
    view = look_from_outside(OWN, server, Alarm(), time.time())

    assert (view.status.cluster, view.status.verdict) == (OWN, "critical")
    assert view.status.nodes == NodeCounts(total=4, up=3, down=1)
    assert next((each.name, each.gpus_expected, each.gpus_present, each.rack) for each in view.nodes) == (
        NASTY,
        8,
        8,
        NASTY,
    )


def test_a_real_prometheus_of_several_clusters_is_not_added_up(server: Prometheus) -> None:
    view = look_from_outside("elsewhere", server, Alarm(), time.time())

    assert (view.status.verdict, view.status.nodes.total) == ("unknown", None)
    assert "`seoul`, `seoul2`" in view.status.missing[0]


def test_memory_answers_as_prometheus_does(server: Prometheus) -> None:
    memory = Memory([*own(), *foreign()])
    look(SETTINGS, Inventory(nodes=NODES), memory, Alarm(), 0)
    look_from_outside(OWN, memory, Alarm(), 0)

    for expr in dict.fromkeys(memory.asked):
        real = {_key(each.labels): each.value for each in server.query(expr)}
        ours = {_key(each.labels): each.value for each in memory.query(expr)}
        assert set(real) == set(ours), expr
        assert expr.startswith("(time()") or real == ours, expr


def _key(labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((key, value) for key, value in labels.items() if value))


def test_every_series_that_is_asked_for_is_recorded_by_a_rule() -> None:
    files = list((Path(__file__).parents[2] / "outputs").glob("*/etc/aami/rules/*/*.yml"))
    groups = [group for path in files for group in yaml.safe_load(path.read_text())["groups"]]
    recorded = {rule["record"] for group in groups for rule in group["rules"] if "record" in rule}
    memory = Memory([])
    look(SETTINGS, Inventory(nodes=NODES), memory, Alarm(), 0)
    look_from_outside("x", memory, Alarm(), 0)
    asked = " ".join(memory.asked).replace(clusterasked.SHARD, _spelled(clusterasked.SHARD))
    asked = asked.replace(clusterasked.SUMS, _spelled(clusterasked.SUMS))

    assert set(re.findall(r"\b(?:node|shard|cluster):[a-z_]+", asked)) - recorded == set()


def _spelled(names: str) -> str:
    prefix, _, inner = names.partition("(")
    return " ".join(prefix + name for name in inner.strip(")").split("|"))


def test_a_real_prometheus_tells_of_own_alerts_that_fire_for_long(tmp_path: Path) -> None:
    now = time.time()
    long, short = [now - ago for ago in (200, 150, 100, 50, 10)], [now - 20, now - 5]
    found: dict[str, list[tuple[float, float]]] = {}
    for labels, times in (
        ("", long), (f',cluster="{OWN}"', long), (f',cluster="{OWN}2"', long), (',node="new"', short),
    ):  # fmt: skip
        name = f'alertname="Hot"{labels}'
        found[f'ALERTS{{alertstate="firing",{name}}}'] = [(at, 1.0) for at in times]
        found[f"ALERTS_FOR_STATE{{{name}}}"] = [(at, 1_764_000_000.0) for at in times]
    with stored(tmp_path, dict(sorted(found.items()))) as server:
        answer = server.query(query(OWN))

    assert sorted(each.labels.get("cluster", "") for each in answer) == ["", OWN]
    assert {each.value for each in answer} == {1_764_000_000.0}
