from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from aamic.catalog.artifacts.units.artifact import render
from aamic.model.fleet import HostFile, Service, Unit
from aamic.model.tree import File, OnChange, Part
from tests import fleets
from tests.catalog.artifacts import hosts


def parts() -> dict[str, Part]:
    return {part.bundle: part for part in render(fleets.sharded())}


def test_a_service_is_a_bundle_with_all_it_needs() -> None:
    part = parts()["node-exporter"]
    assert part.hosts == tuple(fleets.sharded().nodes)
    assert {file.path: file.on_change for file in part.files} == {
        "/etc/systemd/system/aami-node-exporter.service": OnChange("restart", "aami-node-exporter.service"),
        "/etc/sysusers.d/aami-node-exporter.conf": OnChange("sysusers"),
        "/etc/tmpfiles.d/aami-node-exporter.conf": OnChange("tmpfiles"),
    }
    assert part.services == {
        "aami-node-exporter.service": "started", "prometheus-node-exporter.service": "masked",
    }  # fmt: skip
    assert part.installs == ({"package": "prometheus-node-exporter", "version": "1.5.0-1+b6"},)


def test_a_service_that_others_run_is_not_started() -> None:
    part = parts()["gpu-amd"]
    assert part.services == {}
    assert part.files == (File("/etc/metrics/config.json", b"{}\n"),)
    assert part.installs == ({"package": "amdgpu-exporter", "version": None},)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("none", OnChange("none")),
        ("reload", OnChange("reload", "aami-x.service")),
        ("restart", OnChange("restart", "aami-x.service")),
    ],
)
def test_a_file_of_a_service_does_what_it_asks_for(asked: str, expected: OnChange) -> None:
    unit = Unit(name="aami-x", description="X", command=("/bin/true",), user="root")
    file = HostFile("/etc/aami/x", b"x", asked, 0o640, "aami-x")  # type: ignore[arg-type]  # one of its three
    every = fleets.nodes(1)
    service = Service("x", tuple(every), unit, {}, (file,))
    (part,) = render(fleets.fleet(every, (), services=(service,)))
    assert part.files[-1] == File("/etc/aami/x", b"x", 0o640, "root", "aami-x", expected)
    assert part.installs == ()


ELSEWHERE = rb"/opt/aami/(bin/dcgm-exporter|bin/thanos|venv/bin/aamic)|/usr/share/grafana/bin/grafana"
"""Programs that are not installed where tests run."""


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
@pytest.mark.parametrize("name", fleets.FLEETS)
def test_systemd_analyze_accepts_every_unit_of_a_host(name: str, tmp_path: Path) -> None:
    rendered = hosts.tree(fleets.FLEETS[name]())
    for bundle in rendered.bundles:
        for file in bundle.files:
            if file.path.endswith(".service") and ("mon-01" in bundle.hosts or bundle.name == "gpu-nvidia"):
                content = re.sub(ELSEWHERE, b"/bin/true", file.content)
                (tmp_path / Path(file.path).name).write_bytes(content)
    units = sorted(tmp_path.iterdir())
    assert len(units) >= 4
    command = ["systemd-analyze", "verify", "--man=no", *map(str, units)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
