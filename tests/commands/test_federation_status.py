"""`aamic federation status` on real Prometheus servers with configurations that the compiler rendered, and faults."""

from __future__ import annotations

import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aamic.clients.processes import Process, Processes
from aamic.compile.compiler import Compiled, check_site, shipped_catalog
from aamic.twin.exporters import SyntheticExporters
from aamic.twin.pages import pages
from aamic.twin.stage import Launch, launches, staged, write_hosts
from tests.twin.test_run import needs_programs

pytestmark = needs_programs
SITE = """
version: 1
cluster: {name: many}
nodes:
  "mon-[01-03]": {addresses: "10.10.0.[11-13]"}
  "gpu-[01-06]": {addresses: "10.10.1.[1-6]", gpu: {vendor: nvidia, model: H100, count: 1}}
federation:
  central_node: mon-01
  by: count
  shards: 2
  shard_nodes: mon-[02-03]
"""
BROKEN_RULE = """
groups:
- name: broken
  rules:
  - record: broken:join
    expr: up{job="node"} * on () up{job="node"}
"""


@dataclass
class Site:
    """A running site: its file, and its servers by the names of their processes."""

    twin: Compiled
    folder: Path
    processes: Processes
    commands: dict[str, Launch]

    @property
    def path(self) -> Path:
        return self.folder / "site.yaml"

    def process(self, name: str) -> Process:
        return next(each for each in self.processes.running if each.name.startswith(f"{name} on "))

    def start(self, launch: Launch) -> None:
        log = self.folder / f"{launch.unit}.log"
        self.processes.start(launch.name, launch.command, launch.folder, log, launch.environment)

    def reload(self, name: str) -> None:
        os.kill(self.process(name).child.pid, signal.SIGHUP)

    def root(self, name: str) -> Path:
        """The folder that stands for the host of a server."""
        return self.commands[name].folder

    def status(self, *words: str, site: Path | None = None) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "aamic", "federation", "status", "-f", str(site or self.path), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def seen(self, *words: str, site: Path | None = None) -> dict[str, Any]:
        done = self.status(*words, "--json", site=site)
        assert done.stdout, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found | {"by": {each["name"]: each for each in found["servers"]}}

    def wait(self, name: str, state: str, about: str = "", seconds: float = 60) -> dict[str, Any]:
        """Until a server has this state, with a reason about this."""
        until = time.monotonic() + seconds
        while True:
            server: dict[str, Any] = self.seen()["by"][name]
            if server["state"] == state and about in told(server):
                return server
            assert time.monotonic() < until, server
            time.sleep(0.5)


def told(server: dict[str, Any]) -> str:
    return "\n".join(f"{each['level']}: {each['text']}" for each in server["reasons"])


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Two shards and central, each on a host of its own, for all tests of this module."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "whole.yaml").write_text(SITE)
    with ExitStack() as stack:
        twin = stack.enter_context(staged(check_site(folder / "whole.yaml"), 24, (), folder))
        write_hosts(twin, folder / "hosts")
        shown = pages(twin.site, twin.fleet, shipped_catalog(), frozenset())
        stack.enter_context(SyntheticExporters(shown))
        processes = stack.enter_context(Processes())
        commands = {each.name.partition(" on ")[0]: each for each in launches(twin, folder / "hosts", None)}
        site = Site(twin, folder, processes, commands)
        for launch in commands.values():
            site.start(launch)
        yield site


@pytest.fixture
def site(running: Site) -> Site:
    """The same with everything well."""
    until = time.monotonic() + 90
    while (found := running.seen())["state"] != "ok":
        assert time.monotonic() < until, "\n".join(map(told, found["servers"]))
        time.sleep(0.5)
    return running


SHARD = "aami-prometheus-shard-2"


@contextmanager
def changed(path: Path, content: str) -> Iterator[None]:
    before = path.read_bytes() if path.exists() else None
    path.write_text(content)
    try:
        yield
    finally:
        if before is None:
            path.unlink()
        else:
            path.write_bytes(before)


def test_a_site_that_is_well(site: Site) -> None:
    done = site.status("--exit-code")
    found = site.seen()

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("many: 3 of 3 servers are ok\n")
    assert all(len(line) <= 100 for line in done.stdout.splitlines())
    shard, central = found["by"]["shard-1"], found["by"]["central"]
    assert shard["targets"]["up"] == shard["targets"]["desired"] > 1
    assert (shard["targets"]["jobs"]["central"]["up"], "central" in found["by"]["shard-2"]["targets"]["jobs"]) == (
        1,
        False,
    )
    assert (shard["federation"]["health"], central["targets"]["jobs"]["federate"]["up"]) == ("up", 2)
    assert -1 < shard["federation"]["newest_sample_seconds_ago"] < 30
    assert shard["series"]["head"] > 0
    assert (shard["ready"], shard["reloaded"], central["reloaded"]) == (True, True, True)
    assert shard["storage"]["oldest_seconds_ago"] < 600
    assert central["federation"] is None


def test_a_server_that_is_gone_is_unknown_and_central_cannot_read_it(site: Site) -> None:
    site.processes.kill(site.process(SHARD))
    try:
        server = site.wait("shard-2", "unknown", "central cannot read it")
        done = site.status("--exit-code")
    finally:
        site.start(site.commands[SHARD])

    assert (done.returncode, "does not answer" in told(server)) == (16, True)
    assert [server[key] for key in ("ready", "version", "rules", "reloaded")] == [None] * 4
    assert server["targets"]["up"] is None
    assert f"? of {server['targets']['desired']}" in done.stdout
    assert "many: 1 of 3 servers are ok, 1 warning, 1 unknown\n" in done.stdout


def test_a_server_that_hangs_costs_the_time_it_was_given_and_no_more(site: Site) -> None:
    process = site.process(SHARD)
    os.kill(process.child.pid, signal.SIGSTOP)
    try:
        begin = time.monotonic()
        found = site.seen("--timeout", "2s")
        took = time.monotonic() - begin
    finally:
        os.kill(process.child.pid, signal.SIGCONT)

    assert "timed out" in told(found["by"]["shard-2"])
    assert found["by"]["shard-2"]["state"] == "unknown"
    assert found["by"]["shard-1"]["ready"] is True
    assert took < 12


def test_without_central_nobody_says_what_it_has_of_the_shards(site: Site) -> None:
    process = site.process("aami-prometheus-central")
    os.kill(process.child.pid, signal.SIGSTOP)
    try:
        found = site.seen("shard-1", "--timeout", "2s")
    finally:
        os.kill(process.child.pid, signal.SIGCONT)

    (shard,) = found["servers"]
    assert (shard["state"], shard["ready"], found["state"]) == ("unknown", True, "unknown")
    assert "unknown: what central has of it is not known: " in told(shard)
    assert shard["federation"]["health"] is None


def test_a_rule_that_fails_is_named_with_its_error(site: Site) -> None:
    with changed(site.root(SHARD) / "etc/aami/rules/shard/broken.yml", BROKEN_RULE):
        site.reload(SHARD)
        server = site.wait("shard-2", "warning", "1 of ")
        assert "`broken:join`: " in told(server)
        assert "its rule groups are not those of the site: broken" in told(server)
        assert [each["rule"] for each in server["rules"]["failing"]] == ["broken:join"]
    site.reload(SHARD)


def test_a_configuration_that_is_refused_is_a_failure(site: Site) -> None:
    path = site.root(SHARD) / "etc/aami/prometheus-shard-2/prometheus.yml"
    with changed(path, path.read_text() + "nonsense: 1\n"):
        site.reload(SHARD)
        server = site.wait("shard-2", "failing", "it refused its configuration")
        assert server["reloaded"] is False
    site.reload(SHARD)


def test_a_node_that_the_server_does_not_know_and_one_that_the_site_dropped(site: Site) -> None:
    document = json.loads(site.path.read_text())
    (node,) = [each for each in document["federation"]["shards"] if each["name"] == "shard-2"]
    dropped = node["nodes"].split(",")[0]
    document["nodes"]["gpu-07"] = document["nodes"][dropped] | {"address": "127.64.0.99"}
    node["nodes"] = ",".join([*node["nodes"].split(",")[1:], "gpu-07"])
    del document["nodes"][dropped]
    other = site.folder / "other.yaml"
    other.write_text(json.dumps(document))
    server = site.seen(site=other)["by"]["shard-2"]

    jobs = server["targets"]["jobs"]
    assert server["state"] == "warning"
    assert {name: each["missing"] for name, each in jobs.items() if each["missing"]} == {
        "dcgm": ["gpu-07"],
        "node": ["gpu-07"],
    }
    assert len(jobs["node"]["extra"]) == 1
    assert "the site gives it `dcgm`, `node` of gpu-07, and it does not read that" in told(server)


class Stranger(http.server.BaseHTTPRequestHandler):
    """Answers everything, with a page."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>\n\x1b[2Jhello")

    def log_message(self, *_: object) -> None:
        pass


def test_another_server_at_the_address_is_no_prometheus(site: Site) -> None:
    document = json.loads(site.path.read_text())
    shard = document["federation"]["shards"][0]
    host = site.commands[f"aami-prometheus-{shard['name']}"].host
    address = document["nodes"][host]["address"]
    with http.server.ThreadingHTTPServer((address, 0), Stranger) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        shard["prometheus"]["port"] = server.server_port
        other = site.folder / "stranger.yaml"
        other.write_text(json.dumps(document))
        found = site.seen(site=other)
        done = site.status(shard["name"], site=other)
        server.shutdown()

    seen = found["by"][shard["name"]]
    assert (seen["state"], seen["ready"]) == ("unknown", None)
    assert "did not answer JSON" in told(seen)
    assert "it is not among the targets of central" in told(seen)
    assert "\x1b" not in done.stdout
    assert done.returncode == 1


def test_one_server_is_asked_for_with_its_jobs(site: Site) -> None:
    done = site.status("shard-2", "--exit-code")

    assert done.returncode == 0
    assert "shard-2  node " in done.stdout.replace("node  ", "node ")
    assert "shard-1" not in done.stdout
    assert done.stdout.endswith("many: 1 of 1 server is ok\n")
    wrong = site.status("shard-3")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "the site has no Prometheus server `shard-3`" in wrong.stderr
    assert site.status("--timeout", "soon").returncode == 2
