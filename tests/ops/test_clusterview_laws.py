"""What holds for every cluster: a fault never makes it look better, and what is not known never looks well."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hypothesis import given
from hypothesis import strategies as st

from aamic.errors import OutsideError
from aamic.model.api import Verdict
from aamic.model.serveconfig import Inventory
from aamic.ops.clusterview import View, look, look_from_outside
from aamic.ops.nodeverdicts import RANK
from tests.ops.clusters import (
    NOW,
    Alarm,
    Memory,
    Series,
    alert,
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

NODES = [node("gpu-1"), node("gpu-2", rack=None), node("gpu-10", rack="r2"), node("login1", gpus=0)]
NAMES = [entry.name for entry in NODES]
SETTINGS = config([shard("s1", "a"), shard("s1", "b")], [other("busan")])
WELL = [
    *(series for entry in NODES for series in well(entry)),
    *sums(4, 24),
    *of_shard("s1", "a"),
    *of_shard("s1", "b"),
    *of_other("busan"),
]

Fault = tuple[str, str]


def _is(labels: Mapping[str, str], **wanted: str) -> bool:
    return wanted.items() <= {**labels, "name": labels["__name__"]}.items()


def down(series: list[Series], name: str) -> list[Series]:
    return [(labels, 0.0 if _is(labels, name="up", node=name) else value) for labels, value in series]


def lost(series: list[Series], name: str) -> list[Series]:
    return [(labels, value - 1 if _is(labels, name="node:gpu_count", node=name) else value) for labels, value in series]


def failing(series: list[Series], name: str) -> list[Series]:
    return [*series, sample("node:aamic_node_verdict", 1, node=name, verdict="fail")]


def warned(series: list[Series], name: str) -> list[Series]:
    return [*series, sample("node:aamic_node_verdict", 1, node=name, verdict="warn")]


def unread(series: list[Series], name: str) -> list[Series]:
    """A node of which nothing answers any more whose series are gone: all but that it is down, if it is."""
    kept = [each for each in series if not _is(each[0], node=name)]
    return [*kept, *(each for each in series if _is(each[0], name="up", node=name) and each[1] == 0)]


def shardless(series: list[Series], _: str) -> list[Series]:
    return [(labels, 0.0 if _is(labels, name="up", job="federate") else value) for labels, value in series]


BREAKING: dict[str, Callable[[list[Series], str], list[Series]]] = {
    "down": down,
    "lost": lost,
    "failing": failing,
    "warned": warned,
    "shardless": shardless,
}
ALERTING: dict[str, str] = {"critical alert": "critical", "warning alert": "warning", "odd alert": "page"}
FAULTS = st.tuples(st.sampled_from([*BREAKING, *ALERTING]), st.sampled_from([*NAMES, "mon-01"]))


def view(
    faults: list[Fault], extra: tuple[Series, ...] = (), broken: tuple[str, ...] = (), *, alarms: bool = True
) -> View:
    series, alerts = [*WELL, *extra], []
    for kind, name in faults:
        if kind in BREAKING:
            series = BREAKING[kind](series, name)
        else:
            alerts.append(alert(kind.title().replace(" ", ""), ALERTING[kind], node=name))
    memory = Memory(series, {part: OutsideError("no") for part in broken})
    return look(SETTINGS, Inventory(nodes=NODES), memory, Alarm(alerts if alarms else None), NOW)


def rank(verdict: Verdict) -> int:
    return RANK[verdict]


def no_better(worse: View, before: View) -> None:
    assert rank(worse.status.verdict) >= rank(before.status.verdict)
    assert rank(worse.health.overall) >= rank(before.health.overall)
    assert (worse.status.score or 0) <= (before.status.score or 0)
    for after, once in zip(worse.nodes, before.nodes, strict=True):
        assert rank(after.verdict) >= rank(once.verdict)


@given(st.lists(FAULTS, max_size=4), FAULTS)
def test_one_more_fault_never_looks_better(faults: list[Fault], another: Fault) -> None:
    no_better(view([*faults, another]), view(faults))


SOURCES = ("node_verdict", "gpu_count{", "cluster:.+", "federate|remote", "time()")


@given(faults=st.lists(FAULTS, max_size=3), broken=st.sets(st.sampled_from(SOURCES)), alarms=st.booleans())
def test_what_cannot_be_asked_never_looks_well(*, faults: list[Fault], broken: set[str], alarms: bool) -> None:
    found, before = view(faults, broken=tuple(broken), alarms=alarms), view(faults)
    if broken or not alarms:
        assert rank(found.status.verdict) >= RANK["unknown"]
        assert rank(found.health.overall) >= RANK["unknown"]
    assert {each.name for each in found.nodes if each.verdict == "ok"} <= {
        each.name for each in before.nodes if each.verdict == "ok"
    }
    assert (found.status.score or 0) <= (before.status.score or 0)
    assert alarms or (found.status.alerts, found.alerts) == (None, None)


@given(st.lists(FAULTS, max_size=3), st.lists(st.integers(0, len(WELL) - 1), max_size=12, unique=True))
def test_a_series_that_is_gone_makes_nothing_ok(faults: list[Fault], gone: list[int]) -> None:
    def seen(series: list[Series]) -> View:
        for kind, name in faults:
            series = BREAKING[kind](series, name) if kind in BREAKING else series
        return look(SETTINGS, Inventory(nodes=NODES), Memory(series), Alarm(), NOW)

    before, after = seen(list(WELL)), seen([each for number, each in enumerate(WELL) if number not in gone])
    was = {each.name for each in before.nodes if each.verdict == "ok"}

    assert {each.name for each in after.nodes if each.verdict == "ok"} <= was
    assert (after.status.score or 0) <= (before.status.score or 0)
    assert after.status.verdict != "ok" or before.status.verdict == "ok"


REMOTE = st.builds(
    lambda name, cluster, value, labels: ({"__name__": name, "cluster": cluster, **labels}, value),
    st.sampled_from(
        [
            "up",
            "cluster:nodes_up",
            "cluster:gpu_count",
            "node:gpu_count",
            "node:aamic_node_verdict",
            "shard:head_series",
        ]
    ),
    st.sampled_from(["busan", "seoul2", "seou", "SEOUL", "", ".*", 'seoul"', "seoul|busan"]),
    st.floats(0, 1e6),
    st.fixed_dictionaries(
        {},
        optional={
            "job": st.sampled_from(["remote-clusters", "node", "federate"]),
            "node": st.sampled_from(NAMES),
            "vendor": st.sampled_from(["amd", "intel"]),
            "shard": st.just("s1"),
            "replica": st.sampled_from(["a", "b"]),
            "verdict": st.sampled_from(["ok", "fail"]),
        },
    ),
)


@given(st.lists(FAULTS, max_size=2), st.lists(REMOTE, max_size=6))
def test_series_of_other_clusters_never_change_what_is_told_of_this_one(
    faults: list[Fault], extra: list[Series]
) -> None:
    found, before = view(faults, tuple(extra)), view(faults)

    assert found.status.model_copy(update={"clusters": []}) == before.status.model_copy(update={"clusters": []})
    assert (found.health, found.nodes, found.aggregates) == (before.health, before.nodes, before.aggregates)


@given(faults=st.lists(FAULTS, max_size=6), broken=st.sets(st.sampled_from(SOURCES)), alarms=st.booleans())
def test_numbers_add_up(*, faults: list[Fault], broken: set[str], alarms: bool) -> None:
    found = view(faults, broken=tuple(broken), alarms=alarms)
    status, nodes = found.status, found.health.nodes

    assert nodes.ok + nodes.warning + nodes.critical + nodes.unknown == status.nodes.total == len(found.nodes)
    assert (status.nodes.up or 0) + (status.nodes.down or 0) <= (status.nodes.total or 0)
    for kind in RANK:
        assert sum(getattr(group.nodes, kind) for group in found.health.racks) == getattr(nodes, kind)
    assert status.score is None or 0 <= status.score <= 100
    assert (status.verdict == "ok") == (status.reasons == [])


@given(st.lists(FAULTS, max_size=4), FAULTS)
def test_one_more_fault_never_looks_better_from_outside_either(faults: list[Fault], another: Fault) -> None:
    def seen(those: list[Fault]) -> View:
        series = [each for each in WELL if "shard" not in each[0]]  # of shards it would not know the alerts
        for kind, name in those:
            series = BREAKING[kind](series, name) if kind in BREAKING else series
        alerts = [alert(kind, ALERTING[kind], node=name) for kind, name in those if kind in ALERTING]
        return look_from_outside("there", Memory(series), Alarm(alerts), NOW)

    no_better(seen([*faults, another]), seen(faults))
