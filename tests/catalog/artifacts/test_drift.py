from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from aamic import agent
from aamic.catalog.artifacts.drift.artifact import render
from aamic.model.fleet import Fleet
from aamic.model.tree import OnChange, Part
from tests import fleets

UNITS = "/etc/systemd/system"


def of(fleet: Fleet) -> Part:
    (part,) = render(fleet)
    return part


def reading(folder: str | None) -> Fleet:
    """A fleet whose node exporter reads textfiles there."""
    fleet = fleets.sharded()
    services = (replace(each, textfiles=folder) if each.textfiles else each for each in fleet.services)
    return replace(fleet, services=tuple(services))


def test_it_stands_wherever_textfiles_are_read() -> None:
    part = of(fleets.sharded())

    assert (part.bundle, part.hosts, part.stage) == ("drift", tuple(fleets.sharded().nodes), "exporters")
    assert part.services == {"aamic-check.timer": "started", "aamic-recover.service": "enabled"}
    assert list(render(reading(None))) == []


def test_what_a_change_means() -> None:
    assert {file.path: (file.mode, file.on_change) for file in of(fleets.sharded()).files} == {
        "/usr/local/lib/aami/aamic-check": (0o755, OnChange("none")),
        f"{UNITS}/aamic-check.service": (0o644, OnChange("daemon-reload")),
        f"{UNITS}/aamic-check.timer": (0o644, OnChange("restart", "aamic-check.timer")),
        f"{UNITS}/aamic-recover.service": (0o644, OnChange("daemon-reload")),
    }


def test_the_program_is_the_shipped_one_on_every_site() -> None:
    programs = {of(fleet).files[0].content for fleet in (fleets.sharded(), reading("/srv/text"))}

    assert programs == {agent.check()}


def test_it_may_write_the_folder_of_the_site_alone() -> None:
    lines = of(reading("/srv/text")).files[1].content.decode().splitlines()

    assert "ExecStart=/bin/sh /usr/local/lib/aami/aamic-check /srv/text" in lines
    assert [line for line in lines if line.startswith("ReadWritePaths=")] == ["ReadWritePaths=/srv/text"]
    assert "ProtectSystem=strict" in lines


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_analyze_accepts_the_units(tmp_path: Path) -> None:
    units = [file for file in of(reading("/srv/a b%c$d")).files if file.path.startswith(UNITS)]
    for unit in units:
        (tmp_path / Path(unit.path).name).write_bytes(unit.content)

    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *sorted(map(str, tmp_path.iterdir()))],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(units) == 3
