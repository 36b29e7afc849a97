"""The programs of bench work, and what they check of themselves holds; how quick anything is, is not tested."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROGRAMS = {
    "fleet": ["--hosts", "200", "--repeat", "1"],
    "rollout": ["--hosts", "100"],
    "predict": ["--gpus", "800", "--shards", "2"],
    "drift": ["--nodes", "500", "--repeat", "1"],
    "load": ["--nodes", "1", "--minutes", "0.1", "--interval", "2"],
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_small_run_ends_well_and_shows_a_table(name: str) -> None:
    command = [sys.executable, f"bench/{name}.py", *PROGRAMS[name]]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    rows = [line for line in done.stdout.splitlines() if line.startswith("| ")]

    assert (done.returncode, done.stderr) == (0, "")
    assert len(rows) > 2


def test_what_failed_in_a_rollout_is_not_taken_for_done() -> None:
    sys_path = [str(ROOT / "bench"), str(ROOT)]
    script = f"""
import sys
sys.path[:0] = {sys_path!r}
import rollout
from aamic.model.report import HostReport, Origin, Report
crew = rollout.Crew({{"a": rollout.FakeHost()}})
report = Report("apply", Origin("r2", "an"), (HostReport("a", "done"),))
rollout._check(report, crew, rollout.Shape())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "those that are done have it" in done.stderr
