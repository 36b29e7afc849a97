"""The program itself: one text for each kind of call, which shells and shellcheck can read."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from aamic import agent

PROGRAMS = {"read_only": agent.read_only, "whole": agent.whole, "slurm": agent.slurm, "site": agent.site}
UNUSED_HERE = "SC2034"  # what only looks sets variables that only the whole program reads


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_shells_can_read_it(program: Callable[[], bytes], shell: str) -> None:
    done = subprocess.run([shell, "-n"], input=program(), capture_output=True, check=False)

    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_shellcheck_finds_nothing(program: Callable[[], bytes], tmp_path: Path) -> None:
    path = tmp_path / "program.sh"
    path.write_bytes(program())
    command = ["shellcheck", "--shell=sh", f"--exclude={UNUSED_HERE}", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (done.stdout, done.returncode) == ("", 0)
