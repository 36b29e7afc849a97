"""All of aamic on a real Slurm, put there by an apply: a job that runs, a GPU that breaks, and who does what then."""

from __future__ import annotations

import pytest

from tests.fleet.controller import wait_until
from tests.fleet.slurmsite import XID, SlurmSite

pytestmark = pytest.mark.xdist_group("fleet")

TOLD = "XID 79 (GPU has fallen off the bus) on GPU 3"
LOOK = "cat /run/aamic/jobs/dcgm/*; ls /run/aamic/jobs/on"


def refusals(story: SlurmSite, name: str) -> list[str]:
    return [line for line in story.said(story.slurm.nodes[name], "aamic-prolog") if "refused" in line]


def drains(story: SlurmSite, name: str) -> list[str]:
    """The times at which slurmctld's own database has a node go out of service."""
    asked = ("sacctmgr", "-nP", "show", "event", f"nodes={name}", "start=now-1days", "format=start,state,reason")
    return [line for line in story.slurm.do(*asked).splitlines() if "DRAIN" in line]


def test_a_job_of_a_well_node_runs_through_both_hooks(story: SlurmSite) -> None:
    node = story.slurm.nodes["node-01"]
    job = story.slurm.submit("sleep 3", "--gres=gpu:2", "--nodelist=node-01")
    wait_until(lambda: node.run("sh", "-c", LOOK).stdout.count(job) > 3)
    during = node.do("sh", "-c", LOOK).split()
    ended = story.slurm.wait_job(job)
    wait_until(lambda: story.journal("node-01", job) != [])
    line = story.journal("node-01", job)

    assert ended == "COMPLETED"
    assert during == [job, job, f"0.{job}", f"1.{job}"]
    assert line[3:6] + line[7:] == [
        "alice",
        "2010",
        "main",
        "0,1",
        "0:0",
        "ok",
        "100",
        "node-01",
        "0",
        "all 4 GPUs are well",
    ]
    assert node.do("sh", "-c", LOOK) == ""
    assert story.states() == {"node-01": ("IDLE", ""), "node-02": ("IDLE", "")}


def test_a_node_that_fails_refuses_a_job_which_then_runs_elsewhere(story: SlurmSite) -> None:
    slurm, before = story.slurm, len(drains(story, "node-01"))
    killed = slurm.submit("until [ -e /srv/gpus/stop ]; do sleep 0.2; done; exit 9", "--gres=gpu:4")
    slurm.wait_job(killed, "RUNNING")
    assert slurm.job_field(killed, "NodeList") == "node-01"
    story.gpus("node-01", XID)
    first = story.check("node-01")
    slurm.nodes["node-01"].do("touch", "/srv/gpus/stop")
    slurm.wait_job(killed)
    took = story.until_refusing("node-01")
    slurm.wait_node("node-01", "IDLE")

    refused = slurm.submit("hostname", "--gres=gpu:4")
    slurm.wait_node("node-01", "IDLE+DRAIN")
    at_once = story.states()["node-01"]
    not_ours = story.site.run("slurm", "resume", "node-01")
    ended = slurm.wait_job(refused)
    print(took, first, at_once, not_ours, slurm.job(refused))
    print(slurm.do("sacct", "-D", "-X", "-P", "-j", refused, "-o", "jobid,state,nodelist,exitcode"))
    print(drains(story, "node-01"), refusals(story, "node-01"))
    story.check("node-01")
    wait_until(lambda: story.value('node:aamic_node_refused_timestamp_seconds{node="node-01"}') != "")
    story.drained()
    story.drained()
    print(story.states(), drains(story, "node-01"))
    print(story.said(slurm.controller, "aamic-drain"))
    print(story.site.run("slurm", "nodes", "--drained").stdout)
    print(story.site.run("slurm", "job-analyze", refused).stdout)
    print(story.site.run("slurm", "job-analyze", killed).stdout)
    print(story.site.run("slurm", "log-correlation").stdout)
    print(story.site.run("slurm", "resume", "node-01").stdout)
    assert 0
