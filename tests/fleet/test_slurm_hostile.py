"""What users may choose freely does no harm: names, accounts, partitions, folders and environments of jobs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.fleet.controller import wait_until
from tests.fleet.slurmsite import SlurmSite

EVIL = "$(touch /srv/pwned)`touch /srv/pwned`;touch /srv/pwned;'\"\\ \t%s\x1b[31m"
LINES = "x\nJobState=FAILED\nJobId=1 Reason=None\n1\t0\t1\troot"
USER = "o'b;$(x)"
"""Nobody's tools make such an account, but a directory may have it."""
PARTITION = "p;$(x)'q"
FOLDER = "/srv/$(touch pwned) 'a\"\n*"
BAIT = "#!/bin/sh\ntouch /srv/pwned\n"
FIELDS = 14


@contextmanager
def odd_user(story: SlurmSite) -> Iterator[None]:
    """An account with this name on every host."""
    files = {host.name: (host.root / "etc/passwd").read_text() for host in story.slurm.hosts}
    for host in story.slurm.hosts:
        (host.root / "etc/passwd").write_text(f"{files[host.name]}{USER}:x:2999:2999::/srv:/bin/sh\n")
        host.do("mkdir", f"/home/{USER}")
    try:
        yield
    finally:
        for host in story.slurm.hosts:
            (host.root / "etc/passwd").write_text(files[host.name])
            host.do("rmdir", f"/home/{USER}")


@contextmanager
def odd_partition(story: SlurmSite) -> Iterator[None]:
    story.slurm.scontrol("create", f"PartitionName={PARTITION}", "Nodes=ALL", "State=UP")
    try:
        yield
    finally:
        story.slurm.run("scancel", f"--partition={PARTITION}")
        wait_until(lambda: story.slurm.run("scontrol", "delete", f"PartitionName={PARTITION}").returncode == 0)


def pwned(story: SlurmSite) -> list[str]:
    found = [host.run("find", "/", "-xdev", "-name", "pwned").stdout for host in story.slurm.hosts]
    return [each for each in found if each]


def test_what_users_choose_reaches_no_shell(story: SlurmSite) -> None:
    slurm, node = story.slurm, story.slurm.nodes["node-01"]
    for host in slurm.hosts:
        host.do("mkdir", "-p", FOLDER, "/srv/evil")
        host.do("chmod", "777", FOLDER)
        for name in ("date", "logger", "mv", "rm", "mkdir", "cat", "wc", "timeout"):
            host.run("sh", "-c", f"cat >/srv/evil/{name}; chmod 755 /srv/evil/{name}", stdin=BAIT)
    where = ("--nodelist=node-01", "--gres=gpu:1")
    exports = (
        "--export=ALL,PATH=/srv/evil:/usr/bin:/bin,ENV=/srv/evil/cat,BASH_ENV=/srv/evil/cat,IFS=x,LD_PRELOAD=/srv/x.so,"
        "SLURM_JOB_ID=1,SLURM_JOB_GPUS=9,CUDA_VISIBLE_DEVICES=7,RUN=/srv/evil,PS4=$(touch /srv/pwned)"
    )
    with odd_user(story), odd_partition(story):
        numbers = [
            slurm.submit("true", *where, f"--job-name={EVIL}", f"--comment={EVIL}", f"--account={EVIL}"),
            slurm.submit("true", *where, f"--job-name={LINES}", f"--comment={LINES}", f"--wckey={LINES}"),
            slurm.submit("true", *where, exports),
            slurm.submit("true", *where, f"--chdir={FOLDER}"),
            slurm.submit("true", *where, f"--partition={PARTITION}"),
            slurm.submit("exit 7", *where, "--job-name=--help", user=USER),
            slurm.submit("true", *where, "--array=5", f"--job-name={EVIL}"),
        ]
        tasks = [*numbers[:-1], f"{numbers[-1]}_5"]
        ended = [slurm.wait_job(each) for each in tasks]
        for each in numbers:
            wait_until(lambda each=each: story.journal("node-01", each) != [])  # type: ignore[misc]
        listed = {str(job["id"]): job for job in story.ask("jobs")["jobs"]}
        explained = [story.ask("job-analyze", each)["jobs"] for each in tasks]
    log = story.ask("log-correlation")
    lines = {each: story.journal("node-01", each) for each in numbers}
    for host in slurm.hosts:
        host.do("rm", "-rf", FOLDER)

    assert pwned(story) == []
    assert ended == ["COMPLETED"] * 5 + ["FAILED", "COMPLETED"]
    assert story.states() == {"node-01": ("IDLE", ""), "node-02": ("IDLE", "")}
    assert {each: len(line) for each, line in lines.items()} == dict.fromkeys(numbers, FIELDS)
    assert {line[7] for line in lines.values()} <= {"0", "1", "2", "3"}
    assert [lines[each][3:6] for each in (numbers[4], numbers[5])] == [["alice", "2010", "-"], ["-", "2999", "main"]]
    assert lines[numbers[5]][8] == "7:0"
    assert (log["damaged_lines"], log["unknown"]) == ({}, {})
    assert {each["job"] for each in log["jobs"]} >= {int(each) for each in numbers}
    assert [[run["correlation"] for run in runs] for runs in explained] == [["none"]] * len(tasks)
    assert set(numbers) <= set(listed)
    assert listed[numbers[1]]["state"] == "COMPLETED"
    assert node.do("sh", "-c", "cat /run/aamic/jobs/dcgm/*; ls /run/aamic/jobs/on") == ""
