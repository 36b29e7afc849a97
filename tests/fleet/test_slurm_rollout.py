"""Hooks come to a real Slurm and go from it by `aamic apply`, while it runs jobs; what harms goes back by itself."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

import aamic
from tests.fleet.controller import wait_until
from tests.fleet.slurm import Slurm
from tests.fleet.slurmsite import LEFT, SlurmSite

CONF = "/etc/slurm/slurm.conf"
OWN = "/etc/slurm/own.sh"
UNITS = ("aamic-node-check.timer", "aamic-node-check.service", "aamic-drain.timer", "aamic-drain.service")
WELL = {"node-01": ("IDLE", ""), "node-02": ("IDLE", "")}


@pytest.fixture
def fresh(bare: SlurmSite) -> Iterator[SlurmSite]:
    """A cluster with the site's exporters and Prometheus, and nothing of Slurm's configuration touched."""
    site = bare.site.folder / "site.yaml"
    before = site.read_text()
    yield bare
    site.write_text(before)
    for host in bare.slurm.hosts:
        host.run("sh", "-c", LEFT)
    bare.slurm.reset()
    bare.begin()


def conf(slurm: Slurm) -> dict[str, str]:
    return {host.name: host.do("cat", CONF) for host in slurm.hosts}


def settled(story: SlurmSite) -> dict[str, tuple[str, str]]:
    """State and reason of each node, once no job ends there any more and slurmd has answered."""
    for name in story.slurm.nodes:
        story.slurm.wait_node(name, "IDLE", "IDLE+DRAIN", "DOWN", "DOWN+DRAIN")
    return story.states()


@contextmanager
def jobs(slurm: Slurm, name: str) -> Iterator[list[str]]:
    """Jobs, one after another on a node; what Slurm said of those that did not run.

    An srun that asks slurmctld in the moment of its reconfigure may get no answer. That refuses no job, but what was
    allocated to it may stay, as nobody is there to end it.
    """
    bad: list[str] = []
    ran: list[int] = []
    lost: list[str] = []
    over = threading.Event()

    def work() -> None:
        while not over.wait(0.2):
            done = slurm.srun(f"--nodelist={name}", "--immediate=30", "true")
            ran.append(done.returncode)
            if done.returncode:
                (lost if "socket error" in done.stderr else bad).append(done.stderr)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield bad
    finally:
        over.set()
        thread.join()
        if lost:
            slurm.run("scancel", f"--nodelist={name}")
    assert len(ran) > 5  # else nothing was seen


def faulty(story: SlurmSite, folder: Path) -> SlurmSite:
    """The same site with an aamic whose prolog refuses every job."""
    shutil.copytree(Path(aamic.__file__).parent, folder / "aamic", ignore=shutil.ignore_patterns("__pycache__"))
    prolog = folder / "aamic/agent/prolog.sh"
    text = prolog.read_text()
    assert text.count("\nend=0\n") == 1
    prolog.write_text(text.replace("\nend=0\n", "\nend=1\n"))
    return replace(story, site=replace(story.site, code=folder))


def test_hooks_come_and_go_while_jobs_run(fresh: SlurmSite) -> None:
    slurm = fresh.slurm
    fresh.site.apply_all()
    before = conf(slurm)
    fresh.edit("install-hooks", "--enforce")
    with jobs(slurm, "node-01") as first, jobs(slurm, "node-02") as second:
        fresh.site.apply_all()
        installed = conf(slurm)
        rolled = fresh.site.run("rollback", "--yes")
        back = conf(slurm)
        fresh.site.apply_all()
        fresh.edit("uninstall-hooks")
        fresh.site.apply_all()

    assert (first, second) == ([], [])
    assert settled(fresh) == WELL
    assert installed == {name: f"Include aamic.conf\n{text}" for name, text in before.items()}
    assert (rolled.returncode, back) == (0, before), rolled
    assert conf(slurm) == before
    for host in slurm.hosts:
        left = host.do("find", "/etc/slurm", "-type", "f", "-name", "*aamic*").split()
        assert {path.rpartition("/")[2] for path in left} <= {"00-aamic", "aamic.conf"}  # lest a line name nothing

    text = (fresh.site.folder / "site.yaml").read_text()
    (fresh.site.folder / "site.yaml").write_text(text.replace('auto_drain: "on"', 'auto_drain: "off"'))
    fresh.site.apply_all()
    for host in slurm.hosts:
        assert host.run("systemctl", "list-unit-files", "--no-legend", *UNITS).stdout == ""
        # One that was at work just now takes a moment to be forgotten.
        wait_until(lambda host=host: not host.run("systemctl", "list-units", "--all", "--no-legend", *UNITS).stdout)  # type: ignore[misc]
    assert slurm.wait_job(slurm.submit("true", "--nodes=2")) == "COMPLETED"


def test_a_prolog_that_harms_goes_back_on_the_canary(fresh: SlurmSite, tmp_path: Path) -> None:
    slurm, before = fresh.slurm, conf(fresh.slurm)
    fresh.site.apply_all()
    fresh.edit("install-hooks", "--enforce")
    with jobs(slurm, "node-02") as other:
        report = faulty(fresh, tmp_path).site.apply()
    hosts = report["hosts"]

    assert (report["exit"], report["ok"]) == (1, False)
    assert other == []
    assert {name: each["state"] for name, each in hosts.items()} == {
        "node-01": "restored",
        "node-02": "not started",
        "slurm-ctl": "not started",
    }
    assert "prolog" in hosts["node-01"]["message"].lower()  # srun has several ways to say it
    assert "it takes jobs again" in hosts["node-01"]["notes"][0]
    assert (settled(fresh), conf(slurm)) == (WELL, before)
    assert slurm.wait_job(slurm.submit("true", "--nodes=2")) == "COMPLETED"


def test_a_script_that_lay_there_unused_stays_so(fresh: SlurmSite) -> None:
    slurm = fresh.slurm
    slurm.write("/etc/slurm/prolog.d/20-old", "#!/no/such/shell\n", 0o755)
    fresh.edit("install-hooks", "--enforce")
    fresh.site.apply_all()

    assert settled(fresh) == WELL
    assert slurm.wait_job(slurm.submit("true", "--nodes=2")) == "COMPLETED"


def test_a_site_with_its_own_prolog_keeps_it(fresh: SlurmSite) -> None:
    slurm = fresh.slurm
    slurm.write(OWN, "#!/bin/sh\n/usr/bin/touch /srv/own-$SLURM_JOB_ID\n", 0o755)
    slurm.configure(slurm.conf.with_lines([f"Prolog={OWN}"]))
    before = conf(slurm)
    fresh.edit("install-hooks", "--enforce")
    plan = " ".join(fresh.site.run("plan").stdout.split())
    report = fresh.site.apply()
    job = slurm.submit("true", "--nodelist=node-01")
    slurm.wait_job(job)

    assert f"sets `Prolog={OWN}`, which wins over aamic's" in plan
    assert "nothing of slurm.conf is changed because of this" in plan
    assert (report["exit"], report["held"]) == (1, ["slurm-controller", "slurm-hooks"])
    assert {each["state"] for each in report["hosts"].values()} == {"done"}
    assert conf(slurm) == before
    assert slurm.nodes["node-01"].do("ls", f"/srv/own-{job}")


def test_a_site_whose_own_prologs_are_in_the_folder_runs_all(fresh: SlurmSite) -> None:
    slurm = fresh.slurm
    slurm.write("/etc/slurm/prolog.d/20-own", "#!/bin/sh\n/usr/bin/touch /srv/own-$SLURM_JOB_ID\n", 0o755)
    lines = ["Prolog=/etc/slurm/prolog.d/*"]
    slurm.configure(slurm.conf.with_lines(lines))
    before = conf(slurm)
    fresh.edit("install-hooks", "--enforce")
    plan = " ".join(fresh.site.run("plan").stdout.split())
    fresh.site.apply_all()
    job = slurm.submit("true", "--nodelist=node-01")
    slurm.wait_job(job)

    assert "sets `Prolog=/etc/slurm/prolog.d/*`: aamic's script is among these" in plan
    assert "a job that a prolog refuses will be held; add `nohold_on_prolog_fail` to it" in plan
    assert conf(slurm) == {name: f"Include aamic.conf\n{text}" for name, text in before.items()}
    assert slurm.nodes["node-01"].do("ls", f"/srv/own-{job}")
    assert fresh.journal("node-01", job)[2] == job
    fresh.edit("uninstall-hooks")
    fresh.site.apply_all()
    assert conf(slurm) == before
    assert slurm.nodes["node-01"].do("ls", "/etc/slurm/prolog.d") == "00-aamic\n20-own\n"
