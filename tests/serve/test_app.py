"""What the API answers, over real sockets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import httpx
import pytest

from aamic.errors import SilentError
from aamic.model.api import Aggregates, Alerts, Fault, Health, Nodes, Ping, Status, Version
from aamic.ops.clusterview import View
from tests.exposition import read
from tests.serve.server import CLUSTER, KEY, Setup, running, view

PATHS = ("ping", "version", "status", "health", "alerts", "nodes", "metrics", "openapi.json")


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with running(Setup()) as port, client_of(port) as made:
        yield made


def client_of(port: int, key: str | None = KEY) -> httpx.Client:
    headers = {"Authorization": f"Bearer {key}"} if key is not None else {}
    return httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, trust_env=False, verify=False)  # noqa: S501  # no TLS here


def names(client: httpx.Client, query: str) -> list[str]:
    return [node.name for node in Nodes.model_validate_json(client.get(f"/api/v1/nodes?{query}").content).nodes]


def test_documents_are_those_of_the_look(client: httpx.Client) -> None:
    def get(name: str) -> bytes:
        return client.get(f"/api/v1/{name}").content

    assert Ping(cluster=CLUSTER) == Ping.model_validate_json(get("ping"))
    assert Version(aamic="0.1.0", cluster=CLUSTER) == Version.model_validate_json(get("version"))
    assert view().status == Status.model_validate_json(get("status"))
    assert view().health == Health.model_validate_json(get("health"))
    assert list(view().alerts or ()) == Alerts.model_validate_json(get("alerts")).alerts
    assert list(view().nodes) == Nodes.model_validate_json(get("nodes")).nodes


def test_alerts_are_chosen_by_severity_and_counted_beyond_the_limit(client: httpx.Client) -> None:
    one = Alerts.model_validate_json(client.get("/api/v1/alerts?limit=1").content)
    hot = Alerts.model_validate_json(client.get("/api/v1/alerts?severity=warning").content)

    assert ([alert.name for alert in one.alerts], one.total) == (["Down"], 2)
    assert ([alert.name for alert in hot.alerts], hot.total) == (["Hot"], 1)


def test_nodes_are_chosen_by_rack_and_verdict_and_paged(client: httpx.Client) -> None:
    part = Nodes.model_validate_json(client.get("/api/v1/nodes?rack=r2&limit=2&offset=1").content)

    assert ([node.name for node in part.nodes], part.total, part.offset) == (["gpu-03", "gpu-05"], 12, 1)
    assert names(client, "verdict=critical") == ["gpu-01"]
    assert names(client, "offset=25") == []
    assert names(client, "rack=r1&verdict=critical") == []


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("alerts?severity=critcal", "`severity`: input should be 'critical', 'warning' or 'info'"),
        ("alerts?severty=critical", "`?`: 1 unknown; known: ['limit', 'severity']"),
        ("alerts?severity=info&severity=info", "`severity`: is given twice"),
        ("nodes?limit=0", "`limit`: input should be greater than or equal to 1"),
        ("nodes?limit=1001", "`limit`: input should be less than or equal to 1000"),
        ("nodes?offset=x", "`offset`: input should be a valid integer, unable to parse string as an integer"),
        ("status?key=secret", "`?`: 1 unknown; known: []"),
    ],
)
def test_parameters_that_mean_nothing_are_refused(client: httpx.Client, query: str, told: str) -> None:
    answer = client.get(f"/api/v1/{query}")

    assert (422, told) == (answer.status_code, Fault.model_validate_json(answer.content).error)


@pytest.mark.parametrize(
    "path", ["/api/v1", "/api/v1/status/", "/docs", "/redoc", "/api/v2/status", "/api/v1/nodes?rack=r3"]
)
def test_what_is_not_there_is_told(client: httpx.Client, path: str) -> None:
    answer = client.get(path)

    assert answer.status_code == 404
    assert Fault.model_validate_json(answer.content).error


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_nothing_can_be_changed(client: httpx.Client, method: str) -> None:
    answer = client.request(method, "/api/v1/status")

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("path", [*(f"/api/v1/{name}" for name in PATHS), "/", "/openapi.json", "/api/v1/x"])
def test_head_is_get_without_a_body(client: httpx.Client, path: str) -> None:
    head, get = client.head(path), client.get(path)
    own = {"date"}

    assert (get.status_code, b"") == (head.status_code, head.content)
    assert {name: value for name, value in get.headers.items() if name not in own} == {
        name: value for name, value in head.headers.items() if name not in own
    }


def test_metrics_are_text_for_prometheus_and_json_for_those_who_ask(client: httpx.Client) -> None:
    text = client.get("/api/v1/metrics", headers={"Accept": "application/openmetrics-text,text/plain;q=0.5,*/*;q=0.1"})
    document = client.get("/api/v1/metrics", headers={"Accept": "application/json"})
    series = read(text.text).series
    found = Aggregates.model_validate_json(document.content).aggregates

    assert text.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert [(each.name, unescaped(each.labels)) for each in series] == [(each.name, each.labels) for each in found]
    assert [(each.name, each.value) for each in found] == [("cluster:broken", None), ("cluster:gpus", 192.0)]
    assert found[1].labels == {"cluster": CLUSTER, "vendor": 'n\\v"\n'}


def unescaped(labels: Mapping[str, str]) -> dict[str, str]:
    return {name: value.encode().decode("unicode_escape") for name, value in labels.items()}


def test_page_is_shown_by_browsers_and_kept_by_none(client: httpx.Client) -> None:
    answer = client.get("/")

    assert answer.text == "<title>te&quot;st</title>True True"
    assert {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": "default-src 'none'",
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "cross-origin-resource-policy": "same-origin",
    }.items() <= dict(answer.headers).items()
    assert "server" not in answer.headers


def alerts_unknown() -> View:
    status = view().status.model_copy(update={"alerts": None, "missing": ["alerts: no Alertmanager answers"]})
    return replace(view(), status=status, alerts=())


def aggregates_unknown() -> View:
    return replace(view(), aggregates=())


def silent() -> View:
    raise SilentError("`http://127.0.0.1:9090` does not answer: timed out")


def broken() -> View:
    raise KeyError("secret")


@pytest.mark.parametrize(
    ("look", "statuses", "told"),
    [
        (alerts_unknown, {"alerts": 503}, "no Alertmanager of this cluster answered"),
        (aggregates_unknown, {"metrics": 503}, "this cluster's Prometheus has no aggregates"),
        (silent, dict.fromkeys(("status", "health", "alerts", "nodes", "metrics"), 503), silent.__code__.co_consts[1]),
        (
            broken,
            dict.fromkeys(("status", "health", "alerts", "nodes", "metrics"), 503),
            "what Prometheus says was not understood",
        ),
    ],
)
def test_what_is_not_known_is_an_error_with_its_reason(
    look: Callable[[], View], statuses: dict[str, int], told: str
) -> None:
    with running(Setup(look=look)) as port, client_of(port) as client:
        answers: dict[str, Any] = {name: client.get(f"/api/v1/{name}") for name in PATHS}

    assert {name: statuses.get(name, 200) for name in PATHS} == {n: each.status_code for n, each in answers.items()}
    assert {told} == {answers[name].json()["error"] for name in statuses}
    assert {name for name in statuses if statuses[name] == 503} == {
        name for name, each in answers.items() if each.headers.get("retry-after") == "2"
    }
