"""Other clusters as a real Prometheus reads them: over TLS, with a key, and whatever they claim."""

from __future__ import annotations

import contextlib
import http.server
import shutil
import ssl
import threading
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml
from hypothesis import given
from hypothesis import strategies as st

from aamic.catalog.artifacts.prometheus import remotes
from aamic.catalog.artifacts.prometheus.artifact import render
from aamic.model.fleet import Federation, Fleet, RemoteCluster
from aamic.model.secret import SecretCommand, SecretEnv, SecretFile
from tests import fleets
from tests.catalog.artifacts import hosts

needs_prometheus = pytest.mark.skipif(not shutil.which("prometheus"), reason="Prometheus is not installed")
KEY = "s3cr3t-key-of-busan"
HOSTILE = """\
# A cluster that claims to be ours, and more.
cluster:nodes_up{cluster="seoul-gpu-1",instance="10.10.0.1:9090",exported_x="y"} 41
cluster:gpu_count{cluster="busan",vendor="amd"} 8
cluster:targets_up{cluster="busan",job="node"} 3
cluster:nodes_down{cluster="third",job="remote-clusters"} 9
node:down{cluster="seoul-gpu-1",node="gpu-001"} 1
up{cluster="seoul-gpu-1",job="federate",shard="shard-1"} 0
"""


def single(*others: RemoteCluster, port: int = 9090, interval: str | None = None) -> Fleet:
    """One server that reads other clusters, and itself; with an `interval`, as often as that."""
    every = {"mon-01": fleets.node("mon-01", "127.0.0.1")}
    federation = Federation((), interval, interval) if interval else None
    return fleets.fleet(
        every, [fleets.server(port=port)], endpoints=(), services=(), clusters=others, federation=federation
    )


def jobs(fleet: Fleet) -> list[dict[str, Any]]:
    """The jobs of other clusters, as the server reads them."""
    files = {file.path: file.content for part in render(fleet) for file in part.files}
    loaded = yaml.safe_load(files["/etc/aami/prometheus/prometheus.yml"])
    return [job for job in loaded["scrape_configs"] if job["job_name"].startswith("remote-clusters/")]


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers what the server was given to those who have the key, and writes down what was asked for."""

    def do_GET(self) -> None:
        asked: list[str] = self.server.asked  # type: ignore[attr-defined]
        asked.append(self.path)
        good = self.headers.get("Authorization") == f"Bearer {KEY}"
        self.send_response(200 if good else 401)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(HOSTILE.encode() if good else b"no")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class names it so
        """Say nothing."""


@contextlib.contextmanager
def served(authority: trustme.CA, *, mutual: bool = False) -> Iterator[tuple[int, list[str]]]:
    """A cluster on a port of loopback, which wants client certificates of the same authority if `mutual`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    if mutual:
        authority.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.asked = []  # type: ignore[attr-defined]
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port, server.asked  # type: ignore[attr-defined]
        finally:
            server.shutdown()
            thread.join()


def query(url: str, text: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = hosts.get(f"{url}/api/v1/query?query={urllib.parse.quote(text)}")["data"]["result"]
    return found


def values(url: str, text: str) -> dict[str, float]:
    return {each["metric"].get("cluster", ""): float(each["value"][1]) for each in query(url, text)}


@needs_prometheus
def test_what_a_cluster_says_is_its_own_and_nothing_else(tmp_path: Path) -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    ours = authority.issue_cert("central.seoul.example")
    (port,) = hosts.free_ports(1)
    with served(authority) as (plain, asked), served(authority, mutual=True) as (mutual, _):
        pem = authority.cert_pem.bytes()
        busan = fleets.remote(
            endpoint=f"https://localhost:{plain}/x/", api_key=SecretEnv(env="K"), authorities=pem, timeout=1.0
        )
        every = (
            busan,
            replace(busan, name="wrong-key"),
            replace(busan, name="no-key", api_key=None),
            replace(busan, name="other-authority", authorities=stranger.cert_pem.bytes()),
            replace(busan, name="no-certificate", endpoint=f"https://localhost:{mutual}"),
            replace(
                busan,
                name="mutual",
                kind="prometheus",
                endpoint=f"https://localhost:{mutual}",
                certificate=b"".join(each.bytes() for each in ours.cert_chain_pems),
                tls_key=SecretFile(file="k"),
            ),
        )
        hosts.install(hosts.tree(single(*every, port=port, interval="1s")), "mon-01", tmp_path)
        secrets = tmp_path / "etc/aami/secrets"
        for each in every:
            if each.api_key is not None:
                (secrets / f"cluster-key-{each.name}").write_text("wrong" if each.name == "wrong-key" else KEY)
        (secrets / "cluster-tls-key-mutual").write_bytes(ours.private_key_pem.bytes())
        with hosts.running(tmp_path, "aami-prometheus.service"):
            url = f"http://127.0.0.1:{port}"
            up = hosts.until(lambda: found if len(found := values(url, 'up{job="remote-clusters"}')) == 6 else None)
            stored = query(url, '{job="remote-clusters",__name__!~"scrape_.*|up"}')
            claimed = query(url, '{cluster="seoul-gpu-1",job!="prometheus"}')
            (secrets / "cluster-key-wrong-key").write_text(KEY)
            hosts.until(lambda: values(url, 'up{job="remote-clusters",cluster="wrong-key"}')["wrong-key"] == 1)
    assert up == {
        "busan": 1, "wrong-key": 0, "no-key": 0, "other-authority": 0, "no-certificate": 0, "mutual": 1,
    }  # fmt: skip
    of_busan = {"cluster": "busan", "job": "remote-clusters", "instance": f"localhost:{plain}"}
    assert sorted(
        (each["metric"] for each in stored if each["metric"]["cluster"] == "busan"), key=lambda each: each["__name__"]
    ) == [
        {"__name__": "cluster:gpu_count", "vendor": "amd", **of_busan},
        {"__name__": "cluster:nodes_up", **of_busan},
    ]
    assert {each["metric"]["cluster"] for each in stored} == {"busan", "mutual"}
    assert claimed == []
    assert set(asked) == {"/x/api/v1/metrics"}


@needs_prometheus
def test_another_prometheus_gives_its_own_aggregates_alone(tmp_path: Path) -> None:
    """What it has of a third cluster, and what it counts by job, stays there, and it is no second `busan`."""
    near, far = hosts.free_ports(2)
    rules = tmp_path / "far/etc/aami/rules/shard/x.yml"
    rules.parent.mkdir(parents=True)
    records = [
        {"record": "cluster:nodes_up", "expr": "vector(3)", "labels": {"cluster": "pusan"}},
        {"record": "cluster:nodes_up", "expr": "vector(4)", "labels": {"cluster": "third", "job": "remote-clusters"}},
        {"record": "cluster:targets_up", "expr": "vector(5)", "labels": {"cluster": "pusan", "job": "node"}},
        {"record": "node:down", "expr": "vector(1)", "labels": {"cluster": "pusan", "node": "n"}},
    ]
    rules.write_text(yaml.safe_dump({"groups": [{"name": "x", "interval": "1s", "rules": records}]}))
    busan = fleets.remote(kind="prometheus", endpoint=f"http://127.0.0.1:{far}")
    hosts.install(hosts.tree(single(port=far)), "mon-01", tmp_path / "far")
    hosts.install(hosts.tree(single(busan, port=near, interval="1s")), "mon-01", tmp_path / "near")
    unit = "aami-prometheus.service"
    with hosts.running(tmp_path / "far", unit), hosts.running(tmp_path / "near", unit):
        url = f"http://127.0.0.1:{near}"
        found = hosts.until(lambda: query(url, '{job="remote-clusters",__name__=~".*:.*"}'))
    wanted = {"__name__": "cluster:nodes_up", "cluster": "busan", "job": "remote-clusters"}
    assert [each["metric"] for each in found] == [{**wanted, "instance": f"127.0.0.1:{far}"}]
    assert found[0]["value"][1] == "3"


@pytest.mark.parametrize(
    ("endpoint", "target"), [("https://[FD00::1]:9443", "[fd00::1]:9443"), ("http://[::1]", "[::1]:80")]
)
def test_an_address_of_ipv6_stands_in_brackets(endpoint: str, target: str) -> None:
    (job,) = jobs(single(fleets.remote(endpoint=endpoint)))

    assert job["static_configs"][0]["targets"] == [target]


def test_where_it_is_asked_and_how_often() -> None:
    found = jobs(
        single(
            fleets.remote(endpoint="https://mon.busan.example/", timeout=90.0),
            fleets.remote(name="jeju", kind="prometheus", endpoint="http://127.0.0.1/a/b", timeout=0.25),
            fleets.remote(name="apart", federate=False),
        )
    )
    keys = ("job_name", "scheme", "metrics_path", "scrape_interval", "scrape_timeout", "static_configs")
    assert [[job[key] for key in keys] for job in found] == [
        [
            "remote-clusters/busan", "https", "/api/v1/metrics", "60s", "60s",
            [{"targets": ["mon.busan.example:443"], "labels": {"cluster": "busan", "job": "remote-clusters"}}],
        ],
        [
            "remote-clusters/jeju", "http", "/a/b/federate", "60s", "250ms",
            [{"targets": ["127.0.0.1:80"], "labels": {"cluster": "jeju", "job": "remote-clusters"}}],
        ],
    ]  # fmt: skip


def test_no_two_clusters_share_a_file() -> None:
    """Names that look like each other's, such as `x` with a key of TLS and `x-tls` with one of the API."""
    key = SecretEnv(env="K")
    names = ("x", "x-tls", "tls-x", "key-x", "x-key")
    every = [fleets.remote(name=name, api_key=key, tls_key=key, certificate=b"", authorities=b"") for name in names]
    fleet = single(*every)
    assert len(remotes.secrets(fleet, "u")) == len({file.path for file in remotes.files(fleet)}) == 2 * len(names)


NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", fullmatch=True)
PATHS = st.from_regex(r"""(/[^ \t\r\n"'<>{}|\\^`?#%]*)?""", fullmatch=True)
REFERENCES = st.one_of(
    st.builds(SecretEnv, env=st.just("K")),
    st.builds(SecretFile, file=st.text("a:#'\"{}%é", min_size=1)),
    st.builds(SecretCommand, command=st.lists(st.text("a %$", min_size=1), min_size=1)),
)


@given(name=NAMES, path=PATHS, labels=st.dictionaries(NAMES, st.text()), secret=REFERENCES)
def test_whatever_a_cluster_is_called_is_read_as_meant(
    name: str, path: str, labels: Mapping[str, str], secret: Any
) -> None:
    other = fleets.remote(
        name=name, endpoint=f"https://a.example{path}", labels=labels, api_key=secret, tls_key=secret, certificate=b"c"
    )
    (job,) = jobs(single(other))
    assert job["static_configs"] == [
        {"targets": ["a.example:443"], "labels": {"cluster": name, "job": "remote-clusters"}}
    ]
    assert job["metrics_path"] == path.rstrip("/") + "/api/v1/metrics"
    assert job["authorization"] == {"credentials_file": f"/etc/aami/secrets/cluster-key-{name}"}
    assert job["tls_config"] == {
        "cert_file": f"/etc/aami/clusters/{name}/cert.pem",
        "key_file": f"/etc/aami/secrets/cluster-tls-key-{name}",
    }


@pytest.mark.parametrize("name", fleets.FLEETS)
def test_shards_read_no_other_cluster(name: str) -> None:
    fleet = fleets.FLEETS[name]()
    shards = {server.config_dir for server in fleet.servers if server.role == "shard"}
    texts = [file.content for part in render(fleet) for file in part.files if file.path.rpartition("/")[0] in shards]
    assert len(texts) == len([server for server in fleet.servers if server.role == "shard"])
    assert not [text for text in texts if b"remote-clusters" in text]
