from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aamic.agent.health import drainconfig
from aamic.catalog.artifacts.slurm.drain import CONFIG, parts
from aamic.deploy.slurmconf import HOOKS
from aamic.model.fleet import Fleet, GpuProbe
from aamic.model.tree import File, OnChange, Part
from tests import fleets

LIBRARY = "/usr/local/lib/aami"
UNITS = "/etc/systemd/system"
EXPECTED = "/var/lib/aami/textfile/aamic_drain_expected.prom"
PROBE = GpuProbe("nvidia", 9400, "/metrics", frozenset({"gpu-001", "gpu-002"}))


def of(fleet: Fleet, **changes: Any) -> Part:
    settings = {"controller": "mon-02", "nodes": ("gpu-001", "gpu-002"), "max_drained": 2, **changes}
    (part,) = parts(replace(fleet, slurm=fleets.slurm(**settings), probes=(PROBE,)))
    return part


def files(part: Part) -> dict[str, File]:
    return {file.path: file for file in part.files}


def test_it_stands_on_the_controller_once_all_else_is_there() -> None:
    part = of(fleets.sharded())

    assert (part.bundle, part.hosts, part.stage) == ("slurm-drain", ("mon-02",), "central")
    assert part.bundle not in HOOKS  # or they could not go while it stays
    assert part.services == {"aamic-drain.timer": "started"}


@pytest.mark.parametrize(
    "settings",
    [None, fleets.slurm(nodes=("gpu-001",), auto_drain="off"), fleets.slurm(nodes=("mon-03",), auto_drain="on")],
    ids=["no Slurm", "off", "no node is checked"],
)
def test_nothing_stands_where_nothing_is_decided(settings: Any) -> None:
    assert list(parts(replace(fleets.sharded(), slurm=settings, probes=(PROBE,)))) == []


def test_what_a_change_means() -> None:
    assert {file.path: (file.mode, file.on_change) for file in of(fleets.sharded()).files} == {
        CONFIG: (0o644, OnChange("none")),
        f"{LIBRARY}/aamic-drain": (0o755, OnChange("none")),
        f"{UNITS}/aamic-drain.service": (0o644, OnChange("daemon-reload")),
        f"{UNITS}/aamic-drain.timer": (0o644, OnChange("restart", "aamic-drain.timer")),
        EXPECTED: (0o644, OnChange("none")),
    }


def test_a_slurm_in_a_folder_of_its_own_is_found() -> None:
    def told(**changes: Any) -> list[str]:
        unit = files(of(fleets.sharded(), **changes))[f"{UNITS}/aamic-drain.service"].content.decode()
        return [line for line in unit.splitlines() if line.startswith("Environment=")]

    own = told(conf_dir="/opt/100% slurm/etc")

    assert (told(), own) == ([], ['Environment="SLURM_CONF=/opt/100%% slurm/etc/slurm.conf"'])


def test_the_configuration_of_shards() -> None:
    document = json.loads(files(of(fleets.sharded()))[CONFIG].content)

    assert document == {
        "version": 1,
        "mode": "shadow",
        "cluster": "seoul-gpu-1",
        "cap": 2,
        "nodes": ["gpu-001", "gpu-002"],
        "hard": ["fatal_error", "lost_gpu", "uncorrected_ecc", "row_remap_failure", "unhealthy"],
        "urls": ["http://10.10.0.1:9092"],
        "interval": 30,
        "stale": 3 * 30 + 15 + 15 + 60,
        "window": 600,
        "textfiles": "/var/lib/aami/textfile",
    }


def test_a_single_server_is_asked_itself_and_sooner() -> None:
    document = json.loads(files(of(fleets.single()))[CONFIG].content)

    assert (document["urls"], document["stale"]) == (["http://10.10.0.1:9090"], 3 * 30 + 15 + 15)


def test_the_controller_reads_what_is_rendered() -> None:
    health = replace(fleets.slurm().health, drain_on=("temperature", "lost_gpu"))
    document = json.loads(files(of(fleets.sharded(), auto_drain="on", health=health))[CONFIG].content)
    settings = drainconfig.settings(document)

    assert (settings.mode, settings.policy.hard) == ("on", frozenset({"lost_gpu"}))
    assert settings.policy.nodes == frozenset({"gpu-001", "gpu-002"})


def test_it_may_write_the_folder_of_textfiles_alone() -> None:
    lines = files(of(fleets.sharded()))[f"{UNITS}/aamic-drain.service"].content.decode().splitlines()

    assert [line for line in lines if line.startswith(("ReadWritePaths=", "CapabilityBoundingSet="))] == [
        "CapabilityBoundingSet=",
        "ReadWritePaths=/var/lib/aami/textfile",
    ]


def test_without_textfiles_it_still_drains() -> None:
    fleet = fleets.sharded()
    silent = replace(fleet, services=tuple(replace(each, textfiles=None) for each in fleet.services))
    found = files(of(silent))

    assert json.loads(found[CONFIG].content)["textfiles"] is None
    assert b"ReadWritePaths" not in found[f"{UNITS}/aamic-drain.service"].content


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_understands_the_units(tmp_path: Path) -> None:
    for path, file in files(of(fleets.sharded())).items():
        if path.startswith(UNITS):
            (tmp_path / Path(path).name).write_bytes(file.content)
    done = subprocess.run(
        ["systemd-analyze", "verify", f"{tmp_path}/aamic-drain.timer"], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
