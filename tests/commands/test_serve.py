"""`aamic serve` as systemd starts it, over a real Prometheus."""

from __future__ import annotations

import json
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from aamic.model.api import Fault, Nodes, Status
from aamic.views.statuspage import CSP
from tests.commands.conftest import Aamic
from tests.exposition import read
from tests.serve.process import CLUSTER, NODES, prometheus, serving, write_config
from tests.serve.server import KEY
from tests.serve.test_app import client_of
from tests.serve.test_connections import statuses
from tests.serve.test_tls import client_context, files


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with prometheus(tmp_path_factory.mktemp("prometheus")) as (found, _):
        yield found


def queries(url: str) -> float:
    text = httpx.get(f"{url}/metrics", trust_env=False).text
    line = next(
        each
        for each in text.splitlines()
        if each.startswith('prometheus_http_requests_total{code="200",handler="/api/v1/query"}')
    )
    return float(line.rpartition(" ")[2])


def test_what_prometheus_knows_is_served(tmp_path: Path, url: str) -> None:
    with serving("--config", str(write_config(tmp_path, url))) as server, client_of(server.port) as client:
        status = Status.model_validate_json(client.get("/api/v1/status").content)
        nodes = Nodes.model_validate_json(client.get("/api/v1/nodes?limit=2").content)
        series = read(client.get("/api/v1/metrics").text).series
        page = client.get("/")

    assert (status.cluster, status.nodes.total, status.nodes.up) == (CLUSTER, NODES, NODES)
    assert ([node.name for node in nodes.nodes], nodes.total) == (["gpu-0", "gpu-1"], NODES)
    assert [(each.name, each.value) for each in series] == [("cluster:gpu_count", NODES), ("cluster:nodes_up", NODES)]
    assert (page.status_code, page.headers["content-security-policy"]) == (200, CSP)
    assert f"<title>{CLUSTER}" in page.text


def test_many_readers_over_tls_make_few_queries(tmp_path: Path, url: str) -> None:
    tls = files(tmp_path).model_dump()
    with serving("--config", str(write_config(tmp_path, url, tls=tls))) as server:
        verify = client_context()
        with httpx.Client(verify=verify, headers={"Authorization": f"Bearer {KEY}"}, trust_env=False) as client:
            assert client.get(f"https://localhost:{server.port}/api/v1/ping").json() == {"ok": True, "cluster": CLUSTER}
    with serving("--config", str(write_config(tmp_path, url))) as server:
        httpx.get(f"{url}/api/v1/query?query=1", trust_env=False)
        before = queries(url)
        found = statuses(server.port, 200, "/api/v1/status")
        made = queries(url) - before

    assert found == [200] * 200
    assert 0 < made < 60  # 10 of one look, several times where this machine is slow


def test_a_stopped_prometheus_is_told_in_time(tmp_path: Path) -> None:
    with (
        prometheus(tmp_path) as (url, process),
        serving("--config", str(write_config(tmp_path, url, timeout=1.0))) as server,
        client_of(server.port) as client,
    ):
        good = client.get("/api/v1/status").status_code
        process.send_signal(signal.SIGSTOP)
        time.sleep(3.5)  # what is known no longer counts
        began = time.monotonic()
        answer = client.get("/api/v1/status", timeout=30)
        spent = time.monotonic() - began
        ping = client.get("/api/v1/ping").status_code
        ended = time.monotonic()
        server.process.terminate()
        code = server.process.wait(20)
        assert time.monotonic() - ended < 8

    assert (good, answer.status_code, ping, code) == (200, 503, 200, 0)
    assert f"`{url}` does not answer" in Fault.model_validate_json(answer.content).error
    assert spent < 4


def test_a_prometheus_that_is_gone_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = write_config(tmp_path, f"http://127.0.0.1:{port}")
    with serving("--config", str(config)) as server, client_of(server.port) as client:
        answer = client.get("/api/v1/health")

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert "Connection refused" in Fault.model_validate_json(answer.content).error


def test_alerts_of_nobody_are_missing_and_the_rest_is_known(tmp_path: Path, url: str) -> None:
    config = write_config(tmp_path, url, alertmanagers=["http://127.0.0.1:9", "http://127.0.0.1:10"])
    with serving("--config", str(config)) as server, client_of(server.port) as client:
        status = Status.model_validate_json(client.get("/api/v1/status").content)
        alerts = client.get("/api/v1/alerts")

    assert status.alerts is None
    assert any(each.startswith("alerts: ") for each in status.missing)
    assert alerts.status_code == 503


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_it_ends_when_told(tmp_path: Path, sent: signal.Signals, code: int) -> None:
    config = write_config(tmp_path, "http://127.0.0.1:9")
    with serving("--config", str(config)) as server, client_of(server.port) as client:
        client.get("/api/v1/ping")
        server.process.send_signal(sent)
        assert server.process.wait(20) == code
    told = "".join(server.log)
    assert ' key="busan" address="127.0.0.1" method="GET" path="/api/v1/ping" status=200 ' in told
    assert "Traceback" not in told


def test_a_site_is_served_as_its_host_would(tmp_path: Path, url: str) -> None:
    port = url.rpartition(":")[2]
    (tmp_path / "site.yaml").write_text(
        f"""
version: 1
cluster: {{name: test}}
prometheus: {{node: mon, port: {port}}}
nodes:
  mon: {{address: 127.0.0.1}}
  "gpu-[0-3]": {{addresses: "198.18.1.[1-4]", gpu: {{vendor: amd, model: MI300X, count: 8}}}}
serve: {{address: 127.0.0.1}}
"""
    )
    with serving(cwd=tmp_path) as server, client_of(server.port, None) as client:
        status = Status.model_validate_json(client.get("/api/v1/status").content)

    assert (status.nodes.total, status.nodes.up) == (5, NODES)


def test_what_cannot_start_says_why(aamic: Aamic, tmp_path: Path) -> None:
    def refused(*arguments: str, **changes: object) -> str:
        write_config(tmp_path, "http://127.0.0.1:9", **changes)
        done = aamic("serve", "--config", "serve.json", *arguments)
        assert done.returncode == 1
        return done.stderr.split("\nhint")[0]

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert refused(port=port) == f"error: cannot listen on `127.0.0.1` port {port}: Address already in use"
    told = refused("--address", "0.0.0.0", keys=[])  # noqa: S104  # that it is refused is the point
    assert told == "error: without TLS, keys and answers could be read on their way"
    tls = files(tmp_path).model_dump()
    assert refused(address=None, keys=[], tls=tls) == "error: there are neither keys nor client certificates"
    assert refused(tls=tls | {"key": "/nowhere"}) == "error: cannot read `/nowhere`: No such file or directory"
    assert refused(ports=1, rate="x").startswith("error: `rate` in `serve.json`: input should be a valid integer")
    (tmp_path / "site.yaml").write_text("version: 1\ncluster: {name: a}\nprometheus: {node: m}\nnodes: {m: {}}\n")
    told = "error: this site has nothing to serve\nhint: add `serve` to it: docs/clusters.md\n"
    assert aamic("serve").stderr.startswith(told)
    (tmp_path / "serve.json").write_text("{")
    assert aamic("serve", "--config", "serve.json").stderr.startswith("error: `serve.json`: invalid JSON")
    assert json.loads((tmp_path / "nodes.json").read_text())["nodes"]


def test_ipv4_comes_to_every_address_by_its_usual_name(tmp_path: Path) -> None:
    tls = files(tmp_path).model_dump()
    config = write_config(tmp_path, "http://127.0.0.1:9", address=None, tls=tls)
    with serving("--config", str(config)) as server, httpx.Client(verify=client_context(), trust_env=False) as client:
        client.get(f"https://127.0.0.1:{server.port}/api/v1/ping")
        server.process.terminate()
        server.process.wait(20)

    assert server.url.startswith("https://*:")
    assert any('key="-" address="127.0.0.1"' in each for each in server.log)
