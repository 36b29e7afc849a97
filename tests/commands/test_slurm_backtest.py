"""`aamic slurm backtest` as a user runs it: a real Prometheus with a past, and a policy in git."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.conftest import Aamic
from tests.ops.blocks import stored

START = 1_761_955_200
"""2025-11-01, midnight in UTC."""
SITE = """
version: 1
cluster: {{name: test}}
prometheus: {{node: mon, port: {port}}}
slurm: {{controller: mon, auto_drain: shadow, max_drained: 1{more}}}
nodes:
  mon: {{address: 127.0.0.1}}
  gpu-1: {{address: 127.0.3.1, gpu: {{vendor: nvidia, model: H100, count: 1}}}}
  gpu-2: {{address: 127.0.3.2, gpu: {{vendor: nvidia, model: H100, count: 1}}}}
"""
ASKED = ("slurm", "backtest", "--no-jobs", "--days", "1", "--until", "2025-11-02")


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if shutil.which("prometheus") is None or shutil.which("promtool") is None:
        pytest.skip("needs Prometheus")
    times = [START + 30 * step for step in range(2880)]
    labels = 'cluster="test",node="{}",gpu="0",gpu_uuid="U",vendor="nvidia"'
    samples = {}
    for node in ("gpu-1", "gpu-2"):
        own = labels.format(node)
        samples[f"gpu:temperature_celsius{{{own}}}"] = [(at, 96.0 if node == "gpu-2" else 50.0) for at in times]
        codes = [(at, 79.0 if node == "gpu-1" and at >= START + 7200 else 0.0) for at in times]
        samples[f"gpu:last_error_code{{{own}}}"] = codes
    with stored(tmp_path_factory.mktemp("past"), samples) as server:
        yield server.url.rpartition(":")[2]


@pytest.fixture
def site(tmp_path: Path, port: str) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(SITE.format(port=port, more=""))
    return path


def git(folder: Path, *words: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(folder), *identity, *words], check=True, capture_output=True, timeout=60)


@pytest.mark.usefixtures("site")
def test_what_would_have_been_drained(aamic: Aamic) -> None:
    done = aamic(*ASKED)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1:3] == [
        "now: 1 drain of 1 nodes (cap 1), 0 trips of the breaker",
        "  drains gpu-1 2025-11-01T02:00:00Z: aamic: fatal error on GPU 0",
    ]
    assert aamic(*ASKED).stdout == done.stdout


@pytest.mark.usefixtures("site")
def test_json_has_everything(aamic: Aamic) -> None:
    (outcome,) = json.loads(aamic(*ASKED, "--json").stdout)["outcomes"]

    assert (outcome["cap"], [each["at"] for each in outcome["drains"]]) == (1, [START + 7200])


def test_a_change_of_the_policy_is_held_against_the_one_in_git(aamic: Aamic, site: Path, port: str) -> None:
    assert aamic("render").returncode == 0
    git(site.parent, "init", "-q", "-b", "main")
    git(site.parent, "add", ".")
    git(site.parent, "commit", "-q", "-m", "first")
    limits = "thresholds: [{vendor: nvidia, temperature_celsius: {fail: 95}}]"
    site.write_text(SITE.format(port=port, more=f", drain_on: [temperature], {limits}"))
    done = aamic(*ASKED, "--against", "HEAD", "--format", "markdown")

    assert (done.returncode, done.stderr) == (0, "")
    assert "- + drains gpu-2 on 2025-11-01\n- - drains gpu-1 on 2025-11-01" in done.stdout


def test_a_site_without_a_policy_is_told_how_to_have_one(aamic: Aamic, site: Path) -> None:
    site.write_text(site.read_text().replace("shadow", "off"))
    done = aamic(*ASKED)

    assert done.returncode == 1
    assert "this site has no drain controller that decides about nodes with GPUs" in done.stderr


@pytest.mark.usefixtures("site")
def test_a_time_that_is_none_is_refused(aamic: Aamic) -> None:
    done = aamic(*ASKED[:-1], "yesterday")

    assert done.returncode == 2
    assert "2025-11-01T12:00Z" in " ".join(done.stderr.split())


@pytest.mark.usefixtures("site")
def test_a_time_to_come_is_refused(aamic: Aamic) -> None:
    done = aamic(*ASKED[:-1], "2999-01-01")

    assert done.returncode == 2
    assert "`2999-01-01` is still to come" in " ".join(done.stderr.split())


@pytest.mark.usefixtures("site")
def test_days_of_which_nothing_is_stored_are_no_days_without_drains(aamic: Aamic) -> None:
    asked = (*ASKED[:-1], "2024-11-02")
    done, told = aamic(*asked), aamic(*asked, "--json")
    table = aamic(*asked, "--format", "markdown").stdout

    assert (done.returncode, told.returncode) == (1, 1)
    assert done.stdout.splitlines()[1] == (
        "now: what would have been drained is not known, as nothing is stored (cap 1)"
    )
    assert "| part of the time that is known | 0% |" in table
    assert "| drains |" not in table
    assert (json.loads(told.stdout)["version"], json.loads(told.stdout)["known"]) == (1, 0.0)
