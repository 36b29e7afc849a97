from __future__ import annotations

import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

from aamic.agent.health import nodemetrics
from aamic.agent.health.gpustate import Finding
from aamic.agent.health.judge import Verdict
from aamic.catalog.base import Ground
from aamic.catalog.exporters.node import collectors
from aamic.catalog.exporters.node.exporter import EXPORTER, contribute, series
from aamic.catalog.exporters.node.options import Collector, Collectors, NodeOptions
from aamic.catalog.exporters.node.sample import sample
from aamic.model.fleet import Gpu, Metric, Node, Tarball, Unit
from aamic.model.site import MetricSpec
from aamic.model.source import TarballSource
from tests.fleets import slurm

Read = Callable[[str], Any]
NODE = Node("cpu-1", "10.0.0.1", None, None, {}, threads=4)
GROUND = Ground({"cpu-1": NODE, "cpu-2": replace(NODE, name="cpu-2")}, "15s", None)
EVERYTHING = NodeOptions(collectors=Collectors(enable=list(get_args(Collector))))


def unit_of(options: NodeOptions) -> Unit:
    (service,) = contribute(options, GROUND).services
    assert service.unit is not None
    return service.unit


def declared(options: NodeOptions) -> dict[str, Metric]:
    (endpoint,) = contribute(options, GROUND).endpoints
    return {metric.name: metric for metric in endpoint.metrics}


def test_it_runs_on_every_node_in_order() -> None:
    contribution = contribute(NodeOptions(), GROUND)

    assert [(one.bundle, one.hosts) for one in contribution.services] == [("node", ("cpu-1", "cpu-2"))]
    assert [("node", 9100, "/metrics", frozenset({"cpu-1", "cpu-2"}))] == [
        (one.job, one.port, one.path, one.hosts) for one in contribution.endpoints
    ]


def test_switched_off_it_contributes_nothing() -> None:
    off = NodeOptions(enabled=False)

    assert tuple(vars(contribute(off, GROUND)).values()) == ((), (), (), ())
    assert (series(off, NODE), sample(off, NODE, (), 0.0)) == (0, "")


def test_the_command_follows_the_options() -> None:
    options = NodeOptions(
        port=9101,
        textfile_directory="/srv/text",
        collectors=Collectors(enable=["systemd", "processes"], disable=["arp", "wifi"]),
    )

    assert unit_of(options).command == (
        "/usr/bin/prometheus-node-exporter",
        "--web.listen-address=:9101",
        "--collector.textfile.directory=/srv/text",
        "--no-collector.arp",
        "--collector.processes",
        "--collector.systemd",
        "--no-collector.wifi",
    )
    assert unit_of(options).writable == ()


def test_what_debian_switches_on_by_itself_is_switched_off_again() -> None:
    assert "--no-collector.systemd" in unit_of(NodeOptions()).command
    assert "node_systemd_unit_state" not in declared(NodeOptions())


def test_a_tarball_is_run_from_where_it_is_installed() -> None:
    source = TarballSource(tarball="https://example.com/n.tar.gz", sha256="0" * 64, binary="n/node_exporter")
    (service,) = contribute(NodeOptions(source=source), GROUND).services

    assert unit_of(NodeOptions(source=source)).command[0] == "/opt/aami/bin/node_exporter"
    assert isinstance(service.install, Tarball)
    assert service.install.installs_to == "/opt/aami/bin/node_exporter"


def test_the_names_of_collectors_are_those_of_the_catalog() -> None:
    assert set(collectors.known()) - {collectors.ITSELF} == set(get_args(Collector))


def test_collectors_decide_what_is_emitted() -> None:
    options = NodeOptions(collectors=Collectors(enable=["systemd"], disable=["timex", "systemd", "textfile"]))

    assert not {"node_timex_sync_status", "node_systemd_unit_state", "node_textfile_scrape_error"} & set(
        declared(options)
    )
    assert "node_load1" in declared(options)


def test_textfile_metrics_are_declared_by_the_site() -> None:
    own = {"ib_errors": MetricSpec(type="counter", labels=["port"]), "odd": MetricSpec()}
    metrics = declared(NodeOptions(textfile_metrics=own))

    assert Metric("ib_errors", "counter", frozenset({"port"}), "node") == metrics["ib_errors"]
    assert Metric("odd", "untyped", None, "node") == metrics["odd"]


@pytest.mark.parametrize(
    ("wishes", "parts"),
    [
        ({}, {"drain"}),
        ({"nodes": ("cpu-1",)}, {"drain"}),
        ({"nodes": ("gpu-1",)}, {"drain", "node"}),
        ({"nodes": ("gpu-1",), "auto_drain": "off"}, set()),
        ({"nodes": ("gpu-1",), "auto_drain": "off", "pre_job_check": True}, {"node"}),
    ],
)
def test_what_nothing_of_slurm_writes_is_not_declared(wishes: dict[str, Any], parts: set[str]) -> None:
    gpu = Node("gpu-1", "10.0.0.3", None, Gpu("nvidia", "H100", 8), {})
    ground = Ground({**GROUND.nodes, "gpu-1": gpu}, "15s", slurm(**wishes))
    (endpoint,) = contribute(NodeOptions(), ground).endpoints
    names = {metric.name for metric in endpoint.metrics}

    assert {"aamic_node_verdict" in names, "aamic_gpu_health_score" in names} == {"node" in parts}
    assert ("aamic_drain_breaker_tripped" in names) == ("drain" in parts)
    assert "aamic_node_verdict" not in declared(NodeOptions())


def test_what_the_node_check_writes_is_declared() -> None:
    finding = Finding("0", "temperature", "warn", "hot")
    verdict = Verdict("warn", 50, "hot", [finding], {"0": "warn"}, {"0": 50}, {"0": "GPU-0"}, hard=False, components={})
    gpu = Node("gpu-1", "10.0.0.3", None, Gpu("nvidia", "H100", 8), {})
    (endpoint,) = contribute(NodeOptions(), Ground({"gpu-1": gpu}, "15s", slurm(nodes=("gpu-1",)))).endpoints
    written = {
        family.name: frozenset(label for labels, _ in family.samples for label in labels)
        for family in nodemetrics.families(verdict, False, 1.0, 2)
    }

    assert written == {
        metric.name: metric.labels
        for metric in endpoint.metrics
        if metric.name.startswith(("aamic_node_", "aamic_gpu_")) and metric.name != "aamic_node_check_expected"
    }


def test_the_prediction_grows_with_threads() -> None:
    assert [series(NodeOptions(), replace(NODE, threads=n)) for n in (4, 256)] == [610 + 22 * 4, 610 + 22 * 256]


def test_the_check_is_read_where_textfiles_are() -> None:
    without = NodeOptions(collectors=Collectors(disable=["textfile"]))
    folders = [contribute(options, GROUND).services[0].textfiles for options in (NodeOptions(), without)]

    assert folders == ["/var/lib/aami/textfile", None]
    assert series(NodeOptions(), NODE) - series(without, NODE) == 10
    assert "aamic_managed_files" in declared(NodeOptions())
    assert "aamic_managed_files" not in declared(without)


@contextmanager
def running(command: tuple[str, ...]) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def answer(port: int) -> str:
    deadline = time.monotonic() + 10
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as response:
                text: str = response.read().decode()
                return text
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize(
    "chosen",
    [Collectors(), Collectors(enable=["processes", "interrupts"], disable=["xfs", "arp"])],
    ids=["defaults", "changed"],
)
def test_the_real_exporter_runs_with_this_command_and_emits_only_what_is_declared(
    chosen: Collectors, tmp_path: Path, read: Read
) -> None:
    options = NodeOptions(port=free_port(), collectors=chosen)
    (tmp_path / "site.prom").write_text("# TYPE site_ok gauge\nsite_ok 1\n")
    command = tuple(
        argument.replace("=:", "=127.0.0.1:").replace(options.textfile_directory, str(tmp_path))
        for argument in unit_of(options).command
    )
    with running(command):
        emitted = read(answer(options.port))

    known = declared(options)
    dynamic = tuple(prefix for spec in collectors.known().values() for prefix in spec.get("dynamic", ()))
    unknown = {
        one.name
        for one in emitted.series
        if one.name != "site_ok" and one.name not in known and not one.name.startswith(dynamic)
    }
    wrong = {
        f"{one.name}: {label}"
        for one in emitted.series
        if one.name in known
        for label in one.labels
        if label not in (known[one.name].labels or ())
    }
    assert [one.value for one in emitted.named("site_ok")] == [1.0]
    assert (set(), set()) == (unknown, wrong)


@pytest.mark.parametrize("options", [NodeOptions(), EVERYTHING], ids=["defaults", "everything"])
def test_a_sample_shows_only_what_is_declared(options: NodeOptions, read: Read) -> None:
    emitted = read(sample(options, NODE, (), 0.0))
    known = declared(options)

    for one in emitted.series:
        assert set(one.labels) <= (known[one.name].labels or set()), one
        assert known[one.name].type == emitted.types[one.name], one


def test_systemd_units_are_shown_where_the_collector_runs(read: Read) -> None:
    assert not read(sample(NodeOptions(), NODE, (), 0.0)).named("node_systemd_unit_state")
    shown = read(sample(EVERYTHING, NODE, (), 0.0)).named("node_systemd_unit_state")
    assert {"active"} == {one.labels["state"] for one in shown if one.value}


def test_counters_advance_and_the_rest_is_the_same_again() -> None:
    def total(text: str) -> float:
        return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith("node_cpu_seconds_total"))

    assert sample(NodeOptions(), NODE, (), 7.0) == EXPORTER.sample(NodeOptions(), NODE, (), 7.0)
    assert (
        pytest.approx(total(sample(NodeOptions(), NODE, (), 60.0)) - total(sample(NodeOptions(), NODE, (), 0.0)))
        == 4 * 60
    )
