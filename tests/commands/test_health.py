"""`aamic health` over a Prometheus that scrapes recorded answers of exporters and runs the rendered rules.

Each node's verdict and scores are those that its own node check comes to, by the configuration rendered for it.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from aamic.agent.health import exposition, nodepolicy
from aamic.agent.health.judge import Verdict, judge
from aamic.agent.health.readings import readings
from aamic.catalog.base import Fault
from aamic.catalog.vendors.amd import exporter as amd
from aamic.catalog.vendors.amd.options import AmdOptions
from aamic.catalog.vendors.nvidia import exporter as nvidia
from aamic.catalog.vendors.nvidia.options import DcgmOptions
from aamic.compile.compiler import Compiled, compile_site
from aamic.model.fleet import Gpu, Node
from aamic.ops.healthdocument import HealthDocument
from aamic.twin.exporters import Page, SyntheticExporters
from tests.catalog.artifacts.hosts import free_ports, install, running
from tests.commands.conftest import Aamic

RECORDED: Final = Path(__file__).parents[1] / "recorded"
DOWN: Final = (Fault("down", "", None),)
SITE: Final = """
version: 1
cluster: {{name: test}}
prometheus: {{node: mon, port: {server}, scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
exporters: {{dcgm: {{port: {dcgm}}}, amd: {{port: {amd}, cper: true}}, node: {{port: {node}}}}}
health:
  thresholds: [{{vendor: nvidia, model: L40S, temperature_celsius: {{warn: 95, fail: 99}}}}]
slurm:
  controller: mon
  pre_job_check: true
  check_interval: 10s
  hysteresis: {{breaches: 2}}
  thresholds: [{{vendor: nvidia, model: L40S, temperature_celsius: {{clear: 90, warn: 94}}}}]
nodes:
  mon: {{address: 127.0.4.1}}
racks:
"""


@dataclass(frozen=True)
class Answers:
    """A node, and what its exporter answers."""

    gpu: Gpu
    text: Callable[[], str]


def recorded(name: str, model: str, count: int) -> Answers:
    vendor = "amd" if name.startswith("amd") else "nvidia"
    text = (RECORDED / f"{name}.prom").read_text()
    return Answers(Gpu(vendor, model, count), lambda: text)


def synthetic(vendor: str, *faults: Fault, model: str = "H100") -> Answers:
    gpu = Gpu(vendor, model, 8)
    node = Node("n", "127.0.4.1", None, gpu, {})
    if vendor == "amd":
        return Answers(gpu, lambda: amd.EXPORTER.sample(AmdOptions(cper=True), node, faults, 60.0))
    return Answers(gpu, lambda: nvidia.EXPORTER.sample(DcgmOptions(), node, faults, 60.0))


HOT: Final = Fault("temperature", "88", 2)
NODES: Final[Mapping[str, Answers]] = {
    "dcgm": recorded("dcgm", "H100", 2),
    "lower": recorded("dcgm_lower_hostname", "H100", 2),
    "mig": recorded("dcgm_mig", "H100", 1),
    "mi300": recorded("amd_mi300x", "MI300X", 2),
    "mi250": recorded("amd_mi2xx", "MI250X", 2),
    "lost": recorded("dcgm", "H100", 3),
    "more": recorded("dcgm", "H100", 1),
    "well": synthetic("nvidia"),
    "xid": synthetic("nvidia", Fault("xid", "79", 3)),
    "afid": synthetic("amd", Fault("afid", "20", 2), model="MI300X"),
    "ecc": synthetic("amd", Fault("ecc", "2", 5), model="MI300X"),
    "hot": synthetic("nvidia", HOT),
    "hot-l40s": synthetic("nvidia", HOT, model="L40S"),
    "gone": synthetic("nvidia", Fault("lost", "", 6)),
    "stale": synthetic("nvidia"),
}
"""`dead` is one more, which answers nothing from the start."""


def address(number: int) -> str:
    return f"127.0.4.{number + 2}"


@pytest.fixture(scope="module")
def ports() -> list[int]:
    return free_ports(4)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory, ports: list[int]) -> Path:
    server, dcgm, amd_port, node = ports
    rows = [*((name, each.gpu) for name, each in NODES.items()), ("dead", Gpu("nvidia", "H100", 8))]
    racks = "".join(
        f"  r{number % 3}-{name}: {{nodes: {name}, addresses: {address(number)}, "
        f"gpu: {{vendor: {gpu.vendor}, model: {gpu.model}, count: {gpu.count}}}}}\n"
        for number, (name, gpu) in enumerate(rows)
    )
    file = tmp_path_factory.mktemp("health") / "site.yaml"
    file.write_text(SITE.format(server=server, dcgm=dcgm, amd=amd_port, node=node) + racks)
    return file


@pytest.fixture(scope="module")
def compiled(path: Path) -> Compiled:
    return compile_site(path)


@pytest.fixture(scope="module")
def site(path: Path, compiled: Compiled, ports: list[int]) -> Iterator[tuple[Path, SyntheticExporters]]:
    """The site, with its only server running over the answers."""
    install(compiled.tree, "mon", path.parent / "mon")
    pages = [
        Page(name, address(number), ports[2 if each.gpu.vendor == "amd" else 1],
             next(probe.path for probe in compiled.fleet.probes if probe.vendor == each.gpu.vendor),
             lambda _faults, _seconds, each=each: each.text())  # type: ignore[misc]
        for number, (name, each) in enumerate(NODES.items())
    ]  # fmt: skip
    with (
        SyntheticExporters(pages) as exporters,
        running(path.parent / "mon", "aami-prometheus.service", "127.0.4.1"),
    ):
        yield path, exporters


@pytest.fixture(scope="module")
def checks(compiled: Compiled) -> dict[str, Verdict]:
    """What the node check of each node says, from the exporter's answer and its rendered configuration."""
    configs = {
        host: json.loads(file.content)
        for bundle in compiled.tree.bundles
        for file in bundle.files
        for host in bundle.hosts
        if file.path == "/etc/aami/slurm/node-check.json"
    }
    return {name: checked(each.text().encode(), configs[name]) for name, each in NODES.items()}


def checked(answer: bytes, config: dict[str, Any]) -> Verdict:
    memory: dict[str, Any] = {}
    for number in range(10):
        seen = readings(exposition.read(answer).samples, config["signals"])
        verdict, memory = judge(seen, nodepolicy.policy(config), memory, 10.0 * number)
    return verdict


def asked(aamic: Aamic, path: Path, *arguments: str) -> dict[str, Any]:
    done = aamic("health", *arguments, "-f", str(path), "--json")
    assert done.stderr == ""
    document: dict[str, Any] = json.loads(done.stdout)
    HealthDocument.model_validate_json(done.stdout)
    return document


@pytest.fixture
def settled(site: tuple[Path, SyntheticExporters], checks: dict[str, Verdict], aamic: Aamic) -> Path:
    """The site, once the hot node has been hot for long enough."""
    path, exporters = site
    exporters.faults = {}
    until = time.monotonic() + 90
    while time.monotonic() < until:
        found = {node["name"]: node["verdict"] for node in asked(aamic, path)["nodes"]}
        if all(found[name] == checks[name].state for name in NODES):
            return path
        time.sleep(1)
    raise TimeoutError(found)


def test_it_agrees_with_the_node_check_on_every_gpu(settled: Path, checks: dict[str, Verdict], aamic: Aamic) -> None:
    found = {node["name"]: node for node in asked(aamic, settled)["nodes"]}

    assert {name: said(each) for name, each in found.items() if name != "dead"} == {
        name: (each.state, each.score, each.reason, {gpu: (each.states[gpu], each.scores[gpu]) for gpu in each.scores})
        for name, each in checks.items()
    }
    assert [found["dead"][key] for key in ("verdict", "score", "reason")] == [
        "unknown",
        None,
        "its exporter does not answer; there is no sample of the last 3 s",
    ]


def said(node: dict[str, Any]) -> tuple[Any, ...]:
    gpus = {gpu["gpu"]: (gpu["verdict"], gpu["score"]) for gpu in node["gpus"]}
    return node["verdict"], node["score"], node["reason"], gpus


def test_the_faults_have_the_verdicts_that_they_deserve(checks: dict[str, Verdict]) -> None:
    assert {name: each.state for name, each in checks.items()} == {
        **dict.fromkeys(("dcgm", "lower", "mi250", "mi300", "well", "hot-l40s", "stale"), "ok"),
        **dict.fromkeys(("lost", "xid", "afid", "ecc", "gone", "mig"), "fail"),
        "hot": "warn",
        "more": "unknown",
    }


def test_an_exporter_that_dies_is_unknown_at_once(
    settled: Path, site: tuple[Path, SyntheticExporters], aamic: Aamic
) -> None:
    _, exporters = site
    exporters.faults = {"stale": DOWN}
    until = time.monotonic() + 20
    while (found := asked(aamic, settled, "stale"))["verdict"] == "ok" and time.monotonic() < until:
        time.sleep(0.5)

    assert (found["overall"], found["verdict"]) == (None, "unknown")
    assert "its exporter does not answer" in found["nodes"][0]["reason"]


def test_one_node_shows_its_gpus_and_in_detail_what_was_looked_at(settled: Path, aamic: Aamic) -> None:
    brief = aamic("health", "xid", "-f", str(settled))
    full = aamic("health", "xid", "-f", str(settled), "--detailed")

    lines = brief.stdout.splitlines()
    assert brief.returncode == 0
    assert lines[0].startswith("fail       xid in rack ")
    assert "XID 79 (GPU has fallen off the bus)" in brief.stdout
    assert sum("GPU " in line and line.startswith("  ok ") for line in lines) == 7
    assert "temperature: temperature " in full.stdout
    assert "(warn 85)" in full.stdout
    assert max(map(len, full.stdout.splitlines())) <= 80


def test_the_exit_code_tells_if_it_is_asked(settled: Path, aamic: Aamic) -> None:
    assert aamic("health", "-f", str(settled)).returncode == 0
    assert aamic("health", "-f", str(settled), "--exit-code").returncode == 16
    assert aamic("health", "well,dcgm", "-f", str(settled), "--exit-code").returncode == 0


def test_a_host_list_is_summed_up(settled: Path, aamic: Aamic) -> None:
    found = asked(aamic, settled, "well,xid,mon,dead")

    assert (found["verdict"], found["counts"]) == ("fail", {"ok": 1, "warn": 0, "unknown": 1, "fail": 1})
    assert found["overall"] == found["nodes"][0]["score"] // 3
    assert found["without_gpus"] == ["mon"]


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A site without Slurm; its second shard's server does not answer, and neither does the first."""
    path = tmp_path / "site.yaml"
    path.write_text(
        "version: 1\ncluster: {name: small}\nprometheus: {node: mon, port: 9999}\n"
        "nodes:\n  mon: {address: 127.0.0.1}\n"
        '  "n[1-3]": {addresses: "198.18.1.[1-3]", gpu: {vendor: nvidia, model: H100, count: 8}}\n'
    )
    return path


def test_where_no_server_answers_everything_is_unknown(aamic: Aamic, small: Path) -> None:
    done = aamic("health", "-f", str(small))

    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines() == [
        "unknown    small: score -; 3 nodes with GPUs: 3 unknown",
        "",
        "unknown    n[1-3]: `http://127.0.0.1:9999` does not answer: [Errno 111]",
        "           Connection refused",
        "",
        "1 node has no GPUs: mon",
    ]


def test_a_server_that_is_named_is_asked_alone(aamic: Aamic, small: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        done = aamic("health", "n1", "-f", str(small), "--prometheus", url, "--json")

    document = json.loads(done.stdout)
    assert (done.returncode, document["overall"], document["verdict"]) == (1, None, "unknown")
    assert f"`{url}` does not answer" in document["silences"][0]["message"]


def test_what_is_no_url_is_a_usage_error(aamic: Aamic, small: Path) -> None:
    assert aamic("health", "-f", str(small), "--prometheus", "file:///etc/passwd").returncode == 2


@pytest.mark.parametrize(
    ("node", "told"),
    [
        ("n4", "error: the site has no node `n4`\nhint: name one of the site's `nodes` or `racks`\n"),
        ("n[1", "error: "),
        ("mon", "error: none of these nodes has GPUs\nhint: give nodes a `gpu:` in the site, such as "),
    ],
)
def test_nodes_that_cannot_be_judged_are_refused(aamic: Aamic, small: Path, node: str, told: str) -> None:
    done = aamic("health", node, "-f", str(small))

    assert (done.returncode, done.stdout, done.stderr[: len(told)]) == (1, "", told)
