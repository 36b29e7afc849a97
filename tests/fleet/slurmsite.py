"""All of aamic on a real Slurm cluster, put there by `aamic apply`: a site, GPUs that can break, and what hosts say."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any, Final

from aamic.agent.health import verdict
from aamic.agent.health.verdict import Verdict
from aamic.catalog.base import Fault
from aamic.catalog.vendors.nvidia.options import DcgmOptions
from aamic.catalog.vendors.nvidia.sample import sample
from aamic.model.fleet import Gpu, Node
from tests.fleet.controller import Controller, wait_until
from tests.fleet.host import Host
from tests.fleet.slurm import Slurm
from tests.fleet.slurmconf import GPUS
from tests.fleet.slurmhost import write

CHECK: Final = "aamic-node-check.service"
DRAIN: Final = "aamic-drain.service"
EXPORTER: Final = "aami-dcgm-exporter.service"
TIMERS: Final = ("aamic-node-check.timer", "aamic-drain.timer")
XID: Final = Fault("xid", "79", 3)

PAGE: Final = "/srv/gpus/metrics"
PROGRAM: Final = "/srv/gpus/exporter"
SERVER: Final = f"""\
#!/usr/bin/python3
import http.server


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with open("{PAGE}", "rb") as page:
            body = page.read()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("", 9400), Page).serve_forever()
"""
"""Stands for dcgm-exporter: it answers with a file."""

SITE: Final = """\
version: 1
cluster: {{name: fleet}}
{ssh}rollout: {{settle: 1s, ready_timeout: 10s, gate_timeout: 10s}}
nodes:
  node-01: {{address: {one}, gpu: {{vendor: nvidia, model: H100, count: {gpus}}}}}
  node-02: {{address: {two}, gpu: {{vendor: nvidia, model: H100, count: {gpus}}}}}
  slurm-ctl: {{address: {controller}}}
prometheus: {{node: slurm-ctl, scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
alerts: {{presets: []}}
exporters:
  dcgm: {{source: {{package: coreutils, binary: {program}}}}}
slurm:
  controller: slurm-ctl
  exporter: false
  check_interval: 10s
  max_drained: 1
  canary_job: {{timeout: 20s}}
"""
"""The site before anybody asked for hooks."""

LEFT: Final = """
systemctl stop aamic-node-check.timer aamic-drain.timer 2>/dev/null
rm -f /etc/tmpfiles.d/aami* /etc/sysusers.d/aami*
rm -rf /etc/aami /opt/aami /run/aamic /srv/gpus /var/lib/aami /var/lib/aamic
find /etc/systemd/system -lname '*aami*' -delete
"""


def start(host: Host, unit: str) -> None:
    """Run a unit to its end, more often than systemd puts up with by itself."""
    host.run("systemctl", "reset-failed", unit)
    host.do("systemctl", "start", unit)


@dataclass
class SlurmSite:
    """The site of a Slurm cluster, and what is asked of its hosts."""

    slurm: Slurm
    site: Controller

    def begin(self) -> None:
        """Give nodes exporters that are well, and write a site that asks for no hooks."""
        for name, node in self.slurm.nodes.items():
            write(node, PROGRAM, SERVER, 0o755)
            self.gpus(name)
        addresses = [node.address for node in self.slurm.nodes.values()]
        (self.site.folder / "site.yaml").write_text(
            SITE.format(
                ssh=self.slurm.controller.rack.site_ssh("deploy", connect_timeout="5s", command_timeout="60s"),
                one=addresses[0], two=addresses[1], controller=self.slurm.controller.address,
                gpus=GPUS, program=PROGRAM,
            )
        )  # fmt: skip

    def end(self) -> None:
        """Leave nothing of it on the hosts."""
        for host in self.slurm.hosts:
            host.run("sh", "-c", LEFT)
        self.slurm.reset()

    # What people do

    def add(self, line: str) -> None:
        """Add a line to what the site says of Slurm."""
        with (self.site.folder / "site.yaml").open("a") as file:
            file.write(f"  {line}\n")

    def edit(self, *words: str) -> None:
        """Let a command of `aamic slurm` edit the site."""
        done = self.site.run("slurm", *words, "--yes", "--no-plan")
        assert done.returncode == 0, done.stderr

    def ask(self, *words: str) -> Any:
        """What a command of `aamic slurm` answers, from JSON."""
        done = self.site.run("slurm", *words, "--json")
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    def hold_timers(self) -> None:
        """From now on a test says when there is a check, and when the drain controller decides."""
        for host in self.slurm.hosts:
            host.run("systemctl", "stop", *TIMERS)

    # GPUs

    def gpus(self, name: str, *faults: Fault) -> None:
        """Have the exporter of a node show these faults from now on, and no others."""
        host = self.slurm.nodes[name]
        node = Node(name, host.address, None, Gpu("nvidia", "H100", GPUS), {})
        write(host, f"{PAGE}.new", sample(DcgmOptions(), node, faults, 60.0))
        (host.root / f"{PAGE}.new".lstrip("/")).rename(host.root / PAGE.lstrip("/"))

    def check(self, name: str) -> Verdict:
        """The verdict of a check that is made now."""
        start(self.slurm.nodes[name], CHECK)
        return self.verdict(name)

    def verdict(self, name: str) -> Verdict:
        """The verdict that stands on a node."""
        return verdict.parse(self.slurm.nodes[name].do("cat", "/run/aamic/verdict").encode())

    def until_refusing(self, name: str) -> float:
        """Check until jobs may be refused; how many seconds that took."""
        started = time.monotonic()
        wait_until(lambda: self._waited(name).refuse, 90)
        return time.monotonic() - started

    def _waited(self, name: str) -> Verdict:
        time.sleep(1)
        return self.check(name)

    # What is told

    def said(self, host: Host, tag: str) -> list[str]:
        """The lines of a host's syslog with this tag."""
        host.do("journalctl", "--sync")
        return host.do("journalctl", "-q", "-o", "cat", "-t", tag).splitlines()

    def journal(self, name: str, job: str) -> list[str]:
        """The fields of the last line that an epilog wrote of a job, or nothing."""
        lines = self.slurm.nodes[name].run("cat", "/var/lib/aamic/jobs.journal").stdout.splitlines()
        return next((line.split("\t") for line in reversed(lines) if line.split("\t")[2] == job), [])

    def states(self) -> dict[str, tuple[str, str]]:
        """State and reason of every node."""
        return {name: self.slurm.node_state(name) for name in self.slurm.nodes}

    def drained(self) -> None:
        """Let the drain controller decide once."""
        start(self.slurm.controller, DRAIN)

    # Between tests

    def recover(self) -> None:
        """Everything is well again, long after a repair, and Prometheus knows it."""
        self.slurm.run("scancel", "--user=alice")
        for name, node in self.slurm.nodes.items():
            self.gpus(name)
            node.do("systemctl", "start", EXPORTER)
            node.do("rm", "-f", "/run/aamic/refused")
            assert self.check(name).state == "ok"
            if self.slurm.node_state(name)[0] != "IDLE":
                self.slurm.run("scontrol", "update", f"nodename={name}", "state=resume")
                self.slurm.wait_node(name, "IDLE")
        self.slurm.controller.do("rm", "-f", "/var/lib/aamic/drain/state.json")
        wait_until(lambda: self.value('sum(node:aamic_node_verdict{verdict="ok"})') == "2", 30)
        self.drained()
        wait_until(lambda: self.value("sum(node:aamic_drain_nodes + node:aamic_drain_breaker_tripped)") == "0", 30)

    def value(self, query: str) -> str:
        """The value that Prometheus answers with, or nothing."""
        ask = ("promtool", "query", "instant", "-o", "json", f"http://{self.slurm.controller.address}:9090", query)
        done = self.slurm.controller.run(*ask)
        found = json.loads(done.stdout) if done.returncode == 0 else []
        return str(found[0]["value"][1]) if found else ""
