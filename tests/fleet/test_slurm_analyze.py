"""Jobs of a real Slurm explained from what a real Prometheus has stored of the same time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aamic.cli import app
from aamic.clients.base import History
from aamic.clients.prometheus import Prometheus
from aamic.clients.slurmcli import SlurmCli
from aamic.clients.slurmcommands import Commands
from aamic.commands import workloads
from aamic.compile.compiler import check_site
from aamic.compile.hostlist import expand
from aamic.model.analysis import Analysis
from aamic.model.fleet import Fleet
from aamic.ops.evidence import Ask
from aamic.ops.jobs import analyze, read
from aamic.ops.suspects import affected
from tests.fleet.console import ConsoleHosts
from tests.fleet.slurm import Slurm
from tests.ops.history import Story, after, constant, served

SITE = """
version: 1
cluster: {name: test}
nodes:
  "node-[01-02]": {addresses: "198.18.0.[21-22]", gpu: {vendor: nvidia, model: H100, count: 4}}
  slurm-ctl: {address: 198.18.0.20}
prometheus: {node: slurm-ctl}
slurm: {controller: slurm-ctl}
"""


@dataclass(frozen=True)
class World:
    """Jobs that ended, and what Prometheus has of their time."""

    fleet: Fleet
    client: SlurmCli
    url: str
    failed: str
    array: str
    pending: str
    now: float

    def history(self, _: str) -> History:
        return Prometheus(self.url)

    def explained(self, name: str) -> tuple[Analysis, ...]:
        return analyze(self.client.job(name), Ask(self.fleet, self.now, self.history))


@pytest.fixture(scope="module")
def cluster(slurm: Slurm) -> Iterator[Slurm]:
    yield slurm
    slurm.reset()


@pytest.fixture(scope="module")
def world(cluster: Slurm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    cluster.account()
    array = cluster.submit("sleep 2; exit 1", "--array=0-1", "--gres=gpu:4", "--nodelist=node-02")
    failed = cluster.submit("sleep 4; exit 3", "--gres=gpu:4", "--nodelist=node-01")
    cluster.wait_job(failed)
    pending = cluster.submit("true", "--begin=now+1hour")
    for task in (f"{array}_0", f"{array}_1"):
        cluster.wait_job(task)
    (folder / "site.yaml").write_text(SITE)
    fleet = check_site(folder / "site.yaml").fleet
    commands = Commands(ConsoleHosts({"slurm-ctl": cluster.controller}), "slurm-ctl", "/etc/slurm/slurm.conf", 20)
    client = SlurmCli(commands, expand, lambda _: None)
    (run,) = client.job(failed)
    began = int(run.started or 0)
    told = Story(start=began, length=int(time.time()) - began + 120, step=1)
    told.nvidia("node-01", codes={1: after(2, 79)}, count=4)
    told.nvidia("node-02", codes={0: constant(79)}, count=4)
    with served(told, folder) as url:
        yield World(fleet, client, url, failed, array, pending, time.time() + 60)


def test_a_job_whose_gpu_fell_off_the_bus(world: World) -> None:
    (found,) = world.explained(world.failed)

    assert (found.job.state, found.correlation, found.confidence) == ("FAILED", "confirmed", 90)
    assert [each.what for each in found.events] == ["XID 79 (GPU has fallen off the bus)"]
    assert found.gaps == ()


def test_tasks_of_an_array_on_a_node_with_an_older_code(world: World) -> None:
    first, second = sorted(world.explained(world.array), key=lambda each: each.job.shown)

    assert [each.correlation for each in (first, second)] == ["none", "none"]
    assert [each.job.shown for each in (first, second)] == [f"{world.array}_0", f"{world.array}_1"]
    assert {each.what for each in first.older} == {"XID 79 (GPU has fallen off the bus)"}


def test_a_pending_job_and_one_that_nobody_knows(world: World) -> None:
    (found,) = world.explained(world.pending)

    assert (found.correlation, found.window, found.reasons[0][:19]) == ("none", None, "it has not started ")
    assert world.explained("999999") == ()


def test_jobs_of_a_node_come_from_accounting(world: World) -> None:
    jobs = world.client.history(world.now - 3600, world.now, ("node-01",))
    ask = Ask(world.fleet, world.now, world.history)
    found = affected(read(ask, "node-01", jobs), jobs, ask)

    assert [(each.job.shown, each.correlation) for each in found if each.job.shown == world.failed] == [
        (world.failed, "confirmed")
    ]


def test_the_command_line_says_the_same(
    world: World, slurm: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def at_console(*_: object, **__: object) -> Iterator[ConsoleHosts]:
        yield ConsoleHosts({"slurm-ctl": slurm.controller})

    monkeypatch.setattr(workloads, "controller", at_console)
    (tmp_path / "site.yaml").write_text(SITE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(time, "time", lambda: world.now)
    told = {
        words: CliRunner().invoke(app, ["slurm", *words, "--prometheus", world.url]).output
        for words in (
            ("job-analyze", world.failed),
            ("affected-jobs", "node-01", "--since", "1h"),
            ("node-analyze", "node-01", "--hours", "0.2"),
        )
    }
    job, affected_jobs, node = told.values()
    ended = f"job {world.failed} (sbatch, alice): FAILED, exit 3 on node-01"

    assert job.startswith(f"confirmed: a GPU did this (90 %)\n{ended}\nwhy:\n  XID 79 (GPU has fallen off the bus)")
    assert f"\n  confirmed (90 %): {ended}\n" in affected_jobs
    assert node.startswith(f"node-01: 1 GPU is suspected\n  GPU 1: fatal, 1 event; jobs {world.failed}\n")
