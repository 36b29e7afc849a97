"""Twins with real Prometheus and Alertmanager, and what is left of them when they are ended in every way."""

import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from aamic.compile.compiler import check_site
from aamic.errors import OutsideError
from aamic.twin.faults import parse_injections
from aamic.twin.progress import steps_on
from aamic.twin.report import Report
from aamic.twin.run import Wish, run_twin
from tests.thanos.program import THANOS, needs_thanos

PROGRAMS = ("prometheus", "prometheus-alertmanager", "prometheus-node-exporter")
SITE = """
version: 1
cluster: {name: small}
racks:
  r01: {nodes: "gpu-[001-002]", addresses: "10.10.1.[1-2]", gpu: {vendor: nvidia, model: H100, count: 8}}
  r02: {nodes: "mi-001", addresses: "10.10.3.1", gpu: {vendor: amd, model: MI300X, count: 8}}
nodes:
  mon-01: {address: 10.10.0.11, memory: 64GB}
federation: {central_node: mon-01, shards: 2, by: rack, shard_nodes: mon-01}
alertmanager: {nodes: mon-01}
alerts: {presets: [node, gpu]}
notifications: {webhook: {url: "https://hooks.example.com/x"}}
"""
PAIRS = """
version: 1
cluster: {name: pairs}
racks:
  r01: {nodes: "gpu-[001-002]", gpu: {vendor: nvidia, model: H100, count: 2}}
nodes: {"mon-[01-02]": {addresses: "10.10.0.[11-12]"}}
prometheus: {node: mon-01, storage_path: /srv/metrics}
alertmanager: {nodes: "mon-[01-02]"}
alerts:
  presets: [gpu]
  custom: [{name: Flag, expr: "flag > 0", for: 1s, scope: shard}]
exporters:
  node: {enabled: false}
  custom: [{name: flags, port: 9500, path: /flags, nodes: gpu-002, metrics: {flag: {type: gauge, labels: [kind]}}}]
"""
needs_programs = pytest.mark.skipif(
    any(shutil.which(program) is None for program in PROGRAMS), reason=f"needs {', '.join(PROGRAMS)}"
)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(SITE)
    return path


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary folders, so that what a twin leaves is seen."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def run(site: Path, *inject: str, nodes: int = 24) -> Report:
    whole = check_site(site)
    wish = Wish(nodes, parse_injections(inject, whole.fleet), deadline=45.0)
    told: list[Report] = []
    report = run_twin(whole, wish, steps_on(Console(file=io.StringIO())), told.append, keep=False)
    assert told == []
    return report


def processes_below(folder: Path) -> dict[int, str]:
    """Command lines of the processes that work in or name a folder."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes().decode(errors="replace")
                if str(folder) in words or (entry / "cwd").readlink().is_relative_to(folder):
                    found[int(entry.name)] = words
            except OSError:
                continue
    return found


def soon(fact: Callable[[], bool], seconds: float = 30.0) -> bool:
    until = time.monotonic() + seconds
    while not fact() and time.monotonic() < until:
        time.sleep(0.05)
    return fact()


@needs_programs
def test_two_shards_of_two_vendors_and_a_fault(site: Path, scratch: Path) -> None:
    report = run(site, "xid:79@gpu-001/0")

    assert report.failure is None
    assert (report.nodes, report.site_nodes, report.real_node) == (4, 4, "mon-01")
    assert [(s.name, s.targets_up == s.targets, s.series > 0) for s in report.servers] == [
        ("shard-1", True, True),
        ("shard-2", True, True),
        ("central", True, True),
    ]
    assert report.federated
    assert report.federated.targets_up == report.federated.targets
    series = report.federated.gpu_series
    assert {vendor: series[vendor]["gpu:temperature_celsius"] for vendor in series} == {"amd": 8, "nvidia": 16}
    alert = report.alerts[0]
    assert {name: alert.labels[name] for name in ("cluster", "node", "gpu", "vendor", "severity")} == {
        "cluster": "small",
        "node": "gpu-001",
        "gpu": "0",
        "vendor": "nvidia",
        "severity": "critical",
    }
    assert "gpu-001" in alert.summary
    assert list(scratch.iterdir()) == []
    assert processes_below(scratch) == {}


@needs_programs
def test_one_server_two_alertmanagers_and_an_exporter_of_its_own(site: Path, scratch: Path) -> None:
    site.write_text(PAIRS)

    report = run(site, "xid:79@gpu-002/1")

    assert report.failure is None
    assert (report.real_node, list(report.urls)) == (
        None,
        ["prometheus", "alertmanager on mon-01", "alertmanager on mon-02"],
    )
    assert {alert.labels["alertname"] for alert in report.alerts} != set()
    assert list(scratch.iterdir()) == []


THANOS_SITE = (
    SITE.replace("federation: {", "federation: {type: thanos, ")
    + """
thanos: {version: "0.42.5", objstore: {env: NOT_READ_BY_TWINS}}
"""
)


@needs_programs
@needs_thanos
def test_thanos_runs_beside_the_shards_and_has_every_series_once(
    site: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(THANOS.parent), prepend=":")
    site.write_text(THANOS_SITE)

    report = run(site)

    assert (report.failure, report.left_out) == (None, ())
    assert "thanos query on mon-01" in report.urls
    assert list(scratch.iterdir()) == []
    assert processes_below(scratch) == {}


@needs_programs
def test_a_machine_without_thanos_runs_the_rest_and_says_so(site: Path) -> None:
    site.write_text(THANOS_SITE.replace("thanos: {", "thanos: {program: /nowhere/no-such-program, "))
    told: list[Report] = []

    report = run_twin(
        check_site(site), Wish(deadline=0.1), steps_on(Console(file=io.StringIO())), told.append, keep=False
    )

    assert report.left_out == ("Thanos, as this machine has no program `thanos`",)
    assert [name for name in report.urls if "thanos" in name] == []


@needs_programs
def test_a_missing_program_is_told_before_anything_starts(
    site: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(path: str, mode: int) -> bool:  # noqa: ARG001  # the signature of os.access
        return not path.endswith("alertmanager")

    monkeypatch.setattr("os.access", found)
    monkeypatch.setattr("shutil.which", lambda name: None if name.endswith("alertmanager") else f"/usr/bin/{name}")

    with pytest.raises(OutsideError) as caught:
        run(site)

    assert str(caught.value) == "`prometheus-alertmanager` is not on this machine"
    assert caught.value.hint == "install the package `prometheus-alertmanager`"
    assert list(scratch.iterdir()) == []


class Cli:
    """`aamic twin` as a process of its own, in a session of its own."""

    def __init__(self, site: Path, scratch: Path, *options: str) -> None:
        self.scratch = scratch
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from aamic.cli import main; main()", "twin", "-f", str(site), *options],
            env={**os.environ, "TMPDIR": str(scratch)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def wait_for_servers(self) -> None:
        """Wait for two shards, central, Alertmanager, node_exporter and the folder's remover."""
        assert soon(lambda: len(self.servers()) == 5 or self.process.poll() is not None)
        assert self.process.poll() is None

    def servers(self) -> dict[int, str]:
        found = processes_below(self.scratch)
        return {pid: words for pid, words in found.items() if words.startswith("/usr/bin/prometheus")}

    def listeners(self) -> list[tuple[str, int]]:
        (path,) = self.scratch.glob("aamic-twin-*/site.yaml")
        said: dict[str, Any] = json.loads(path.read_text())
        ports = [said["exporters"][name]["port"] for name in ("node", "dcgm", "amd")]
        ports += [spec["prometheus"]["port"] for spec in said["federation"]["shards"]]
        ports += [said["federation"]["central"]["port"], said["alertmanager"]["port"]]
        return [(spec["address"], port) for spec in said["nodes"].values() for port in ports]


@pytest.fixture
def cli(site: Path, scratch: Path) -> Iterator[Cli]:
    running = Cli(site, scratch)
    yield running
    running.process.kill()
    running.process.communicate()


@needs_programs
@pytest.mark.parametrize(
    ("signals", "code"),
    [
        ((signal.SIGINT,), 130),
        ((signal.SIGINT, signal.SIGINT, signal.SIGINT), 130),
        ((signal.SIGTERM,), 143),
        ((signal.SIGKILL,), -9),
    ],
)
def test_nothing_is_left_when_it_is_ended(cli: Cli, signals: tuple[int, ...], code: int) -> None:
    cli.wait_for_servers()
    listeners = cli.listeners()

    for number in signals:
        cli.process.send_signal(number)
        time.sleep(0.02)
    said = cli.process.communicate(timeout=20)[0]

    assert (cli.process.returncode, "Traceback" in said) == (code, False)
    assert soon(lambda: processes_below(cli.scratch) == {})
    assert soon(lambda: list(cli.scratch.iterdir()) == [])
    assert soon(lambda: [place for place in listeners if not is_free(*place)] == [])


def is_free(address: str, port: int) -> bool:
    """Whether a server could listen there; the kernel closes a killed one's sockets a moment after it is gone."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            probe.listen()
        except OSError:
            return False
    return True


@needs_programs
def test_a_server_that_ends_is_told_with_its_log(cli: Cli) -> None:
    cli.wait_for_servers()
    (log,) = cli.scratch.glob("aamic-twin-*/logs/*central*")
    assert soon(lambda: "level=info" in log.read_text())
    (victim,) = (pid for pid, words in cli.servers().items() if "prometheus-central/prometheus.yml" in words)

    os.kill(victim, signal.SIGKILL)
    said = cli.process.communicate(timeout=20)[0]

    assert cli.process.returncode == 1
    assert "aami-prometheus-central on mon-01 ended with -9" in said
    assert "level=info" in said
    assert list(cli.scratch.iterdir()) == []


def test_a_wrong_fault_starts_nothing(site: Path, scratch: Path) -> None:
    running = Cli(site, scratch, "--inject", "xid:79@gpu-01/0", "--json")

    said = running.process.communicate(timeout=20)[0]

    assert (running.process.returncode, list(scratch.iterdir())) == (1, [])
    assert "`--inject xid:79@gpu-01/0`: unknown node `gpu-01`" in said
    assert "did you mean `gpu-001`?" in said


@needs_programs
def test_kept_it_says_where_knows_no_drift_and_ends_well_with_ctrl_c(site: Path, scratch: Path) -> None:
    running = Cli(site, scratch, "--keep", "--json")
    assert running.process.stdout
    lines = []
    for line in running.process.stdout:
        lines.append(line.rstrip())
        if "stays up until Ctrl-C" in line:
            break
    first, last = lines.index("{"), lines.index("}")
    report = json.loads("\n".join(lines[first : last + 1]))
    drift = [sys.executable, "-m", "aamic", "drift", "-f", str(site), "--prometheus", report["urls"]["central"]]
    told_of_drift = soon(lambda: subprocess.run(drift, capture_output=True, check=False).returncode == 0)
    running.process.send_signal(signal.SIGINT)
    running.process.communicate(timeout=20)

    assert told_of_drift
    assert (report["ok"], sorted(report["urls"])) == (True, ["alertmanager on mon-01", "central", "shard-1", "shard-2"])
    assert running.process.returncode == 0
    assert list(scratch.iterdir()) == []
