"""`aamic slurm job-analyze`, `affected-jobs` and `node-analyze`, with a Slurm in memory and a real Prometheus."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from aamic.cli import app
from aamic.clients.base import Answer
from aamic.commands import slurm_analyze, transport
from aamic.errors import HostError, OutsideError
from aamic.model.slurm import Job, SlurmNode
from tests.ops.history import Story, after, constant, served
from tests.ops.test_jobs import job

NOW = int(time.time())
BEGIN = NOW - 7000
SITE = """
version: 1
cluster: {name: test}
nodes:
  "gpu-[01-02]": {addresses: "127.0.0.[1-2]", gpu: {vendor: nvidia, model: H100, count: 8}}
  mon-01: {address: 127.0.0.3}
prometheus: {node: mon-01, port: 9091}
slurm: {controller: mon-01}
"""


@dataclass
class Cluster:
    """A Slurm that is asked nothing but what these commands ask."""

    runs: Sequence[Job]
    accounting: bool = True
    asked: list[tuple[float, float, tuple[str, ...]]] = field(default_factory=list)

    def job(self, name: str) -> Sequence[Job]:
        return [run for run in self.runs if name in {run.shown, str(run.id)}]

    def history(self, since: float, until: float, nodes: Sequence[str] = ()) -> Sequence[Job]:
        self.asked.append((since, until, tuple(nodes)))
        if not self.accounting:
            raise OutsideError("accounting does not answer")
        return [run for run in self.runs if set(nodes) & set(run.nodes)]

    def nodes(self) -> Sequence[SlurmNode]:
        return [SlurmNode("gpu-01", "IDLE", ("DRAIN",), "aamic: XID 79", "root", BEGIN, 8, ("gpu",))]


def ran(number: int, begin: int, end: int, **changes: Any) -> Job:
    base = job("gpu-01", id=number, shown=str(number), started=float(BEGIN + begin), ended=float(BEGIN + end))
    return replace(base, **changes)


RUNS = (
    ran(1, 100, 1500),
    ran(2, 1500, 2500),
    ran(3, 2500, 3500),
    ran(4, 3500, 4500),
    ran(5, 100, 1500, nodes=("gpu-02",), gpus={"gpu-02": (0, 1)}),
    ran(6, 0, 0, state="PENDING", started=None, ended=None, nodes=(), reason="Resources"),
)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    told = Story(start=BEGIN, length=6990 + 3600)
    codes = {0: after(4400, 79), 1: lambda at: 0 if at < 1600 else 13 + (at - 1600) // 1000 % 2 * 18}
    told.nvidia("gpu-01", codes=codes)
    told.nvidia("gpu-02", codes={0: constant(48)})
    with served(told, tmp_path_factory.mktemp("stored")) as url:
        yield url


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cluster:
    made = Cluster(RUNS)

    @contextmanager
    def opened(*_: object, **__: object) -> Iterator[Cluster]:
        yield made

    monkeypatch.setattr(slurm_analyze, "opened_slurm", opened)
    (tmp_path / "site.yaml").write_text(SITE)
    monkeypatch.chdir(tmp_path)
    return made


def run(*arguments: str, status: int = 0) -> str:
    done = CliRunner().invoke(app, ["slurm", *arguments])
    assert done.exit_code == status, done.output
    return done.output


def test_a_job_is_explained(cluster: Cluster, url: str) -> None:
    told = run("job-analyze", "4", "--prometheus", url)

    assert told.startswith("confirmed: a GPU did this (90 %)\njob 4 (train, ada): FAILED, exit 1 on gpu-01\nwhy:\n")
    assert "do: gpu-01 GPU 0: Drain the node and reboot it." in told
    assert json.loads(run("job-analyze", "4", "--prometheus", url, "--json"))["jobs"][0]["correlation"] == "confirmed"
    assert cluster.asked[0][2] == ("gpu-01",)


def test_a_fault_of_the_program_is_held_against_other_jobs_of_the_gpu(cluster: Cluster, url: str) -> None:
    assert "programs of 3 jobs failed on this GPU" in " ".join(run("job-analyze", "2", "--prometheus", url).split())
    cluster.accounting = False
    alone = run("job-analyze", "2", "--prometheus", url)

    assert "note: whether programs of other jobs failed on these GPUs is not known: accounting does not" in alone
    assert "none: no sign that a GPU did this (95 %)" in alone


def test_a_dead_prometheus_is_named_and_nothing_is_called_healthy(cluster: Cluster) -> None:
    told = run("job-analyze", "4")

    assert cluster.asked == []
    assert told.startswith("unknown: not known whether a GPU did this\n")
    assert "Prometheus cannot be asked: `http://127.0.0.3:9091` does not answer" in told.replace("\n    ", " ")


def test_a_pending_and_an_unknown_job(cluster: Cluster, url: str) -> None:
    assert "it has not started (Resources), so no GPU can have hurt it" in run("job-analyze", "6", "--prometheus", url)
    assert run("job-analyze", "99", status=1).startswith("error: Slurm knows no job `99`\n")
    assert cluster.asked == []


def test_jobs_that_a_node_may_have_hurt_come_first(cluster: Cluster, url: str) -> None:
    told = run("affected-jobs", "gpu-01", "--since", "2h", "--prometheus", url)
    value = json.loads(run("affected-jobs", "gpu-01", "--since", "2h", "--prometheus", url, "--json"))

    assert told.splitlines()[0].endswith("UTC: 4 jobs, 1 may be affected")
    assert told.splitlines()[1] == "  confirmed (90 %): job 4 (train, ada): FAILED, exit 1 on gpu-01"
    assert [each["job"]["id"] for each in value["jobs"]] == [1, 2, 3, 4]
    assert cluster.asked[0][2] == ("gpu-01",)


def test_a_node_is_told_with_suspects_and_its_drain(cluster: Cluster, url: str) -> None:
    told = run("node-analyze", "gpu-01", "--hours", "1.9", "--prometheus", url)
    value = json.loads(run("node-analyze", "gpu-01", "--hours", "1.9", "--prometheus", url, "--json"))

    assert told.startswith("gpu-01: 2 GPUs are suspected\n  GPU 0: fatal, 1 event; jobs 4\n")
    assert "in Slurm: IDLE+DRAIN: aamic: XID 79, by root at " in told
    assert (value["slurm"]["reason"], value["gaps"]) == ("aamic: XID 79", [])
    assert cluster.asked


def test_a_node_is_told_of_although_slurm_is_down(cluster: Cluster, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def down() -> Sequence[SlurmNode]:
        raise OutsideError("slurmctld does not answer")

    monkeypatch.setattr(cluster, "nodes", down)
    cluster.accounting = False
    told = run("node-analyze", "gpu-01", "--hours", "1.9", "--prometheus", url)

    assert "note: how `gpu-01` stands in Slurm is not known: slurmctld does not answer\n" in told
    assert "note: which jobs ran there is not known: accounting does not answer\n" in told
    assert "gpu-01: 1 GPU is suspected\n  GPU 0: fatal, 1 event\nin Slurm: not known\n" in told
    assert run("affected-jobs", "gpu-01", "--prometheus", url, status=1) == "error: accounting does not answer\n"


def test_an_older_code_is_told_as_older(cluster: Cluster, url: str) -> None:
    told = run("node-analyze", "gpu-02", "--hours", "1.5", "--prometheus", url)

    assert told.startswith("gpu-02: no GPU is suspected\nin Slurm: not known\nolder than ")
    assert cluster.asked


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (("affected-jobs", "gpu-3"), 1, "error: the site has no node `gpu-3`\nhint: did you mean `gpu-0"),
        (("node-analyze", "gpu-9x"), 1, "error: the site has no node `gpu-9x`"),
        (("affected-jobs", "gpu-01", "--since", "soon"), 2, "write a duration such as `2h` or `7d`"),
        (("job-analyze", "4", "--prometheus", "mon-01:9090"), 2, "write a URL such as `http://mon-01:9090`"),
    ],
)
def test_wrong_words(cluster: Cluster, arguments: tuple[str, ...], status: int, told: str) -> None:
    assert told in run(*arguments, status=status)
    assert cluster.asked == []


class Journals:
    """Hosts that print a journal, but for one that is not reached."""

    def __init__(self, text: str) -> None:
        self._text = text

    def run(self, host: str, *_: object) -> Answer:
        if host != "gpu-01":
            raise HostError("unreachable", f"`{host}` was not reached")
        return Answer(0, self._text.encode(), b"")

    def close(self) -> None:
        pass


@pytest.mark.parametrize("options", [(), ("--no-journals",)])
def test_a_finished_jobs_gpus_are_read_from_the_epilogs_journals(
    cluster: Cluster, url: str, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    row = ["1", str(BEGIN + 4501), "4", "ada", "1", "gpu", "a", "2,3", "1:0", "ok", "100", "gpu-01", "0", ""]

    @contextmanager
    def opened(*_: object) -> Iterator[Journals]:
        yield Journals("\t".join(row) + "\n")

    monkeypatch.setattr(transport, "opened", opened)
    Path("site.yaml").write_text(SITE.replace("{controller: mon-01}", "{controller: mon-01, post_job_check: true}"))
    cluster.runs = [ran(4, 3500, 4500, nodes=("gpu-01", "gpu-02"), gpus=None, gpu_count=4)]
    told = run("job-analyze", "4", "--prometheus", url, *options)

    assert ("note: the epilog's journal of `gpu-02` was not read" in told) == (not options)
    assert told.splitlines()[0 if options else 1].startswith("possible" if options else "none")
