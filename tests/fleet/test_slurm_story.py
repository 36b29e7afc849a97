"""All of aamic on a real Slurm, put there by an apply: a job that runs, a GPU that breaks, and who does what then."""

from __future__ import annotations

import time

from tests.fleet.controller import wait_until
from tests.fleet.slurmsite import XID, SlurmSite

TOLD = "XID 79 (GPU has fallen off the bus) on GPU 3"
LOOK = "cat /run/aamic/jobs/dcgm/*; ls /run/aamic/jobs/on"


def drains(story: SlurmSite, name: str, since: float) -> list[str]:
    """When a node went out of service since a moment and why, as accounting has it."""
    start = time.strftime("start=%Y-%m-%dT%H:%M:%S", time.localtime(since))
    asked = ("sacctmgr", "-nP", "show", "event", f"nodes={name}", start, "format=state,reason")
    return [line for line in story.slurm.do(*asked).splitlines() if "DRAIN" in line]


def runs(story: SlurmSite, job: str) -> list[str]:
    """How each run of a job ended, and where it was."""
    return story.slurm.do("sacct", "-nDXP", "-j", job, "-o", "state,nodelist").splitlines()


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
    slurm, node = story.slurm, story.slurm.nodes["node-01"]
    begun = time.time()
    hit = slurm.submit("until [ -e /srv/gpus/stop ]; do sleep 0.2; done; exit 9", "--gres=gpu:4", "--nodelist=node-01")
    slurm.wait_job(hit, "RUNNING")
    time.sleep(3)  # several scrapes
    story.gpus("node-01", XID)
    time.sleep(3)
    node.do("touch", "/srv/gpus/stop")
    slurm.wait_job(hit)
    story.until_refusing("node-01")
    slurm.wait_node("node-01", "IDLE")

    refused = slurm.submit("true", "--gres=gpu:4")
    slurm.wait_node("node-01", "IDLE+DRAIN")
    at_once = story.states()["node-01"]
    too_early = story.site.run("slurm", "resume", "node-01")
    slurm.wait_job(refused)

    assert at_once == ("IDLE+DRAIN", "Prolog error")
    assert (too_early.returncode, "by slurm: Prolog error, not by aamic" in too_early.stdout) == (1, True)
    assert runs(story, refused) == ["REQUEUED|node-01", "COMPLETED|node-02"]
    assert [line for line in story.said(node, "aamic-prolog") if refused in line.split()] == [
        f"job {refused} is refused: {story.verdict('node-01').reason}"
    ]

    story.check("node-01")
    wait_until(lambda: story.value('node:aamic_node_refused_timestamp_seconds{node="node-01"}') != "")
    told = len(story.said(slurm.controller, "aamic-drain"))
    story.drained()
    story.drained()
    reason = "aamic: its prolog refused a job: fatal error on GPU 3, unhealthy on GPU 3"

    assert story.states() == {"node-01": ("IDLE+DRAIN", reason), "node-02": ("IDLE", "")}
    assert story.said(slurm.controller, "aamic-drain")[told:] == [f"adopted node-01: {reason}"]
    wait_until(lambda: drains(story, "node-01", begun) == ["DRAIN|Prolog error"])
    (listed,) = story.ask("nodes", "--drained")["nodes"]
    assert (listed["node"], listed["reason"], listed["drained_by_aamic"]) == ("node-01", reason, True)

    explained = {run["job"]["nodes"][0]: run for run in story.ask("job-analyze", refused)["jobs"]}
    assert {name: run["correlation"] for name, run in explained.items()} == {"node-01": "none", "node-02": "none"}
    (explained_hit,) = story.ask("job-analyze", hit)["jobs"]
    assert (explained_hit["job"]["state"], explained_hit["correlation"]) == ("FAILED", "confirmed")
    assert {event["gpu"] for event in explained_hit["events"]} == {"3"}
    assert "XID 79 (GPU has fallen off the bus)" in [event["what"] for event in explained_hit["events"]]

    story.gpus("node-01")
    resumed = story.site.run("slurm", "resume", "node-01")
    slurm.wait_node("node-01", "IDLE")
    story.check("node-01")

    assert (resumed.returncode, resumed.stdout[:17]) == (0, "node-01: resumed;")
    assert slurm.wait_job(slurm.submit("true", "--nodelist=node-01")) == "COMPLETED"


def test_a_node_that_fails_without_a_job_is_drained_and_its_job_goes_on(story: SlurmSite) -> None:
    slurm = story.slurm
    running = slurm.submit("sleep 60", "--nodelist=node-02", "--gres=gpu:1")
    slurm.wait_job(running, "RUNNING")
    begun = time.time()
    story.gpus("node-02", XID)
    story.check("node-02")
    wait_until(lambda: story.value('node:aamic_node_verdict{node="node-02",verdict="fail"}') == "1")
    story.drained()
    story.drained()
    reason = "aamic: fatal error on GPU 3, unhealthy on GPU 3"

    assert story.states() == {"node-01": ("IDLE", ""), "node-02": ("MIXED+DRAIN", reason)}
    assert slurm.job_field(running, "JobState") == "RUNNING"
    slurm.run("scancel", running)
    wait_until(lambda: drains(story, "node-02", begun) == [f"DRAIN|{reason}"])  # told once the node is free
    slurm.scontrol("update", "nodename=node-02", "state=resume")


def test_both_nodes_at_once_trip_the_breaker_and_neither_is_drained_nor_refuses(story: SlurmSite) -> None:
    for name in story.slurm.nodes:
        story.gpus(name, XID)
        story.check(name)
    wait_until(lambda: story.value('sum(node:aamic_node_verdict{verdict="fail"})') == "2")
    story.drained()
    time.sleep(13)  # longer than a failure must be visible
    verdicts = [story.check(name) for name in story.slurm.nodes]
    job = story.slurm.submit("true", "--nodes=2")

    assert story.slurm.wait_job(job) == "COMPLETED"
    assert [(each.state, each.refuse) for each in verdicts] == [("fail", False), ("fail", False)]
    assert story.ask("breaker")["breaker"]["tripped"] is True
    assert story.states() == {"node-01": ("IDLE", ""), "node-02": ("IDLE", "")}


def test_in_shadow_nothing_changes_but_what_is_told(story: SlurmSite) -> None:
    story.edit("install-hooks", "--shadow")
    story.site.apply_all()
    story.hold_timers()
    try:
        assert story.check("node-01").state == "ok"
        story.gpus("node-01", XID)
        story.until_refusing("node-01")
        told = len(story.said(story.slurm.controller, "aamic-drain"))
        job = story.slurm.submit("true", "--nodelist=node-01", "--gres=gpu:4")
        ended = story.slurm.wait_job(job)
        story.drained()

        assert (ended, story.slurm.job_field(job, "Restarts")) == ("COMPLETED", "0")
        assert story.states() == {"node-01": ("IDLE", ""), "node-02": ("IDLE", "")}
        reason = story.verdict("node-01").reason
        assert story.said(story.slurm.nodes["node-01"], "aamic-prolog")[-1] == f"would refuse job {job}: {reason}"
        assert story.said(story.slurm.controller, "aamic-drain")[told:] == [
            "would drain node-01: aamic: fatal error on GPU 3, unhealthy on GPU 3"
        ]
        wait_until(lambda: story.value("sum(aamic_drain_wanted)") == "1")
        assert story.value("sum(aamic_drain_nodes)") == "0"
    finally:
        story.recover()
        story.edit("install-hooks", "--enforce")
        story.site.apply_all()
        story.hold_timers()
