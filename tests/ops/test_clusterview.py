"""A look at a cluster of a site, in memory; `test_clusterview_real.py` asks a real Prometheus the same."""

import pytest

from aamic.errors import OutsideError, RemoteError, SilentError
from aamic.model.api import Alert, AlertCounts, Group, NodeCounts, Remote, Shard, Status, VerdictCounts
from aamic.model.serveconfig import Inventory, ShardEntry
from aamic.ops.clusterview import View, look
from tests.ops.clusters import (
    NOW,
    OWN,
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

NODES = [node("gpu-010"), node("gpu-002"), node("gpu-001", rack=None), node("login1", gpus=0)]
WELL = [series for entry in NODES for series in well(entry)] + sums(4, 24)


def seen(series: list[Series], *alerts: Alert, alarm: Alarm | None = None, memory: Memory | None = None) -> View:
    alarms = alarm or Alarm(alerts)
    return look(config(), Inventory(nodes=NODES), memory or Memory(series), alarms, NOW)


def without(name: str, **labels: str) -> list[Series]:
    wanted = {"__name__": name, **labels}
    return [each for each in WELL if not wanted.items() <= each[0].items()]


def verdict_of(view: View, name: str = "gpu-001") -> tuple[str, list[str]]:
    found = next(each for each in view.nodes if each.name == name)
    return found.verdict, found.reasons


def test_a_cluster_that_is_well_is_ok_with_its_numbers() -> None:
    view = seen(WELL)

    assert (view.status.verdict, view.status.score, view.status.reasons, view.status.missing) == ("ok", 100, [], [])
    assert view.status.nodes == NodeCounts(total=4, up=4, down=0)
    assert view.status.verdicts == VerdictCounts(ok=4)
    assert [(g.vendor, g.expected, g.present, g.unhealthy, g.utilization, g.power_watts) for g in view.status.gpus] == [
        ("amd", 24, 24, 0, 0.5, 700)
    ]
    assert view.status.alerts is not None
    assert view.status.alerts.model_dump() == {"critical": 0, "warning": 0, "info": 0}
    assert (view.health.overall, view.health.score) == ("ok", 100)
    assert len(view.aggregates) == 6


def test_nodes_stand_in_natural_order_and_racks_add_up() -> None:
    view = seen(WELL)

    assert [each.name for each in view.nodes] == ["gpu-001", "gpu-002", "gpu-010", "login1"]
    assert view.health.racks == [
        Group(name="(no rack)", nodes=VerdictCounts(ok=1)),
        Group(name="r1", nodes=VerdictCounts(ok=3)),
    ]


DOWN = [
    (labels, 0.0 if labels["__name__"] == "up" and labels.get("node") == "gpu-001" else value) for labels, value in WELL
]


@pytest.mark.parametrize(
    ("series", "expected"),
    [
        (DOWN, ("critical", ["none of its exporters answers"])),
        (without("up", node="gpu-001"), ("unknown", ["none of its exporters is read"])),
        (without("node:gpu_count", node="gpu-001"), ("unknown", ["none of its 8 GPUs reports"])),
        (without("node:aamic_node_verdict", node="gpu-001"), ("unknown", ["its own check is old or missing"])),
        (
            [*without("node:gpu_count", node="gpu-001"), sample("node:gpu_count", 7, node="gpu-001")],
            ("critical", ["7 of its 8 GPUs report"]),
        ),
        (
            [*WELL, sample("node:aamic_node_verdict", 1, node="gpu-001", verdict="warn")],
            ("warning", ["its own check warns"]),
        ),
        (
            [*WELL, sample("node:aamic_node_verdict", 1, node="gpu-001", verdict="fail")],
            ("critical", ["its own check fails"]),
        ),
        (
            [*WELL, sample("node:aamic_node_verdict", 1, node="gpu-001", verdict="odd")],
            ("unknown", ["its own check does not know"]),
        ),
    ],
)
def test_a_node_is_as_bad_as_the_worst_that_is_known_of_it(
    series: list[Series], expected: tuple[str, list[str]]
) -> None:
    view = seen(series)

    assert (verdict_of(view), view.status.verdict, view.status.score) == (expected, expected[0], 75)
    assert view.status.reasons == [f"`gpu-001`: {expected[1][0]}"]


def test_a_node_that_does_not_check_itself_is_not_missed() -> None:
    entry = node("gpu-001").model_copy(update={"checked": False})
    series = [each for each in well(entry) if each[0]["__name__"] != "node:aamic_node_verdict"]
    view = look(config(), Inventory(nodes=[entry]), Memory(series), Alarm(), NOW)

    assert verdict_of(view) == ("ok", [])


def test_alerts_of_a_node_make_it_as_bad_as_they_are_and_silenced_ones_do_not() -> None:
    view = seen(
        WELL,
        alert("Hot", "warning", node="gpu-001"),
        alert("Fatal", "critical", node="gpu-002"),
        alert("Known", "critical", node="gpu-010", state="suppressed"),
        alert("Note", "info", node="login1"),
    )

    assert [each.verdict for each in view.nodes] == ["warning", "critical", "ok", "ok"]
    assert view.status.reasons == ["`gpu-002`: alert `Fatal`", "`gpu-001`: alert `Hot`"]
    assert view.status.alerts is not None
    assert view.status.alerts.model_dump() == {"critical": 1, "warning": 1, "info": 1}


def test_alerts_stand_most_severe_and_then_newest_first() -> None:
    view = seen(
        WELL,
        alert("OldWarning", "warning", 1),
        alert("Old", "critical", 1),
        alert("Info", "info", 9),
        alert("New", "critical", 5),
        alert("Odd", "page", 7),
    )

    assert view.alerts is not None
    assert [each.name for each in view.alerts] == ["New", "Old", "Odd", "OldWarning", "Info"]


def test_an_alert_of_no_node_counts_for_the_cluster_and_one_about_another_cluster_at_most_warns() -> None:
    own, foreign = alert("AlertmanagerDown", node="mon-01"), alert("ClusterGone", cluster="busan", node="gpu-001")

    assert seen(WELL, own).status.reasons == ["alert `AlertmanagerDown`: AlertmanagerDown!"]
    assert seen(WELL, own).status.verdict == "critical"
    view = seen(WELL, foreign)
    assert (view.status.verdict, view.status.score) == ("warning", 100)
    assert view.status.reasons == ["alert `ClusterGone` about cluster `busan`: ClusterGone!"]
    assert view.status.alerts == AlertCounts()


def test_alerts_about_others_are_listed_after_its_own_and_counted_nowhere() -> None:
    view = seen(WELL, alert("ClusterGone", since=9, cluster="busan"), alert("Hot", "info"), alert("Bare", cluster=""))

    assert view.alerts is not None
    assert [(each.name, each.about) for each in view.alerts] == [
        ("Bare", None),
        ("Hot", None),
        ("ClusterGone", "busan"),
    ]
    assert view.status.alerts == AlertCounts(critical=1, info=1)


def test_nobody_who_knows_alerts_leaves_numbers_null_and_nothing_ok() -> None:
    view = seen(WELL, alarm=Alarm(None))

    assert (view.status.alerts, view.alerts, view.status.score) == (None, None, None)
    assert view.status.missing == ["alerts: `http://am:9093` does not answer: refused"]
    assert (view.status.verdict, view.health.overall) == ("unknown", "unknown")
    assert view.status.reasons == view.health.reasons == ["not known: alerts"]
    assert verdict_of(view) == ("unknown", ["whether it has alerts is not known"])
    assert look(config(), Inventory(nodes=NODES), Memory(WELL), None, NOW).status.verdict == "unknown"


@pytest.mark.parametrize(
    ("part", "what"),
    [
        ("node_verdict", "node checks"),
        ("gpu_count{", "GPUs of nodes"),
        ("cluster:.+", "sums of the cluster"),
        ("federate|remote", "shards and other clusters"),
        ("time()", "ages"),
    ],
)
def test_a_query_that_fails_is_missing_and_leaves_nothing_ok(part: str, what: str) -> None:
    view = seen(WELL, memory=Memory(WELL, {part: OutsideError("too many samples")}))

    assert what in [each.partition(": ")[0] for each in view.status.missing]
    assert (view.status.verdict, view.health.overall) == ("unknown", "unknown")


def test_alerts_of_shards_are_not_known_without_an_alertmanager() -> None:
    settings = config([shard("s1")]).model_copy(update={"alertmanagers": []})
    memory = Memory([*WELL, *of_shard("s1")])
    view = look(settings, Inventory(nodes=NODES), memory, Alarm([alert("Own", "warning")]), NOW)

    assert (view.status.alerts, view.status.score, view.status.verdict) == (None, None, "unknown")
    assert view.status.missing == ["alerts of shards: a central server alone does not hold them"]
    assert view.alerts is not None
    assert [each.name for each in view.alerts] == ["Own"]
    assert verdict_of(view) == ("unknown", ["whether it has alerts is not known"])


def test_what_a_check_finds_is_told() -> None:
    found = [
        sample("node:aamic_node_verdict", 1, node="gpu-001", verdict="fail"),
        sample("node:aamic_failing_signal", 1, node="gpu-001", signal="lost_gpu", gpu="3"),
        sample("node:aamic_failing_signal", 1, node="gpu-001", signal="fatal_error", gpu="4"),
    ]

    assert verdict_of(seen([*WELL, *found])) == ("critical", ["its own check fails: fatal error, lost gpu"])


def test_sums_that_could_not_be_asked_are_null() -> None:
    view = seen(WELL, memory=Memory(WELL, {"cluster:.+": OutsideError("no")}))

    assert [(each.expected, each.present, each.utilization) for each in view.status.gpus] == [(24, None, None)]
    assert view.aggregates == ()


@pytest.mark.parametrize("part", ["up{cluster", "node_verdict"])
def test_a_server_that_is_silent_is_asked_nothing_more(part: str) -> None:
    memory = Memory(WELL, {part: SilentError("`http://p:9090` does not answer: timed out")})

    with pytest.raises(SilentError, match="timed out"):
        seen(WELL, memory=memory)
    assert part in memory.asked[-1]


def test_another_cluster_that_is_slow_is_asked_nothing_more() -> None:
    memory = Memory(WELL, {"node_verdict": RemoteError("slow", "no whole answer within 10 s")})

    with pytest.raises(RemoteError, match="no whole answer"):
        seen(WELL, memory=memory)


def test_a_query_for_what_is_essential_must_not_fail() -> None:
    with pytest.raises(OutsideError, match="too many"):
        seen(WELL, memory=Memory(WELL, {"up{cluster": OutsideError("too many samples")}))


def test_nothing_known_is_null_and_never_zero() -> None:
    view = seen([])

    assert view.status.nodes == NodeCounts(total=4, up=None, down=None)
    assert (view.status.verdicts, view.status.score, view.status.verdict) == (None, None, "unknown")
    assert [(each.expected, each.present, each.unhealthy) for each in view.status.gpus] == [(24, None, None)]
    assert view.health.nodes == VerdictCounts(unknown=4)


def test_a_site_without_nodes_is_not_ok() -> None:
    view = look(config(), Inventory(nodes=[]), Memory(WELL), Alarm(), NOW)

    assert (view.status.verdict, view.status.score) == ("unknown", None)


def test_shards_are_told_with_their_series_and_what_was_predicted() -> None:
    series = [*WELL, *of_shard("s1", "a"), *of_shard("s1", "b")]
    view = look(config([shard("s1", "a"), shard("s2")]), Inventory(nodes=NODES), Memory(series), Alarm(), NOW)

    assert view.status.shards == [
        Shard(
            name="s1", replica="a", up=True, nodes=2, targets_up=7, targets_down=1,
            series=900, predicted_series=1000, age_seconds=10,
        ),
        Shard(name="s2", up=None, nodes=2, predicted_series=1000),
    ]  # fmt: skip
    assert (view.status.verdict, view.status.reasons) == ("unknown", ["nothing new is known from shard `s2`"])


@pytest.mark.parametrize(
    ("up", "ages", "verdict", "reason"),
    [
        ({"a": 1, "b": 1}, {}, "ok", None),
        ({"a": 1, "b": 0}, {}, "warning", "shard `s1` runs on 1 of its 2 servers"),
        ({"a": 0, "b": 0}, {}, "critical", "shard `s1` is down, so that its nodes are not watched"),
        ({"a": 1, "b": 1}, {"s1": 181.0}, "unknown", "nothing new is known from shard `s1`"),
        ({"a": 1}, {"s1": 181.0}, "unknown", "nothing new is known from shard `s1`"),
    ],
)
def test_a_shard_is_as_good_as_the_better_server_of_its_pair(
    up: dict[str, int], ages: dict[str, float], verdict: str, reason: str | None
) -> None:
    servers = [
        (labels, up[labels["replica"]] if labels["__name__"] == "up" else value)
        for replica in up
        for labels, value in of_shard("s1", replica)
    ]
    memory = Memory([*WELL, *servers], ages=ages)
    view = look(config([shard("s1", "a"), shard("s1", "b")]), Inventory(nodes=NODES), memory, Alarm(), NOW)

    assert (view.status.verdict, view.status.reasons) == (verdict, [reason] if reason else [])


def test_a_single_server_is_one_shard_that_answers() -> None:
    settings = config().model_copy(update={"shards": [shard("single")]})
    series = [*WELL, sample("shard:head_series", 900, node="mon-01"), sample("shard:targets_up", 7, job="node")]
    view = look(settings, Inventory(nodes=NODES), Memory(series), Alarm(), NOW)

    assert view.status.shards == [
        Shard(name="single", up=True, nodes=2, targets_up=7, series=900, predicted_series=1000, age_seconds=10)
    ]
    assert view.status.verdict == "ok"


def test_other_clusters_are_told_apart_by_whether_they_are_read_and_how_old_that_is() -> None:
    gone = [(labels, 0.0 if labels["__name__"] == "up" else value) for labels, value in of_other("gone")]
    settings = config([], [*map(other, ("busan", "gone", "old", "new")), other("apart", federate=False)])
    memory = Memory([*WELL, *of_other("busan"), *gone, *of_other("old"), *of_other("apart")], ages={"old": 181.0})
    view = look(settings, Inventory(nodes=NODES), memory, Alarm(), NOW)

    assert [(each.name, each.state) for each in view.status.clusters] == [
        ("busan", "connected"),
        ("gone", "gone"),
        ("old", "stale"),
        ("new", "gone"),
        ("apart", "not read"),
    ]
    assert view.status.clusters[0] == Remote(
        name="busan", endpoint="https://busan:9443", kind="aami", state="connected",
        nodes_up=50, nodes_down=2, gpus=408, age_seconds=10,
    )  # fmt: skip
    assert view.status.clusters[4].nodes_up is None
    assert (view.status.verdict, view.status.nodes.total) == ("ok", 4)


def test_another_cluster_of_which_nothing_could_be_asked_is_not_connected() -> None:
    memory = Memory([*WELL, *of_other("busan")], {"federate|remote": OutsideError("no")})
    view = look(config([], [other("busan")]), Inventory(nodes=NODES), memory, Alarm(), NOW)

    assert view.status.clusters[0].state == "stale"


def test_values_that_are_no_numbers_are_not_known() -> None:
    nan, endless = float("nan"), float("inf")
    odd = [
        sample("cluster:gpu_count", nan, vendor="amd"),
        sample("cluster:gpu_power_watts", endless, vendor="amd"),
        sample("node:gpu_count", nan, node="gpu-001"),
    ]
    view = seen([*without("cluster:gpu_count"), *odd][6:])

    assert view.status.gpus[0].present is None


def test_a_look_takes_eight_queries_however_many_nodes_there_are() -> None:
    entries = [node(f"gpu-{number:03}", rack=f"r{number // 40}") for number in range(200)]
    memory = Memory([series for entry in entries for series in well(entry)])
    alarms = Alarm([alert("Hot", "warning", node=entry.name) for entry in entries[::2]])
    view = look(config(), Inventory(nodes=entries), memory, alarms, NOW)

    assert len(memory.asked) == 9
    assert view.status.verdicts == VerdictCounts(ok=100, warning=100)
    assert sum(group.nodes.ok + group.nodes.warning for group in view.health.racks) == 200


def test_own_is_the_name_of_the_cluster() -> None:
    assert seen(WELL).status.cluster == OWN


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan"), 1e300, -1.0, 10.0**13])
def test_a_number_that_cannot_be_is_not_known_and_spoils_nothing_else(number: float) -> None:
    far = [*of_other("busan"), ({"__name__": "cluster:nodes_up", "cluster": "busan", "job": "remote-clusters"}, number)]
    own = [(labels, number if labels["__name__"].startswith("cluster:") else value) for labels, value in WELL]
    entry = ShardEntry(name="s1", replica=None, host="mon", nodes=2, predicted_series=1)
    spoiled = [
        (labels, number if labels["__name__"] == "shard:head_series" else value) for labels, value in of_shard("s1")
    ]
    view = look(config([entry], [other("busan")]), Inventory(nodes=NODES), Memory([*own, *far, *spoiled]), Alarm(), NOW)

    assert (view.status.clusters[0].nodes_up, view.status.clusters[0].gpus) == (None, 408)
    assert (view.status.shards[0].series, view.status.shards[0].targets_up) == (None, 7)
    assert [(g.expected, g.present, g.utilization, g.power_watts) for g in view.status.gpus] == [(24, None, None, None)]
    assert view.status.nodes == NodeCounts(total=4, up=4, down=0)
    assert Status.model_validate_json(view.status.model_dump_json()) == view.status


def test_texts_of_any_length_fit_into_documents() -> None:
    long = "x" * 5000
    told = sample("node:aamic_failing_signal", 1, node="gpu-001", signal=long)
    series = [*WELL, sample("node:aamic_node_verdict", 1, node="gpu-001", verdict="fail"), told]
    view = seen(series, alert(long[:4090], node="gpu-001"))

    assert [len(each) for each in verdict_of(view)[1]] == [4096, 4096]
