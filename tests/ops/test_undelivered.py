"""Alerts of Prometheus that no Alertmanager holds."""

from __future__ import annotations

from math import nan

import pytest

from aamic.clients.base import Heard, Sample
from aamic.model.api import Alert, AlertCounts
from aamic.model.serveconfig import Inventory
from aamic.ops.clusterview import View, look
from aamic.ops.undelivered import undelivered
from tests.ops.clusters import NOW, Alarm, Memory, Series, alert, config, node, sums, well

NODES = [node("gpu-001"), node("gpu-002")]
WELL = [series for entry in NODES for series in well(entry)] + sums(2, 16)


def fires(name: str, since: float = 5.0, **labels: str) -> Series:
    """A series of an alert as Prometheus keeps it, without what it adds when it sends one."""
    return {"__name__": "ALERTS_FOR_STATE", "alertname": name, "severity": "critical", **labels}, since


def seen(alarm: Alarm, *firing: Series) -> View:
    return look(config(), Inventory(nodes=NODES), Memory([*WELL, *firing]), alarm, NOW)


def test_an_alertmanager_that_got_nothing_does_not_say_that_all_is_well() -> None:
    view = seen(Alarm(), fires("NodeHot", node="gpu-001"), fires("Slow", cluster="seoul"))

    assert view.alerts is not None
    assert [(each.name, each.state, each.since) for each in view.alerts] == [
        ("NodeHot", "firing", 5.0),
        ("Slow", "firing", 5.0),
    ]
    assert view.status.alerts == AlertCounts(critical=2)
    assert view.status.verdict == "critical"
    assert view.status.missing == [
        "other alerts: 2 that fire in Prometheus are in no Alertmanager; it gets none, or just started"
    ]
    assert "not known: other alerts" in view.status.reasons


def test_a_harmless_alert_that_is_not_delivered_leaves_the_cluster_unknown() -> None:
    assert seen(Alarm(), fires("Note", severity="info")).status.verdict == "unknown"


def test_alerts_that_are_held_are_known_by_the_labels_that_they_were_sent_with() -> None:
    held = [alert("NodeHot", state="suppressed", node="gpu-001"), alert("Down"), alert("NodeHot", node="gpu-003")]
    view = seen(Alarm(held), fires("NodeHot", node="gpu-001", replica="a"), fires("Down"))

    assert (view.status.missing, view.status.alerts) == ([], AlertCounts(critical=2))


def test_alerts_about_other_clusters_are_asked_for_elsewhere() -> None:
    assert seen(Alarm(), fires("Gone", cluster="seoul2"), fires("Gone", cluster="busan")).status.verdict == "ok"


@pytest.mark.parametrize("since", [nan, -1.0, 1e300])
def test_odd_series_are_alerts_all_the_same(since: float) -> None:
    (found,) = undelivered([Sample({"alertname": "A" * 9999, "l" * 999: "v"}, since)], ())

    assert (len(found.name), found.since) == (4096, 0)


def test_one_of_several_alertmanagers_that_is_silent_is_a_warning() -> None:
    heard = Heard([Alert(name="Info", severity="info", state="firing", since=1, labels={})])
    heard.silent = ("`http://am-2:9093` does not answer: refused",)
    view = seen(Alarm(heard))

    assert (view.status.verdict, view.status.score, view.status.missing) == ("warning", 100, list(heard.silent))
    assert view.status.reasons == [
        "one of several Alertmanagers does not answer: `http://am-2:9093` does not answer: refused"
    ]
