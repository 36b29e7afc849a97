"""`aamic slurm` on a cluster whose programs answer as recorded ones did."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAMS = Path(__file__).parents[1] / "recorded/slurm/bin"
SITE = """\
version: 1
cluster: {name: c}
nodes:
  ctl: {address: 198.18.0.1}
  node-01: {address: 198.18.0.2, gpu: {vendor: nvidia, model: H100, count: 4}}
  node-02: {address: 198.18.0.3, gpu: {vendor: nvidia, model: H100, count: 4}}
prometheus: {node: ctl}
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "site.yaml").write_text(f"{SITE}slurm: {{controller: ctl, exporter: false}}\n")
    return tmp_path


def slurm(folder: Path, *words: str, programs: Path = PROGRAMS) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}", "TZ": "UTC"}
    command = [sys.executable, "-m", "aamic", "slurm", *words]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )


def answer(folder: Path, *words: str) -> Any:
    done = slurm(folder, *words, "--local", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--state", "failed"), ["2"]),
        (("--node", "node-02"), ["3_1"]),
        (("--user", "nobody"), []),
        (("--partition", "main", "--state", "RUNNING"), ["1", "3_0", "3_1"]),
    ],
)
def test_jobs_are_chosen(site: Path, words: tuple[str, ...], expected: list[str]) -> None:
    assert [job["job"] for job in answer(site, "jobs", *words)["jobs"]] == expected


def test_no_name_steers_the_terminal_or_breaks_a_line(site: Path) -> None:
    done = slurm(site, "jobs", "--local", "--state", "running")

    assert len(done.stdout.splitlines()) == 4
    assert r"x Reason=foo NodeList=evil\n   JobState=" in done.stdout


def test_drained_nodes_are_told_with_whose_they_are(site: Path) -> None:
    nodes = answer(site, "nodes", "--drained")["nodes"]

    assert [(node["node"], node["drained_by_aamic"]) for node in nodes] == [("node-01", True)]


def test_several_nodes_are_not_drained_unasked(site: Path) -> None:
    done = slurm(site, "drain", "node-[01-02]", "--reason", "x", "--local")

    assert (done.returncode, done.stdout) == (1, "")
    assert "`--yes` goes on without asking" in done.stderr


def test_a_drain_says_what_was_before(site: Path) -> None:
    told = answer(site, "drain", "node-[01-02]", "--reason", "x", "--yes")["nodes"]

    assert [(each["node"], each["outcome"]) for each in told] == [("node-01", "drained"), ("node-02", "drained")]
    assert told[1]["message"] == "it was MIXED"


MEANWHILE = """\
#!/bin/sh
# After the first look, somebody else drains node-02.
cd "${0%/*}" || exit 1
case $1 in
show) cat now.txt; cp then.txt now.txt ;;
*) echo "$*" >>changes ;;
esac
"""


def test_a_node_that_somebody_else_drains_meanwhile_is_left(site: Path) -> None:
    shown = (PROGRAMS.parent / "client/22.05/scontrol-show-node.txt").read_text()
    programs = site / "bin"
    programs.mkdir()
    (programs / "scontrol").write_text(MEANWHILE)
    (programs / "scontrol").chmod(0o755)
    (programs / "now.txt").write_text(shown)
    theirs = shown.rstrip("\n") + "\n   Reason=disk [ann@1795632957]\n\n"
    (programs / "then.txt").write_text(theirs.replace("State=MIXED ", "State=MIXED+DRAIN "))
    done = slurm(site, "drain", "node-[01-02]", "--reason", "x", "--yes", "--local", programs=programs)

    assert (programs / "changes").read_text() == "update NodeName=node-01 State=DRAIN Reason=aamic: x\n"
    assert done.returncode == 1
    assert "node-02: refused; it is MIXED+DRAIN by ann: disk; that reason would be lost" in done.stdout


@pytest.mark.parametrize("words", [("jobs",), ("nodes",), ("breaker",), ("resume", "n1"), ("log-correlation",)])
def test_a_site_without_slurm_is_told_so(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "site.yaml").write_text(SITE)
    done = slurm(tmp_path, *words)

    assert done.returncode == 1
    assert "this site has no Slurm cluster" in done.stderr


def test_a_controller_without_the_drain_controller_is_told(site: Path) -> None:
    done = slurm(site, "breaker", "--local")

    assert done.returncode == 1
    assert "`ctl`: the drain controller failed" in done.stderr
    assert "`aamic apply` puts it there" in done.stderr


def test_a_journal_that_cannot_be_read_is_unknown(site: Path) -> None:
    folder = site / "hosts/node-01/var/lib/aamic"
    folder.mkdir(parents=True)
    (folder / "jobs.journal").write_text("1\t4102444800\t41\tkim\t1\tmain\tml\t0\t1:0\tfail\t0\tn\t0\thot\nnonsense\n")
    (site / "hosts/node-02").write_text("no folder")
    done = slurm(site, "log-correlation", "--host-root", "hosts", "--json")
    told = json.loads(done.stdout)

    assert done.returncode == 1
    assert [(each["node"], each["job"], each["reason"]) for each in told["jobs"]] == [("node-01", 41, "hot")]
    assert (list(told["unknown"]), told["damaged_lines"]) == (["node-02"], {"node-01": 1})


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("log-correlation", "--since", "yesterday"), "write a duration such as `2h` or `7d`"),
        (("log-correlation", "--since=-2h"), "write a duration such as `2h` or `7d`"),
        (("affected-jobs", "node-01", "--since=-2h"), "write a duration such as `2h` or `7d`"),
        (("affected-jobs", "node-01", "--since", "0s"), "write a duration such as `2h` or `7d`"),
        (("log-correlation", "--host-root", "nowhere"), "`nowhere` is no folder"),
        (("jobs", "--state", "runing"), "did you mean `running`?"),
        (("jobs", "--state", "xx"), "`xx` is no state of a job"),
        (("drain", "node-01", "--reason", " "), "write why"),
        (("drain", "node-01", "--reason", "aamic: "), "write why"),
    ],
)
def test_words_that_cannot_be_meant_are_told(site: Path, words: tuple[str, ...], told: str) -> None:
    done = slurm(site, *words, "--local") if words[0] in {"jobs", "drain"} else slurm(site, *words)

    assert done.returncode == 2
    assert told in " ".join(done.stderr.replace("│", " ").split())


def test_nodes_without_a_journal_are_told(site: Path) -> None:
    for name in ("node-01", "node-02"):
        (site / f"hosts/{name}/var/lib/aamic").mkdir(parents=True)
    (site / "hosts/node-01/var/lib/aamic/jobs.journal.1").write_text("")
    done = slurm(site, "log-correlation", "--host-root", "hosts", "--json")

    assert (done.returncode, json.loads(done.stdout)["without_journal"]) == (0, ["node-02"])
    assert done.stderr == (
        "note: no epilog has written a journal yet on node-02\n"
        "note: `slurm.post_job_check` is off, so no epilog writes down further jobs\n"
    )
