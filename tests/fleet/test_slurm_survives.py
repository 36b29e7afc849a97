"""Whatever of aamic breaks, jobs of a real Slurm run: each case has a node that would refuse them if nothing broke."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from aamic.agent.health import verdict
from tests.fleet import faults
from tests.fleet.host import Host
from tests.fleet.slurmsite import CHECK, EXPORTER, XID, SlurmSite, start

NODE = "node-01"
VERDICT = "/run/aamic/verdict"
PROLOG = "/etc/slurm/prolog.d/50-aamic"
EPILOG = "/etc/slurm/epilog.d/50-aamic"
PYTHON = "/usr/bin/python3"
SPOOL = "/var/lib/slurm/slurmd"

Break = Callable[[SlurmSite, Host], AbstractContextManager[None]]


def refusing(story: SlurmSite, age: int = 0) -> bytes:
    """The verdict with which a node refuses jobs, of so many seconds ago."""
    now = int(float(story.slurm.nodes[NODE].do("cut", "-d.", "-f1", "/proc/uptime")))
    gpus = ["3 fail XID 79"]
    return verdict.text(verdict.Verdict("fail", now - age, int(time.time()), 10, True, 0, "XID 79", "-", gpus))


def put(host: Host, content: bytes) -> None:
    host.do("rm", "-rf", VERDICT)
    host.run("sh", "-c", f"cat >{VERDICT}", stdin=content.decode())


def stale(story: SlurmSite, host: Host) -> Iterator[None]:
    put(host, refusing(story, age=31))
    yield


def missing(story: SlurmSite, host: Host) -> Iterator[None]:  # noqa: ARG001  # all have the same
    host.do("rm", VERDICT)
    yield


def cut_off(story: SlurmSite, host: Host) -> Iterator[None]:
    put(host, refusing(story).removesuffix(b"end\n"))
    yield


def garbage(story: SlurmSite, host: Host) -> Iterator[None]:
    put(host, refusing(story).replace(b"reason", b"reason \x1b[31m$(touch /srv/pwned)"))
    yield


def folder(story: SlurmSite, host: Host) -> Iterator[None]:  # noqa: ARG001  # all have the same
    host.do("sh", "-c", f"rm {VERDICT} && mkdir {VERDICT}")
    yield
    host.do("rmdir", VERDICT)


def exporter_down(story: SlurmSite, host: Host) -> Iterator[None]:
    host.do("systemctl", "stop", EXPORTER)
    assert story.check(NODE).state == "unknown"
    yield


def exporter_hangs(story: SlurmSite, host: Host) -> Iterator[None]:
    host.do("systemctl", "kill", "--signal=SIGSTOP", EXPORTER)
    assert story.check(NODE).state == "unknown"
    yield
    host.do("systemctl", "kill", "--signal=SIGCONT", EXPORTER)


def check_hangs(story: SlurmSite, host: Host) -> Iterator[None]:
    """The check waits for an exporter, while the verdict of before grows old."""
    put(host, refusing(story, age=31))
    host.do("systemctl", "kill", "--signal=SIGSTOP", EXPORTER)
    host.do("systemctl", "start", "--no-block", CHECK)
    yield
    host.do("systemctl", "kill", "--signal=SIGCONT", EXPORTER)


def no_python(story: SlurmSite, host: Host) -> Iterator[None]:
    put(host, refusing(story, age=31))
    host.do("mv", PYTHON, f"{PYTHON}.gone")
    assert host.run("systemctl", "start", CHECK).returncode != 0
    yield
    host.do("mv", f"{PYTHON}.gone", PYTHON)


def no_scripts(story: SlurmSite, host: Host) -> Iterator[None]:  # noqa: ARG001  # all have the same
    host.do("sh", "-ec", f"for each in {PROLOG} {EPILOG}; do mv $each /srv/gpus/$(basename $(dirname $each)); done")
    yield
    host.do("sh", "-ec", f"for each in {PROLOG} {EPILOG}; do mv /srv/gpus/$(basename $(dirname $each)) $each; done")


def full_run(story: SlurmSite, host: Host) -> Iterator[None]:  # noqa: ARG001  # all have the same
    before = host.do("findmnt", "-no", "OPTIONS", "/run")
    used = int(host.do("df", "--output=used", "--block-size=1K", "/run").split()[1])
    host.do("mount", "-o", f"remount,size={used}K", "/run")
    yield
    size = next(each for each in before.strip().split(",") if each.startswith("size="))
    host.do("mount", "-o", f"remount,{size}", "/run")


def full_var(story: SlurmSite, host: Host) -> Iterator[None]:
    """Slurm's own spool is elsewhere, as slurmd drains its node where that is full."""
    put(host, refusing(story, age=31))
    host.do("sh", "-ec", f"cp -a {SPOOL} /srv/spool; mount --bind /srv/spool {SPOOL}")
    host.do("rm", "-f", "/var/lib/aamic/jobs.journal")  # its last page has room for another line
    with faults.full_disk(host, "/var"):
        story.gpus(NODE, XID)
        start(host, CHECK)
        assert story.verdict(NODE).state == "fail"
        yield
    assert "is missing in /var/lib/aamic/jobs.journal" in story.said(host, "aamic-epilog")[-1]
    host.do("sh", "-ec", f"umount {SPOOL}; rm -r /srv/spool")


def no_logger(story: SlurmSite, host: Host) -> Iterator[None]:
    put(host, refusing(story, age=31))
    host.do("mv", "/usr/bin/logger", "/usr/bin/logger.gone")
    yield
    host.do("mv", "/usr/bin/logger.gone", "/usr/bin/logger")


CASES = (
    stale, missing, cut_off, garbage, folder, exporter_down, exporter_hangs, check_hangs, no_python, no_scripts,
    full_run, full_var, no_logger,
)  # fmt: skip


def run_job(story: SlurmSite) -> tuple[int, float]:
    """Run a job on the node, to the end of its epilog: its status, and the seconds that it took."""
    began = time.monotonic()
    done = story.slurm.srun(f"--nodelist={NODE}", "--gres=gpu:1", "--immediate=20", "true")
    story.slurm.wait_node(NODE, "IDLE", "IDLE+DRAIN")
    return done.returncode, time.monotonic() - began


def test_without_a_fault_the_job_is_refused(story: SlurmSite) -> None:
    put(story.slurm.nodes[NODE], refusing(story))

    assert run_job(story)[0] == 182
    assert story.states() == {NODE: ("IDLE+DRAIN", "Prolog error"), "node-02": ("IDLE", "")}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_jobs_run(story: SlurmSite, case: Callable[[SlurmSite, Host], Iterator[None]]) -> None:
    node = story.slurm.nodes[NODE]
    put(node, refusing(story))
    with contextmanager(case)(story, node):
        status, seconds = run_job(story)

    assert (status, story.states()[NODE]) == (0, ("IDLE", ""))
    assert seconds < 10
