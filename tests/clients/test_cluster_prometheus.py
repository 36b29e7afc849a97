"""A real Prometheus behind TLS that wants a client certificate, and one behind a gate that wants a key."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from aamic.clients.base import Alarms, Metrics, Sample
from aamic.clients.clusterprometheus import PrometheusCluster, open_prometheus
from aamic.errors import RemoteError, RemoteState
from aamic.model.fleet import RemoteCluster
from aamic.model.secret import SecretFile
from tests.clients.peers import Answer, chain_of, cluster, http, peer, pem_of, sends, server_tls

KEY = "k3y-of-ours-0123456789"
RULES = {
    "groups": [
        {
            "name": "always",
            "interval": "1s",
            "rules": [
                {
                    "alert": "NodeDown",
                    "expr": "vector(1)",
                    "labels": {"severity": "critical", "node": "gpu-001"},
                    "annotations": {"summary": "gpu-001 is down", "runbook_url": "https://runbooks.example/NodeDown"},
                },
                {"alert": "Soon", "expr": "vector(1)", "for": "1h", "labels": {"severity": "warning"}},
            ],
        }
    ]
}
AUTHORITY = trustme.CA()
PAIR = AUTHORITY.issue_cert("127.0.0.1")
SHOWN = AUTHORITY.issue_cert("seoul.example")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site's folder, which serves the Prometheus as well."""
    made = tmp_path_factory.mktemp("site")
    for name, pair in (("server", PAIR), ("ours", SHOWN)):
        (made / f"{name}.pem").write_bytes(chain_of(pair))
        (made / f"{name}.key").write_bytes(pair.private_key_pem.bytes())
    (made / "authority.pem").write_bytes(pem_of(AUTHORITY))
    (made / "key").write_text(f"{KEY}\n")
    (made / "rules.yml").write_text(json.dumps(RULES))
    (made / "prometheus.yml").write_text(json.dumps({"rule_files": [str(made / "rules.yml")]}))
    client = {"client_auth_type": "RequireAndVerifyClientCert", "client_ca_file": "authority.pem"}
    tls = {"cert_file": "server.pem", "key_file": "server.key", **client}
    (made / "web.yml").write_text(json.dumps({"tls_server_config": tls}))
    return made


@pytest.fixture(scope="module")
def remote(folder: Path) -> Iterator[RemoteCluster]:
    """A cluster whose Prometheus has evaluated its rules."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = (
        "prometheus",
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.config.file={folder}/web.yml",
        f"--web.listen-address=127.0.0.1:{port}",
    )
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        plain = replace(cluster(f"https://127.0.0.1:{port}"), kind="prometheus", tls_ca_cert="authority.pem")
        found = replace(plain, tls_cert="ours.pem", tls_key=SecretFile(file="ours.key"))
        wait(found, folder)
        yield found
    finally:
        process.terminate()
        process.wait(20)


def wait(remote: RemoteCluster, folder: Path) -> None:
    """Return once its alerts are stored."""
    with closing(open_prometheus(remote, folder)) as there:
        until = time.monotonic() + 30
        while not answers(there):
            assert time.monotonic() < until
            time.sleep(0.05)


def answers(there: PrometheusCluster) -> bool:
    try:
        return bool(there.query('ALERTS{alertname="NodeDown"}'))
    except RemoteError as error:
        assert error.state in {"refused", "unavailable"}  # noqa: PT017  # while it starts
        return False


def test_metrics_and_alerts_come_through_mutual_tls(remote: RemoteCluster, folder: Path) -> None:
    with closing(open_prometheus(remote, folder)) as there:
        metrics: Metrics = there
        alarms: Alarms = there

        assert list(metrics.query("vector(7)")) == [Sample({}, 7.0)]
        assert there.version().startswith("2.")
        (found,) = alarms.firing()

    assert (found.name, found.severity, found.state) == ("NodeDown", "critical", "firing")
    assert found.labels == {"alertname": "NodeDown", "severity": "critical", "node": "gpu-001"}
    assert (found.summary, found.runbook_url) == ("gpu-001 is down", "https://runbooks.example/NodeDown")
    assert abs(found.since - time.time()) < 120


def test_without_our_certificate_it_refuses(remote: RemoteCluster, folder: Path) -> None:
    bare = replace(remote, tls_cert=None, tls_key=None)
    with closing(open_prometheus(bare, folder)) as there, pytest.raises(RemoteError) as caught:
        there.query("up")

    assert caught.value.state == "certificate refused"
    assert "it wants a client certificate" in str(caught.value)


def test_what_it_says_of_a_wrong_query_is_told(remote: RemoteCluster, folder: Path) -> None:
    with closing(open_prometheus(remote, folder)) as there, pytest.raises(RemoteError) as caught:
        there.query("up{")

    assert caught.value.state == "foreign"
    assert 'answered 400, which is no answer to this question: invalid parameter "query"' in str(caught.value)


def passed_on(remote: RemoteCluster, folder: Path, path: str) -> bytes:
    """What the Prometheus answers to a path, asked by another program."""
    context = ssl.create_default_context(cafile=folder / "authority.pem")
    context.load_cert_chain(folder / "ours.pem", folder / "ours.key")
    connection = HTTPSConnection(remote.endpoint.removeprefix("https://"), context=context)
    with closing(connection):
        connection.request("GET", path)
        return connection.getresponse().read()


def test_a_gate_that_wants_a_key_and_knows_no_alerts_is_read_by_series(remote: RemoteCluster, folder: Path) -> None:
    def answer(connected: socket.socket) -> None:
        request = there.requests[-1].decode()
        path = request.split()[1]
        if f"Authorization: Bearer {KEY}\r\n" not in request:
            connected.sendall(http(401, b"{}"))
        elif "/alerts" in path:
            connected.sendall(http(404, b"404 page not found", "text/plain"))
        else:
            connected.sendall(http(200, passed_on(remote, folder, path.removeprefix("/busan"))))

    with peer(answer, server_tls(PAIR)) as there:
        outside = replace(cluster(f"{there.url}/busan"), tls_ca_cert="authority.pem")
        with closing(open_prometheus(outside, folder)) as bare, pytest.raises(RemoteError) as caught:
            bare.firing()
        with closing(open_prometheus(replace(outside, api_key=SecretFile(file="key")), folder)) as gated:
            by_series = gated.firing()
    with closing(open_prometheus(remote, folder)) as direct:
        (found,) = direct.firing()

    assert caught.value.state == "unauthorized"
    assert [(each.name, each.severity, each.labels) for each in by_series] == [
        (found.name, found.severity, found.labels)
    ]
    assert abs(by_series[0].since - found.since) < 1


ODD: dict[str, tuple[Answer, RemoteState, str]] = {
    "part": (
        sends(http(200, b'{"warnings":["store\\u001b[2J is down"],"data":{"result":[]}}')),
        "unavailable",
        r"answers in part only: store\x1b[2J is down",
    ),
    "overloaded": (
        sends(http(503, b'{"status":"error","errorType":"timeout","error":"query timed out"}')),
        "unavailable",
        "it cannot answer now: query timed out",
    ),
    "error": (
        sends(http(200, b'{"status":"error","error":"boom","data":{"result":[],"alerts":[]}}')),
        "foreign",
        "but not as Prometheus does",
    ),
    "another document": (sends(http(200, b"[]")), "foreign", "but not as Prometheus does"),
    "no JSON": (sends(http(200, b"{")), "foreign", "did not answer JSON"),
    "other labels": (
        sends(http(200, b'{"data":{"result":[{"metric":{"a":1},"value":[0,"1"]}]}}')),
        "foreign",
        "its series are not those of Prometheus",
    ),
    "login page": (sends(http(200, b"<html>", "text/html")), "foreign", "a page for people"),
    "limited": (sends(http(429, b"")), "limited", "we ask too often"),
}


@pytest.mark.parametrize("case", ODD)
def test_answers_that_do_not_count_are_states(case: str) -> None:
    answer, state, told = ODD[case]
    with peer(answer) as there, closing(open_prometheus(cluster(there.url), Path())) as remote:
        with pytest.raises(RemoteError) as caught:
            remote.query("up")
        with pytest.raises(RemoteError) as other:
            remote.firing()

    assert (caught.value.state, told in str(caught.value)) == (state, True)
    assert other.value.state == state
    assert str(caught.value).isprintable()


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["data", "result", "alerts", "metric", "value", "labels", "warnings"]), inner)
    ),
    max_leaves=12,
)


@given(JSON)
def test_whatever_is_answered_gives_series_or_a_state(document: Any) -> None:
    body = json.dumps({"data": document}).encode()
    with peer(sends(http(200, body))) as there, closing(open_prometheus(cluster(there.url), Path())) as remote:
        for ask in (lambda: remote.query("up"), remote.firing, remote.version):
            try:
                ask()
            except RemoteError as error:
                assert str(error).isprintable()  # noqa: PT017  # both are right
