"""Who knows which alerts there are, asked of a real Alertmanager, and of answers that are none."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aamic.clients.alarms import Alertmanagers, alarms_of
from aamic.clients.alertdocuments import of_alertmanager, of_prometheus
from aamic.clients.prometheus import Alertmanager, Prometheus
from aamic.errors import OutsideError
from aamic.model.api import Alert

STARTED = "2026-01-02T03:04:05Z"
RULES = """\
groups:
  - name: test
    rules:
      - alert: Always
        expr: vector(1)
        labels: {severity: critical, node: 'g"1\\'}
        annotations: {summary: it is so, runbook_url: https://runbooks.example.com/Always}
      - alert: Later
        expr: vector(1)
        for: 1h
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


@contextmanager
def running(command: list[str], url: str, log: Path) -> Iterator[str]:
    """A server that is ready, and gone afterwards."""
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file)
    try:
        until = time.monotonic() + 60
        while True:
            try:
                Alertmanager(url).ready()
                break
            except OutsideError:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < until, log.read_text()
                time.sleep(0.1)
        yield url
    finally:
        process.kill()
        process.wait()


@contextmanager
def alertmanager(folder: Path) -> Iterator[str]:
    """A real Alertmanager that tells nobody."""
    (folder / "am.yml").write_text(
        "route: {receiver: none}\nreceivers: [{name: none}]\n"
        "inhibit_rules: [{source_matchers: [alertname=NodeDown], target_matchers: [alertname=GpuHot], equal: [node]}]\n"
    )
    port = free_port()
    options = {
        "config.file": folder / "am.yml",
        "storage.path": folder / "am",
        "web.listen-address": f"127.0.0.1:{port}",
        "cluster.listen-address": "",
    }
    command = ["prometheus-alertmanager", *(f"--{key}={value}" for key, value in options.items())]
    with running(command, f"http://127.0.0.1:{port}", folder / "am.log") as url:
        yield url


def post(url: str, *alerts: dict[str, Any]) -> None:
    host, port = url.removeprefix("http://").split(":")
    with closing(HTTPConnection(host, int(port), timeout=10)) as connection:
        connection.request("POST", "/api/v2/alerts", json.dumps(alerts), {"Content-Type": "application/json"})
        assert connection.getresponse().status == 200


def fires(name: str, node: str, severity: str = "critical", **annotations: str) -> dict[str, Any]:
    labels = {"alertname": name, "severity": severity, "node": node, "cluster": "seoul"}
    return {"labels": labels, "annotations": annotations, "startsAt": STARTED}


def test_a_real_alertmanager_tells_what_fires_and_what_is_silenced_or_inhibited(tmp_path: Path) -> None:
    nasty = 'a"b\\c{d}\n\u202e'
    with alertmanager(tmp_path) as url:
        post(
            url,
            fires("NodeDown", "gpu-1", summary=nasty, runbook_url="https://runbooks.example.com/NodeDown"),
            fires("GpuHot", "gpu-1", "warning"),
            fires("GpuHot", nasty, "warning"),
            fires("Known", "gpu-2"),
        )
        silence = ["amtool", f"--alertmanager.url={url}", "silence", "add", "alertname=Known", "-c", "x", "-a", "me"]
        subprocess.run(silence, check=True, capture_output=True)
        expected = {
            "NodeDown gpu-1": "firing",
            "GpuHot gpu-1": "suppressed",
            f"GpuHot {nasty}": "firing",
            "Known gpu-2": "suppressed",
        }
        # What is silenced is so with the next round of the dispatcher.
        found = _when(lambda: Alertmanagers(["http://127.0.0.1:1", url]).firing(), expected)

    assert {_key(each): each.state for each in found} == expected
    down = next(each for each in found if each.name == "NodeDown")
    assert (down.severity, down.summary, down.runbook_url) == (
        "critical",
        nasty,
        "https://runbooks.example.com/NodeDown",
    )
    assert down.since == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()


def test_what_one_of_two_alertmanagers_lacks_is_had_from_the_other(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
    with alertmanager(tmp_path / "a") as restarted, alertmanager(tmp_path / "b") as old:
        post(restarted, fires("New", "gpu-1"), fires("Known", "gpu-2"))
        post(old, fires("New", "gpu-1"), fires("Known", "gpu-2"), fires("Old", "gpu-3"))
        silence = ["amtool", f"--alertmanager.url={old}", "silence", "add", "alertname=Known", "-c", "x", "-a", "me"]
        subprocess.run(silence, check=True, capture_output=True)
        expected = {"New gpu-1": "firing", "Known gpu-2": "suppressed", "Old gpu-3": "firing"}
        for urls in ([restarted, old], [old, restarted]):
            found = _when(Alertmanagers(urls).firing, expected)

            assert sorted(map(_key, found)) == sorted(expected)
        heard = Alertmanagers([restarted, "http://127.0.0.1:1"]).firing()

    assert sorted(map(_key, heard)) == ["Known gpu-2", "New gpu-1"]
    assert ["127.0.0.1:1" in each for each in heard.silent] == [True]


def _key(alert: Alert) -> str:
    return f"{alert.name} {alert.labels['node']}"


def _when(ask: Any, expected: dict[str, str]) -> tuple[Alert, ...]:
    until = time.monotonic() + 60
    while True:
        found: tuple[Alert, ...] = ask()
        if {_key(each): each.state for each in found} == expected or time.monotonic() > until:
            return found
        time.sleep(0.2)


def test_a_real_prometheus_without_alertmanager_tells_what_fires_by_its_own_rules(tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(RULES)
    (tmp_path / "prometheus.yml").write_text("global: {evaluation_interval: 1s}\nrule_files: [rules.yml]\n")
    port = free_port()
    options = {
        "config.file": tmp_path / "prometheus.yml",
        "storage.tsdb.path": tmp_path / "data",
        "web.listen-address": f"127.0.0.1:{port}",
    }
    command = ["prometheus", *(f"--{key}={value}" for key, value in options.items())]
    before = time.time()
    with running(command, f"http://127.0.0.1:{port}", tmp_path / "log") as url:
        found = _when(alarms_of([], Prometheus(url)).firing, {'Always g"1\\': "firing"})

    assert [(each.name, each.severity, each.state, each.summary) for each in found] == [
        ("Always", "critical", "firing", "it is so")
    ]
    assert before - 5 <= found[0].since <= time.time() + 1


def test_all_alertmanagers_that_failed_are_named() -> None:
    with pytest.raises(OutsideError, match=r"127\.0\.0\.1:1.*; .*127\.0\.0\.1:2"):
        Alertmanagers(["http://127.0.0.1:1", "http://127.0.0.1:2"]).firing()
    with pytest.raises(OutsideError, match="no Alertmanager"):
        Alertmanagers([]).firing()


def test_an_alert_of_which_little_is_understood_is_kept() -> None:
    assert of_alertmanager([{}]) == (Alert(name="(nameless)", severity="", state="firing", since=0, labels={}),)
    odd = {"labels": {"alertname": "A", "x": 5}, "annotations": [], "startsAt": "soon", "status": {"state": "new"}}
    assert of_alertmanager([odd]) == (Alert(name="A", severity="", state="firing", since=0, labels={"alertname": "A"}),)


def test_what_is_too_long_is_shortened() -> None:
    (found,) = of_alertmanager(
        [{"labels": {"alertname": "A" * 9999, "k" * 999: "v"}, "annotations": {"summary": "s" * 9999}}]
    )

    assert (len(found.name), len(found.summary), [len(key) for key in found.labels]) == (4096, 4096, [9, 256])


@pytest.mark.parametrize("answer", [None, {}, "alerts", [1], {"alerts": {}}])
def test_what_is_no_list_of_alerts_is_refused(answer: object) -> None:
    with pytest.raises(ValueError, match="alert"):
        of_alertmanager(answer)
    with pytest.raises(ValueError, match="alert"):
        of_prometheus(answer)


def test_pending_alerts_do_not_fire() -> None:
    found = of_prometheus({"alerts": [{"state": "pending"}, {"state": "firing"}, {}]})

    assert len(found) == 2


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["labels", "annotations", "status", "state", "startsAt", "alertname"]), inner)
    ),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.sampled_from(["labels", "annotations", "status", "startsAt", "activeAt"]), JSON)))
def test_no_answer_that_is_a_list_of_objects_is_a_fault(answer: list[Any]) -> None:
    assert len(of_alertmanager(answer)) == len(answer)
