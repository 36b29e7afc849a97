"""The laws of sums and averages over clusters of which some are missing."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aamic.errors import RemoteError, RemoteState
from aamic.model.api import MOST, Alert, AlertCounts, Gpus, NodeCounts, Status
from aamic.model.fleet import RemoteCluster
from aamic.model.overview import Seen
from aamic.ops.clusters import absent, connected, merged, missing, total

COUNTS = st.none() | st.integers(0, 100_000) | st.just(MOST)
SHARES = st.none() | st.floats(0, 1)


def cluster(name: str = "busan") -> RemoteCluster:
    return RemoteCluster(name, "https://busan.example", "aami", None, None, None, None, {"region": "kr"}, 10.0, False)


def status(**given: Any) -> Status:
    plain: dict[str, Any] = {
        "cluster": "busan",
        "at": 1.0,
        "verdict": "ok",
        "nodes": NodeCounts(total=10, up=10, down=0),
        "verdicts": None,
        "score": 100.0,
        "gpus": [],
        "alerts": AlertCounts(),
    }
    return Status(**{**plain, **given})


def seen(*statuses: Status) -> list[Seen]:
    return [connected(cluster(f"c{number}"), each) for number, each in enumerate(statuses)]


def gone(state: RemoteState = "slow", name: str = "gone") -> Seen:
    return absent(cluster(name), RemoteError(state, f"`{name}` is {state}", "wait"))


@st.composite
def gpus(draw: st.DrawFn) -> list[Gpus]:
    vendors = draw(st.lists(st.sampled_from(["nvidia", "amd", "intel"]), unique=True))
    return [
        Gpus(
            vendor=vendor,
            expected=draw(COUNTS),
            present=draw(COUNTS),
            unhealthy=draw(COUNTS),
            utilization=draw(SHARES),
            power_watts=draw(st.none() | st.floats(0, MOST)),
        )
        for vendor in vendors
    ]


@st.composite
def nodes(draw: st.DrawFn) -> NodeCounts:
    total, up = draw(COUNTS), draw(COUNTS)
    down = draw(st.none() | st.integers(0, MOST - (up or 0)))
    return NodeCounts(total=None if total is None else max(total, (up or 0) + (down or 0)), up=up, down=down)


STATUSES = st.builds(
    status,
    verdict=st.sampled_from(["ok", "warning", "unknown", "critical"]),
    nodes=nodes(),
    score=st.none() | st.floats(0, 100),
    gpus=gpus(),
    alerts=st.none() | st.builds(AlertCounts, critical=st.integers(0, 99) | st.just(MOST), warning=st.integers(0, 99)),
)
MANY = st.lists(STATUSES, max_size=6).map(lambda found: seen(*found))
MISSING = st.lists(st.sampled_from(get_args(RemoteState)).map(gone), min_size=1, max_size=4)


@given(MANY, MISSING)
def test_a_missing_cluster_changes_no_sum_and_no_average(known: list[Seen], away: list[Seen]) -> None:
    alone, both = total(known), total([*known, *away])
    apart = {"clusters", "verdict"}

    assert alone.model_dump(exclude=apart) == both.model_dump(exclude=apart)
    assert both.clusters == len(known) + len(away)
    assert both.verdict in ("unknown", "critical")
    assert [each.name for each in missing([*known, *away])] == [each.name for each in away]


@given(MANY, st.randoms())
def test_the_order_of_clusters_has_no_meaning(known: list[Seen], random: Any) -> None:
    other = list(known)
    random.shuffle(other)
    one, two = total(known).model_dump(), total(other).model_dump()

    assert sorted(one.pop("incomplete")) == sorted(two.pop("incomplete"))
    assert one == approximately(two)


@given(MANY)
def test_counts_add_up_and_averages_lie_between(known: list[Seen]) -> None:
    found = total(known)
    statuses = [each.status for each in known if each.status is not None]
    scores = [each.score for each in statuses if each.score is not None and each.nodes.total]
    up = [each.nodes.up for each in statuses if each.nodes.up is not None]

    assert found.nodes.up == (min(sum(up), MOST) if up else None)
    assert (found.score is None) == (not scores)
    assert found.score is None or min(scores) - 1e-6 <= found.score <= max(scores) + 1e-6
    assert {each.vendor for each in found.gpus} == {each.vendor for one in statuses for each in one.gpus}
    assert found.connected == len(known)


@given(STATUSES, st.integers(2, 5))
def test_equal_clusters_have_the_average_of_one(one: Status, times: int) -> None:
    alone, many = total(seen(one)), total(seen(*[one] * times))

    assert many.score == approximately(alone.score)
    assert [each.utilization for each in many.gpus] == approximately([each.utilization for each in alone.gpus])
    assert many.verdict == alone.verdict


def test_averages_weigh_nodes_and_gpus() -> None:
    large = status(
        score=90.0,
        nodes=NodeCounts(total=300, up=300, down=0),
        gpus=[Gpus(vendor="amd", expected=30, present=30, unhealthy=0, utilization=0.9, power_watts=None)],
    )
    small = status(
        score=50.0,
        nodes=NodeCounts(total=100, up=60, down=40),
        gpus=[Gpus(vendor="amd", expected=20, present=10, unhealthy=None, utilization=0.1, power_watts=5.0)],
    )
    found = total([*seen(large, small), gone()])

    assert (found.score, found.nodes.total, found.nodes.up, found.nodes.down) == (80.0, 400, 360, 40)
    (gpus,) = found.gpus
    assert (gpus.vendor, gpus.expected, gpus.present, gpus.unhealthy, gpus.power_watts) == ("amd", 50, 40, 0, 5.0)
    assert gpus.utilization == pytest.approx(0.7)
    assert (found.clusters, found.connected, found.incomplete) == (3, 2, ["c1"])
    assert found.lacks == {"c1": ["unhealthy GPUs of amd"]}


def test_nothing_is_known_where_all_are_missing() -> None:
    found = total([gone(), gone("unauthorized", "other")])

    assert (found.connected, found.score, found.alerts, found.gpus) == (0, None, None, [])
    assert (found.nodes, found.verdict) == (NodeCounts(total=None, up=None, down=None), "unknown")


@pytest.mark.parametrize(
    ("verdicts", "worst"),
    [("ok ok", "ok"), ("ok warning", "warning"), ("unknown warning", "unknown"), ("unknown critical", "critical")],
)
def test_the_worst_verdict_counts(verdicts: str, worst: str) -> None:
    assert worst == total(seen(*(status(verdict=each) for each in verdicts.split()))).verdict


def test_alerts_of_all_clusters_stand_in_one_order() -> None:
    def alert(name: str, severity: str, since: float, about: str | None = None) -> Alert:
        return Alert(name=name, severity=severity, state="firing", since=since, labels={}, about=about)

    found = merged(
        [
            (
                "b",
                [
                    alert("Far", "critical", 9.0, "c"),
                    alert("Old", "critical", 1.0),
                    alert("Odd", "page", 9.0),
                    alert("Info", "info", 5.0),
                ],
            ),
            ("a", [alert("New", "critical", 2.0), alert("Warn", "warning", 3.0), alert("Old", "critical", 1.0)]),
        ]
    )

    assert [(each.name, each.cluster) for each in found] == [
        ("New", "a"), ("Old", "a"), ("Old", "b"), ("Odd", "b"), ("Warn", "a"), ("Info", "b"), ("Far", "b"),
    ]  # fmt: skip


def approximately(value: Any) -> Any:
    """The value with numbers that may differ by what adding in another order does."""
    if isinstance(value, dict):
        return {key: approximately(each) for key, each in value.items()}
    if isinstance(value, list):
        return [approximately(each) for each in value]
    return pytest.approx(value, rel=1e-9, abs=1e-9) if isinstance(value, float) else value
