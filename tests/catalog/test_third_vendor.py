"""A new GPU vendor is one folder and one line: a copy of the package gets both, and its command line does the rest.

The folder is `third/intel`; its modules import each other relatively, so that mypy and ruff read them where they are.
"""

from __future__ import annotations

import ast
import difflib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

import aamic
from aamic.agent.health import exposition
from aamic.agent.health.readings import Readings, readings
from aamic.catalog.base import Asked, Fault
from aamic.model.fleet import Gpu, Node
from tests.catalog.third.intel.detect import read as understand
from tests.catalog.third.intel.exporter import series
from tests.catalog.third.intel.metrics import metrics
from tests.catalog.third.intel.options import XpumOptions
from tests.catalog.third.intel.sample import sample

PACKAGE = Path(aamic.__file__).parent
FOLDER = Path(__file__).parent / "third/intel"
EXAMPLE = PACKAGE.parent / "site.example"
TABLE = "catalog/vendors/__init__.py"
LINE = '    "intel",\n'
SITE = """
version: 1
cluster: {name: three}
nodes:
  "nv-[1-2]": {addresses: "10.0.0.[1-2]", gpu: {vendor: nvidia, model: H100, count: 8}}
  "mi-[1-2]": {addresses: "10.0.1.[1-2]", gpu: {vendor: amd, model: MI300X, count: 8}}
  "pvc-[1-2]": {addresses: "10.0.2.[1-2]", gpu: {vendor: intel, model: Max 1550, count: 6}}
  "mon-[1-3]": {addresses: "10.0.3.[1-3]"}
federation: {enabled: true, type: prometheus, central_node: mon-1, shards: 2, shard_nodes: "mon-[2-3]"}
alertmanager: {nodes: mon-1}
slurm: {controller: mon-1, pre_job_check: true, auto_drain: shadow, job_mapping: true}
exporters:
  xpum: {port: 29998}
"""
NODE = Node("pvc-1", "10.0.2.1", None, Gpu("intel", "Max 1550", 6), {})
NO_CODE = shutil.ignore_patterns("__pycache__")


@dataclass(frozen=True)
class Grown:
    """A copy of the package that knows the vendor, and a site that has it."""

    package: Path
    site: Path

    def run(self, *arguments: str, code: int = 0) -> str:
        """What the copy's command says."""
        return command(self.package.parent, self.site, *arguments, code=code)


def command(path: Path, folder: Path, *arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "aamic", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(path), "NO_COLOR": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Grown:
    package = tmp_path_factory.mktemp("third") / "aamic"
    shutil.copytree(PACKAGE, package, ignore=NO_CODE)
    shutil.copytree(FOLDER, package / "catalog/vendors/intel", ignore=NO_CODE)
    table = package / TABLE
    head, names, tail = table.read_text().partition("NAMES: Final = (\n")
    table.write_text(head + names + tail.replace(")\n", LINE + ")\n", 1))
    site = package.parent / "site"
    site.mkdir()
    (site / "site.yaml").write_text(SITE)
    return Grown(package, site)


@pytest.fixture(scope="module")
def outputs(grown: Grown) -> Path:
    said = grown.run("render", "--verify")
    assert "promtool check rules: 13 files, ok" in said
    assert "systemd-analyze verify" in said
    return grown.site / "outputs"


def contents(package: Path) -> dict[str, bytes]:
    return {str(path.relative_to(package)): path.read_bytes() for path in files(package)}


def files(package: Path = PACKAGE) -> list[Path]:
    return [path for path in sorted(package.rglob("*")) if path.is_file() and path.suffix != ".pyc"]


def test_the_copy_differs_by_one_folder_and_one_line(grown: Grown) -> None:
    ours, theirs = contents(PACKAGE), contents(grown.package)
    added = [path for path in theirs if path not in ours]
    changed = [path for path in ours if ours[path] != theirs.get(path)]
    mine, copied = (each[TABLE].decode().splitlines(keepends=True) for each in (ours, theirs))

    assert added == [f"catalog/vendors/intel/{path.relative_to(FOLDER)}" for path in files(FOLDER)]
    assert changed == [TABLE]
    assert [line for line in difflib.ndiff(mine, copied) if not line.startswith("  ")] == [f"+ {LINE}"]


def test_the_package_has_never_heard_of_it() -> None:
    assert [str(path) for path in files() if re.search(rb"(?i)intel(?!l)|xpu", path.read_bytes())] == []


def test_the_site_is_valid_and_what_is_rendered_passes_the_real_tools(grown: Grown, outputs: Path) -> None:
    manifest = json.loads((outputs / "manifest.json").read_text())

    assert grown.run("validate") == "site.yaml: 9 nodes, 3 Prometheus servers: no error\n"
    assert manifest["bundles"]["gpu-intel"]["hosts"] == "pvc-[1-2]"
    unit = (outputs / "gpu-intel/etc/systemd/system/aami-xpum-exporter.service").read_text()
    assert "0.0.0.0:29998" in unit
    # The daemon's socket is in the host's /tmp.
    assert "PrivateTmp=no" in unit


def rules(outputs: Path, group: str) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for each in yaml.safe_load((outputs / f"shards/etc/aami/rules/shard/{group}.yml").read_text())["groups"]:
        for rule in each["rules"]:
            found.setdefault(rule.get("record") or rule["alert"], []).append(rule)
    return found


def test_its_metrics_become_the_neutral_series_that_aggregates_and_alerts_read(outputs: Path) -> None:
    own = rules(outputs, "gpu-intel")
    alerts = rules(outputs, "gpu")

    assert len(own) == 10
    assert {rule["labels"]["vendor"] for same in own.values() for rule in same} == {"intel"}
    assert 'gpu:temperature_celsius{vendor="intel"} > 95' in alerts["GpuHot"][0]["expr"]
    assert 'up{job=~"dcgm|amd|xpum"} == 0' in alerts["GpuExporterDown"][0]["expr"]
    # It has no table of codes, so no alert asks for some.
    assert "intel" not in alerts["GpuFatalError"][0]["expr"]


def check_of(outputs: Path) -> dict[str, Any]:
    (path,) = outputs.glob("node-check-intel-*/etc/aami/slurm/node-check.json")
    config: dict[str, Any] = json.loads(path.read_text())
    return config


def test_its_nodes_check_themselves_by_its_bounds(outputs: Path) -> None:
    config = check_of(outputs)

    assert config["inventory"] == {"vendor": "intel", "model": "Max 1550", "count": 6}
    assert config["url"] == "http://127.0.0.1:29998/metrics"
    assert config["limits"]["temperature_celsius"] == {"warn": 95, "fail": 105, "clear": 92}
    assert (config["fatal_codes"], config["code_names"]) == ([], {})


def test_the_node_check_reads_what_its_exporter_answers(outputs: Path) -> None:
    def seen(*faults: Fault) -> Readings:
        answer = exposition.read(sample(XpumOptions(), NODE, faults, 60.0).encode())
        assert answer.bad == 0
        return readings(answer.samples, check_of(outputs)["signals"])

    found = seen(Fault("temperature", "107", 1), Fault("ecc", "2", 2), Fault("lost", "", 5))

    assert list(found) == ["card0", "card1", "card2", "card3", "card4"]
    assert found["card1"]["temperature_celsius"] == 107
    # The sum of two tiles is there for the GPU, and is not added to them.
    assert [each["ecc_uncorrected_total"] for each in found.values()] == [0, 0, 2, 0, 0]
    assert set(found["card0"]) == {
        "uuid", "codes", "fatal", "temperature_celsius", "memory_temperature_celsius", "ecc_corrected_total",
        "ecc_uncorrected_total",
    }  # fmt: skip


def test_its_series_are_weighed(grown: Grown) -> None:
    def load() -> int:
        return sum(each["predicted"]["series"] for each in json.loads(grown.run("shards", "--json"))[:2])

    with_exporter = load()
    (grown.site / "site.yaml").write_text(SITE.replace("29998", "29998, enabled: false"))
    without = load()
    (grown.site / "site.yaml").write_text(SITE)

    assert with_exporter - without >= 2 * series(XpumOptions(), NODE) > 0


def test_schema_and_reference_have_its_options(grown: Grown) -> None:
    assert "xpum" in json.loads(grown.run("schema"))["$defs"]["Exporters"]["properties"]
    assert "`exporters.xpum.port`" in grown.run("schema", "--format", "markdown")


def test_it_has_a_group_of_commands(grown: Grown) -> None:
    assert "intel GPUs" in grown.run("intel", "--help")
    assert "intel GPUs" in grown.run("intel", "install", "--help")
    assert "No such command 'intel'" in command(PACKAGE.parent, grown.site, "intel", "--help", code=2)


LOG = """
[  3.1] xe 0000:4d:00.0: [drm] *ERROR* CRITICAL: Xe has declared device 0000:4d:00.0 as wedged.
[  2.1] i915 0000:1b:00.0: [drm] GPU HANG: ecode 12:1:84dffffb, in train [4242]
"""


def test_its_errors_are_explained_and_found_in_a_log(grown: Grown) -> None:
    (grown.site / "dmesg").write_text(LOG)
    told = grown.run("explain", "--log", "dmesg")

    assert "critical: sign gpu-wedged (GPU blocked by its driver) on GPU 0000:4d:00.0" in told
    assert "warning: sign gpu-hang (GPU hangs) on GPU 0000:1b:00.0" in told
    assert "sign gpu-wedged (GPU blocked by its driver)" in grown.run("intel", "explain", "gpu-wedged")
    assert grown.run("explain", "sign", "gpu-hang").count("sign gpu-hang (GPU hangs)") == len(("amd", "intel"))
    assert grown.run("intel", "list-errors").count("gpu-") == 2


def test_its_gpus_are_found_on_hosts(grown: Grown) -> None:
    for number in range(6):
        device = grown.site / f"hosts/pvc-1/sys/bus/pci/devices/0000:{number + 0x1B:02x}:00.0"
        device.mkdir(parents=True)
        for name, value in (("class", "0x038000"), ("vendor", "0x8086"), ("device", "0x0bd5")):
            (device / name).write_text(f"{value}\n")
    told = grown.run("detect", "pvc-1", "--host-root", "hosts")

    assert told.startswith("same · 1 host · pvc-1\n  6 intel Max 1550, no driver\n")


def test_its_nodes_are_imported_from_slurm(grown: Grown) -> None:
    (grown.site / "slurm.conf").write_text("ClusterName=c\nGresTypes=gpu\nNodeName=pvc-[1-2] Gres=gpu:max_1550:6\n")
    (grown.site / "gres.conf").write_text("AutoDetect=oneapi\n")

    assert '{vendor: intel, model: "Max 1550", count: 6}' in grown.run("import", "--slurm-conf", "slurm.conf")


def test_mistakes_are_told_with_its_words(grown: Grown) -> None:
    told = grown.run("twin", "--inject", "hot@pvc-1/0", "--inject", "xid:79@pvc-1/0", code=1)
    assert told.count("node `pvc-1` can have `ecc`, `temperature`, `lost`, `down`") == 2

    rule = "alerts: {custom: [{name: A, severity: info, summary: s, expr: xpum_eu_active_ratio > 1}]}\n"
    (grown.site / "odd.yaml").write_text(SITE + rule)
    assert "exporter `xpum`, on nodes with Intel GPUs, where the daemon is told to profile" in grown.run(
        "validate", "-f", "odd.yaml", code=1
    )


def test_sites_without_it_stay_as_they_are_to_the_byte(grown: Grown, tmp_path: Path) -> None:
    site = tmp_path / "site"
    shutil.copytree(EXAMPLE, site)
    command(PACKAGE.parent, site, "render", "--out", "before")
    command(grown.package.parent, site, "render", "--out", "after")

    mine, theirs = (
        {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (site / "before", site / "after")
    )
    assert len(mine) > 50
    assert mine == theirs


@pytest.mark.parametrize("model", ["Max 1550", "Flex 170"])
def test_its_twin_answers_what_it_declares(model: str, read: Callable[[str], Any]) -> None:
    node = Node("n", "10.0.0.1", None, Gpu("intel", model, 2), {})
    emitted = read(sample(XpumOptions(), node, (), 30.0))
    declared = {metric.name: metric for metric in metrics()}

    assert {one.name for one in emitted.series} == declared.keys()
    assert len(emitted.series) == series(XpumOptions(), node)
    for one in emitted.series:
        assert set(one.labels) <= (declared[one.name].labels or set()), one
        assert emitted.types[one.name] == declared[one.name].type


ANSWER = """{"device_list": [
  {"device_id": 1, "device_name": "Intel(R) Data Center GPU Max 1550", "pci_bdf_address": "0000:4d:00.0"},
  {"device_id": 0, "device_name": "Intel(R) Data Center GPU Max 1550", "pci_bdf_address": "0000:1b:00.0"}]}"""


def test_its_gpus_are_told_in_the_order_of_their_ids() -> None:
    found = understand(("xpu-smi",), ANSWER)

    assert found == Asked(None, ("Max 1550", "Max 1550"), ("0000:1b:00.0", "0000:4d:00.0"))


@pytest.mark.parametrize("answer", ["", "{}", '{"device_list": [{}]}', '{"device_list": 3}'])
def test_another_answer_is_refused(answer: str) -> None:
    with pytest.raises(ValueError, match="`xpu-smi` said"):
        understand(("xpu-smi",), answer)


WORDS = re.compile(r"(?i)nvidia|\bamd\b|dcgm|\bxid|afid|rocm|nvlink|xgmi")
EXAMPLES = {
    "commands/explain.py: xid",
    "commands/first-site.yaml: nvidia",
    "commands/first-site.yaml: amd",
    "commands/health.py: nvidia",
    "compile/imports/gpus.py: nvidia",
    "commands/twin.py: xid",
    "model/site.py: nvidia",
    "twin/faults.py: xid",
}
"""Where users are shown what a value looks like."""


def values(path: Path) -> Iterator[str]:
    """What a file of the package says to a program: no comments, no docstrings."""
    if path.suffix == ".py":
        tree = list(ast.walk(ast.parse(path.read_text())))
        docs = {id(node.value) for node in tree if isinstance(node, ast.Expr)}
        for node in tree:
            if isinstance(node, ast.Constant) and id(node) not in docs and isinstance(node.value, str | bytes):
                yield str(node.value)
            elif isinstance(node, ast.ImportFrom):
                yield f"{node.module}"
    else:
        yield from (line for line in path.read_text().splitlines() if not line.lstrip().startswith("#"))


def test_vendors_are_named_in_their_folders_alone() -> None:
    """All that may be about one vendor: its folder, the line of the table, and the examples of the alerts."""
    named = {
        f"{path.relative_to(PACKAGE)}: {word.lower()}"
        for path in files()
        if not {"vendors", "examples"} & set(path.relative_to(PACKAGE).parts)
        for text in values(path)
        for word in WORDS.findall(text)
    }

    assert named == EXAMPLES
