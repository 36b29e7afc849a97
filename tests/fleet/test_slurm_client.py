"""The clients and commands of `aamic slurm` against the real daemons: over SSH, and through slurmrestd."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fleet.slurm import Slurm

HOSTILE = (
    "x Reason=foo NodeList=evil\n   JobState=FAILED ExitCode=9:9\n     Nodes=node-01 CPU_IDs=0 Mem=0 GRES=gpu:1(IDX:3)"
)


@pytest.fixture
def cluster(slurm: Slurm) -> Iterator[Slurm]:
    slurm.account()
    yield slurm
    slurm.reset()


def write_site(cluster: Slurm, folder: Path, extra: str = "") -> None:
    nodes = "\n".join(f"  {host.name}: {{address: {host.address}}}" for host in cluster.hosts)
    (folder / "site.yaml").write_text(
        f"version: 1\ncluster: {{name: fleet}}\n{cluster.controller.rack.site_ssh('deploy')}nodes:\n{nodes}\n"
        f"prometheus: {{node: slurm-ctl}}\nalerts: {{presets: []}}\n"
        f"slurm: {{controller: slurm-ctl, nodes: 'node-[01-02]', exporter: false{extra}}}\n"
    )


def aamic(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "aamic", "slurm", *words, "-f", str(folder / "site.yaml")]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | environment, stdin=subprocess.DEVNULL
    )


def answer(folder: Path, *words: str, **environment: str) -> Any:
    done = aamic(folder, *words, "--json", **environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def jobs(folder: Path, **environment: str) -> dict[str, Any]:
    return {job["job"]: job for job in answer(folder, "jobs", **environment)["jobs"]}


def wait_running(cluster: Slurm, number: str) -> None:
    """Wait for a job whose name looks like any state."""
    until = time.monotonic() + 30
    while cluster.do("squeue", "-h", "-j", number, "-o", "%T").strip() != "RUNNING":
        assert time.monotonic() < until
        time.sleep(0.1)


@pytest.mark.parametrize("way", ["cli", "rest"])
def test_jobs_are_seen_alike_whoever_is_asked(cluster: Slurm, tmp_path: Path, way: str) -> None:
    token = {"TOKEN": cluster.token()}
    rest = f", endpoint: '{cluster.rest()}', auth: {{user: root, token: {{env: TOKEN}}}}"
    write_site(cluster, tmp_path, rest if way == "rest" else "")
    hostile = cluster.submit("sleep 60", f"--job-name={HOSTILE}", "--gres=gpu:2", "--nodelist=node-01")
    array = cluster.submit("sleep 60", "--array=0-3%1", "--gres=gpu:1", "--nodelist=node-02")
    failed = cluster.submit("exit 3")
    wait_running(cluster, hostile)
    cluster.wait_job(f"{array}_0", "RUNNING")
    cluster.wait_job(failed)
    found = jobs(tmp_path, **token)

    assert found[hostile]["name"] == HOSTILE
    assert (found[hostile]["state"], found[hostile]["nodes"]) == ("RUNNING", ["node-01"])
    assert found[hostile]["source"] == ("slurmrestd" if way == "rest" else "squeue")
    assert (found[failed]["state"], found[failed]["exit"]) == ("FAILED", {"code": 3, "signal": 0})
    assert found[f"{array}_0"]["gpu_count"] == 1
    assert found[f"{array}_[1-3%1]"]["state"] == "PENDING"


def test_a_drain_and_its_end_by_hand(cluster: Slurm, tmp_path: Path) -> None:
    write_site(cluster, tmp_path)
    reason = "$(reboot) \"x\" State=IDLE [root@5] 'y'"
    drained = aamic(tmp_path, "drain", "node-01", "--reason", reason)
    told = answer(tmp_path, "nodes", "--drained")["nodes"]
    again = aamic(tmp_path, "drain", "node-01", "--reason", reason)
    resumed = aamic(tmp_path, "resume", "node-01")

    assert (drained.stdout, drained.returncode) == ("node-01: drained; it was IDLE\n", 0)
    assert [(node["node"], node["reason"], node["drained_by_aamic"]) for node in told] == [
        ("node-01", f"aamic: {reason}", True)
    ]
    assert "unchanged; it is IDLE+DRAIN" in again.stdout
    assert resumed.stdout.startswith("node-01: resumed; it was IDLE+DRAIN")
    cluster.wait_node("node-01", "IDLE")
    assert cluster.node_state("node-01") == ("IDLE", "")


def test_what_somebody_else_drained_is_left_alone(cluster: Slurm, tmp_path: Path) -> None:
    write_site(cluster, tmp_path)
    cluster.scontrol("update", "NodeName=node-02", "State=DRAIN", "Reason=bad fan")
    drained = aamic(tmp_path, "drain", "node-[01-02]", "--reason", "XID 79", "--yes")
    kept = cluster.node_state("node-02")
    resumed = aamic(tmp_path, "resume", "node-02")
    forced = aamic(tmp_path, "resume", "node-02", "--force")
    cluster.wait_node("node-02", "IDLE")

    assert drained.returncode == 1
    assert drained.stdout == (
        "node-01: drained; it was IDLE\n"
        "node-02: refused; it is IDLE+DRAIN by root: bad fan; that reason would be lost\n"
    )
    assert kept == ("IDLE+DRAIN", "bad fan")
    assert resumed.stdout == "node-02: refused; it is IDLE+DRAIN by root: bad fan, not by aamic\n"
    assert (forced.returncode, cluster.node_state("node-02")) == (0, ("IDLE", ""))


def test_a_node_that_slurm_does_not_know_is_named_with_its_neighbour(cluster: Slurm, tmp_path: Path) -> None:
    write_site(cluster, tmp_path)
    done = aamic(tmp_path, "drain", "node-1", "--reason", "x")

    assert (done.returncode, done.stdout) == (1, "")
    assert "Slurm knows no node `node-1`" in done.stderr
    assert "did you mean `node-01`?" in done.stderr


def test_a_version_that_changes_no_nodes_gives_way_to_scontrol(cluster: Slurm, tmp_path: Path) -> None:
    token = {"TOKEN": cluster.token()}
    write_site(cluster, tmp_path, f", endpoint: '{cluster.rest()}', auth: {{token: {{env: TOKEN}}}}")
    done = aamic(tmp_path, "drain", "node-01", "--reason", "x", **token)

    assert (done.returncode, done.stdout) == (0, "node-01: drained; it was IDLE\n")
    assert "changes no nodes in v0.0.38; Slurm's commands were used instead" in done.stderr


def test_a_bad_token_is_told_and_the_commands_answer(cluster: Slurm, tmp_path: Path) -> None:
    write_site(cluster, tmp_path, f", endpoint: '{cluster.rest()}', auth: {{token: {{env: TOKEN}}}}")
    done = aamic(tmp_path, "nodes", TOKEN="bad-token-of-nobody")  # noqa: S106  # of nobody

    assert (done.returncode, done.stdout.count("\nnode-0")) == (0, 2)
    assert "Slurm's commands were used instead" in done.stderr
    assert "bad-token-of-nobody" not in done.stdout + done.stderr
