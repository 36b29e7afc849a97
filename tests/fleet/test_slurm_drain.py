"""The drain controller on a real Slurm, with verdicts in a real Prometheus."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pytest

from aamic.catalog.artifacts.slurm import drain as controller
from aamic.catalog.artifacts.slurm import package
from aamic.catalog.artifacts.slurm.drain import CONFIG
from aamic.model.fleet import Gpu, GpuProbe
from aamic.model.tree import File
from tests import fleets
from tests.fleet.slurm import Slurm

PAGE: Final = "/srv/drain-page"
JOURNAL: Final = ("journalctl", "-q", "-o", "cat", "-t", "aamic-drain")
PROMETHEUS: Final = """\
global: {scrape_interval: 1s}
scrape_configs:
  - job_name: page
    static_configs: [{targets: ["127.0.0.1:9997"], labels: {cluster: c1}}]
"""
DRAINED: Final = "IDLE+DRAIN"
REASON: Final = "aamic: fatal error on GPU 3"


@dataclass
class Drain:
    """The controller on the host of slurmctld, and what Prometheus is told there."""

    slurm: Slurm
    config: Mapping[str, Any]
    mode: str = "on"
    refused: dict[str, float] = field(default_factory=dict)

    def run(self, *failing: str) -> str:
        """One run, once Prometheus has the verdicts; what it printed."""
        config = {"mode": self.mode, "cluster": "c1", "cap": 1, "urls": ["http://127.0.0.1:9996"], "textfiles": None}
        self._write(CONFIG, json.dumps({**self.config, **config}))
        self._publish(failing)
        before = self.slurm.controller.do(*JOURNAL)
        self.slurm.controller.do("systemctl", "start", "aamic-drain.service")
        self.slurm.controller.do("journalctl", "--sync")
        return self.slurm.controller.do(*JOURNAL).removeprefix(before)

    def _write(self, path: str, text: str) -> None:
        target = self.slurm.controller.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def _publish(self, failing: tuple[str, ...]) -> None:
        now = time.time()
        lines = [f"published {now}"]
        for name in self.slurm.nodes:
            verdict = "fail" if name in failing else "ok"
            lines.append(f'node:aamic_node_verdict{{node="{name}",verdict="{verdict}"}} 1')
            lines.append(f'node:aamic_node_check_timestamp_seconds{{node="{name}"}} {now}')
        lines += [f'node:aamic_failing_signal{{node="{name}",signal="fatal_error",gpu="3"}} 1' for name in failing]
        at = "node:aamic_node_refused_timestamp_seconds"
        lines += [f'{at}{{node="{name}"}} {when}' for name, when in self.refused.items()]
        self._write(f"{PAGE}/metrics.new", "\n".join(lines) + "\n")
        self.slurm.controller.do("mv", f"{PAGE}/metrics.new", f"{PAGE}/metrics")
        self._wait(now)

    def _wait(self, published: float) -> None:
        ask = ("promtool", "query", "instant", "http://127.0.0.1:9996", f"published == {published}")
        until = time.monotonic() + 30
        while "published" not in (seen := self.slurm.controller.run(*ask)).stdout:
            assert time.monotonic() < until, seen
            time.sleep(0.2)


@pytest.fixture
def drain(slurm: Slurm) -> Iterator[Drain]:
    host, files = slurm.controller, _rendered(slurm)
    for file in files.values():
        target = host.root / file.path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.content)
    host.do("mkdir", "-p", PAGE, "/var/lib/aami/textfile")
    host.do("systemctl", "daemon-reload")
    (host.root / PAGE.lstrip("/") / "prometheus.yml").write_text(PROMETHEUS)
    page = ("/usr/bin/python3", "-m", "http.server", "9997", "--directory", PAGE)
    options = (f"--config.file={PAGE}/prometheus.yml", f"--storage.tsdb.path={PAGE}/data")
    _start(slurm, "drain-page", page)
    _start(slurm, "drain-prometheus", ("/usr/bin/prometheus", *options, "--web.listen-address=127.0.0.1:9996"))
    try:
        yield Drain(slurm, json.loads(files[CONFIG].content))
    finally:
        host.run("systemctl", "stop", "drain-page", "drain-prometheus")
        host.run("rm", "-rf", PAGE, "/var/lib/aamic/drain", "/var/lib/aami/textfile", *files)
        host.do("systemctl", "daemon-reload")
        slurm.reset()


def _rendered(slurm: Slurm) -> Mapping[str, File]:
    gpus = Gpu("nvidia", "H100", 4)
    every = {host.name: fleets.node(host.name, host.address, gpu=gpus) for host in slurm.hosts}
    settings = fleets.slurm(nodes=tuple(slurm.nodes), auto_drain="on")
    probes = (GpuProbe("nvidia", 9400, "/metrics", frozenset(slurm.nodes)),)
    servers = [fleets.server(nodes=tuple(every), host="slurm-ctl")]
    fleet = fleets.fleet(every, servers, slurm=settings, probes=probes)
    parts = (*package.parts(fleet, settings), *controller.parts(fleet))
    return {file.path: file for part in parts for file in part.files}


def _start(slurm: Slurm, unit: str, command: tuple[str, ...]) -> None:
    slurm.controller.do("systemd-run", "--quiet", "--collect", f"--unit={unit}", *command)


def states(slurm: Slurm) -> Mapping[str, tuple[str, str]]:
    return {name: slurm.node_state(name) for name in slurm.nodes}


def test_a_failing_node_is_drained_once_with_our_reason(slurm: Slurm, drain: Drain) -> None:
    said = [drain.run("node-02"), drain.run("node-02"), drain.run()]

    assert states(slurm) == {"node-01": ("IDLE", ""), "node-02": (DRAINED, REASON)}
    assert said == [f"drained node-02: {REASON}\n", "", ""]


def test_a_job_that_runs_is_left_to_end_and_the_next_goes_elsewhere(slurm: Slurm, drain: Drain) -> None:
    job = slurm.submit("sleep 600", "--nodelist=node-01")
    slurm.wait_job(job, "RUNNING")
    drain.run("node-01")
    state = slurm.node_state("node-01")[0]
    other = slurm.submit("true")

    assert (state, slurm.job_field(job, "JobState")) == ("MIXED+DRAIN", "RUNNING")
    assert (slurm.wait_job(other), slurm.job_field(other, "NodeList")) == ("COMPLETED", "node-02")


def test_what_somebody_else_drained_is_left(slurm: Slurm, drain: Drain) -> None:
    reason = 'Reason="disk" [ann@1] Comment=aamic: x'
    slurm.scontrol("update", "NodeName=node-01", "State=DRAIN", reason)
    before = states(slurm)
    said = drain.run("node-01")

    assert states(slurm) == before
    assert said == "leaving node-01 as it is, although it fails: drained by somebody else\n"


def test_a_node_that_another_ones_comment_speaks_of_is_left(slurm: Slurm, drain: Drain) -> None:
    forged = "NodeName=node-02 State=IDLE ThreadsPerCore=1 x"
    slurm.scontrol("update", "NodeName=node-01", f"Comment=see\n{forged}")
    said = drain.run("node-02")
    slurm.scontrol("update", "NodeName=node-01", "Comment=")

    assert states(slurm) == dict.fromkeys(slurm.nodes, ("IDLE", ""))
    assert said == "leaving node-02 as it is, although it fails: not known to Slurm, or shown by it in two ways\n"


def test_shadow_mode_changes_nothing(slurm: Slurm, drain: Drain) -> None:
    drain.mode = "shadow"
    said = drain.run("node-02")

    assert states(slurm) == dict.fromkeys(slurm.nodes, ("IDLE", ""))
    assert said == f"would drain node-02: {REASON}\n"


def test_more_than_the_cap_trips_the_breaker(slurm: Slurm, drain: Drain) -> None:
    said = drain.run("node-01", "node-02")

    assert states(slurm) == dict.fromkeys(slurm.nodes, ("IDLE", ""))
    assert said.startswith("breaker tripped: 2 nodes began to fail within 600 s, more than the 1 that may be drained")


@pytest.mark.parametrize("refused", [True, False], ids=["our prolog", "another prolog"])
def test_a_prolog_error_is_adopted_if_our_prolog_refused(slurm: Slurm, drain: Drain, refused: bool) -> None:  # noqa: FBT001  # pytest gives it by name
    slurm.write("/etc/slurm/refuse", "#!/bin/sh\nexit 1\n", 0o755)
    slurm.configure(slurm.conf.with_lines(["Prolog=/etc/slurm/refuse"]))
    job = slurm.submit("true", "--nodelist=node-02")
    slurm.wait_node("node-02", DRAINED)
    before = slurm.node_state("node-02")[1]
    drain.refused = {"node-02": time.time()} if refused else {}
    drain.run("node-02")
    after = slurm.node_state("node-02")[1]
    slurm.scontrol("update", f"JobId={job}", "Comment=kept")  # the job is still there, for reset to end

    assert before == "Prolog error"
    assert after == (f"aamic: its prolog refused a job: {REASON.removeprefix('aamic: ')}" if refused else before)
