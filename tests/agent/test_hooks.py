"""Prolog and epilog as Slurm starts them: no PATH, hostile values, and whatever may be wrong with a host."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aamic import agent
from aamic.agent.health import verdict as verdicts
from aamic.agent.health.verdict import Verdict
from aamic.catalog import knowledge
from aamic.catalog.vendors import NAMES
from aamic.model.slurm import ExitStatus, HookRecord
from aamic.ops.hookjournal import read_journal

SHELLS = [
    [found, *arguments]
    for name, *arguments in (["dash"], ["bash", "--posix"])
    if (found := shutil.which(name)) is not None
]
ROOT = os.geteuid() == 0
HOSTILE = [
    "$(touch /tmp/pwned)",
    "`id`",
    "a\nb",
    "../../etc/passwd",
    "a b",
    "'; exit 7 #",
    '"',
    "*",
    "-n",
    "é",
    "%s",
    "",
]


JOBS = {name: script for name in NAMES if (script := knowledge.script(name, "jobs.sh"))}


class Host:
    """A host in a folder; what is told to syslog stands in a file."""

    def __init__(self, folder: Path, shell: list[str]) -> None:
        self.folder, self.shell = folder, shell
        self.run, self.state, self.amd = folder / "run", folder / "state", folder / "exporter"
        for made in (self.run, self.state, self.amd):
            made.mkdir()
        self.log = folder / "syslog"
        self.logger = folder / "logger"
        self.logger.write_text(f'#!/bin/sh\nprintf "%s\\n" "$6" >>{self.log}\n')
        self.logger.chmod(0o755)
        self.uptime = folder / "uptime"
        self.uptime.write_text("1000.52 4000.00\n")

    def hooks(self, **changes: object) -> agent.Hooks:
        values = {"check": True, "journal": True, "mapping": True, "mode": "on"} | changes
        paths = {"run": self.run, "state": self.state, "logger": self.logger, "uptime": self.uptime}
        jobs = {name: script.replace(b"/run/exporter", bytes(self.amd)) for name, script in JOBS.items()}
        return agent.Hooks(**{name: str(path) for name, path in paths.items()} | {"jobs": jobs} | values)  # type: ignore[arg-type]

    def call(self, script: bytes, **environment: str) -> int:
        path = self.folder / f"hook-{threading.get_ident()}"
        path.write_bytes(script)
        done = subprocess.run(
            [*self.shell, str(path)], env=environment, cwd="/", timeout=20, check=False, capture_output=True
        )
        assert (done.stdout, done.stderr) == (b"", b"")
        return done.returncode

    def prolog(self, hooks: agent.Hooks | None = None, **environment: str) -> int:
        return self.call(agent.prolog(hooks or self.hooks()), **JOB, **environment)

    def epilog(self, hooks: agent.Hooks | None = None, **environment: str) -> int:
        return self.call(agent.epilog(hooks or self.hooks()), **JOB, **environment)

    def judged(self, state: str = "fail", *, refuse: bool = True, uptime: int = 990, reason: str = "XID 79") -> None:
        told = Verdict(state, uptime, 1_764_090_000, 30, refuse, 0, reason, "-", ["3 fail XID 79"])
        (self.run / "verdict").write_bytes(verdicts.text(told))

    @property
    def told(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []

    def jobs(self, gpu: int) -> list[str]:
        return (self.run / f"jobs/dcgm/{gpu}").read_text().splitlines()

    def journal(self) -> list[list[str]]:
        return [line.split("\t") for line in (self.state / "jobs.journal").read_text().splitlines()]


JOB = {"SLURM_JOB_ID": "12"}


@pytest.fixture(params=SHELLS, ids=lambda shell: Path(shell[0]).name)
def host(tmp_path: Path, request: pytest.FixtureRequest) -> Host:
    return Host(tmp_path, request.param)


def test_a_failing_node_refuses_a_job_and_says_so(host: Host) -> None:
    host.judged()
    before = int(time.time())

    assert host.prolog() == 1
    uptime, at, job = (host.run / "refused").read_text().split()
    assert (uptime, job) == ("1000", "12")
    assert before <= int(at) <= time.time()
    assert host.told == ["job 12 is refused: XID 79"]


@pytest.mark.skipif(not ROOT, reason="only root can become a user who may start nothing")
@pytest.mark.parametrize("hook", [agent.prolog, agent.epilog])
def test_a_node_that_can_start_no_program_runs_jobs(host: Host, hook: Callable[[agent.Hooks], bytes]) -> None:
    host.judged()
    limited = ["setpriv", "--reuid=nobody", "--clear-groups", "prlimit", "--nproc=1", *host.shell]
    script = hook(host.hooks())
    done = subprocess.run(limited, input=script, env=JOB, timeout=60, check=False, capture_output=True)

    assert (done.returncode, b"ork" in done.stderr) == (0, True)


@pytest.mark.parametrize("state", ["ok", "warn", "unknown"])
def test_any_other_node_runs_it_without_a_word(host: Host, state: str) -> None:
    host.judged(state)

    assert (host.prolog(), host.told, (host.run / "refused").exists()) == (0, [], False)


@pytest.mark.parametrize(
    ("mode", "leave", "told"),
    [
        ("shadow", "yes", ["would refuse job 12: XID 79"]),
        ("shadow", "no", ["job 12 runs although this node fails: XID 79"]),
        ("on", "no", ["job 12 runs although this node fails: XID 79"]),
    ],
)
def test_in_shadow_or_without_leave_it_only_says_so(host: Host, mode: str, leave: str, told: list[str]) -> None:
    host.judged(refuse=leave == "yes")

    assert (host.prolog(host.hooks(mode=mode)), host.told) == (0, told)
    assert not (host.run / "refused").exists()


def test_without_a_check_no_verdict_is_read(host: Host) -> None:
    host.judged()

    assert (host.prolog(host.hooks(check=False)), host.told) == (0, [])


GOOD = verdicts.text(Verdict("fail", 990, 1, 30, True, 0, "XID 79", "-", []))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "there is no verdict"),
        (b"", "the verdict is unreadable"),
        (b"\x00\xff\xfe" * 100, "the verdict is unreadable"),
        (GOOD[:-4], "the verdict is cut off"),
        (GOOD[:-1], "the verdict is cut off"),
        (GOOD + b"more\n", "the verdict is cut off"),
        (GOOD + GOOD, "the verdict is cut off"),
        (GOOD.replace(b"verdict 1", b"verdict 2"), "the verdict is unreadable"),
        (GOOD.replace(b"fail", b"fine"), "the verdict is unreadable"),
        (GOOD.replace(b"XID", b"\x1b[31mXID"), "the verdict is unreadable"),
        (GOOD.replace(b"uptime 990", b"uptime 1001"), "the verdict is old: written at 1001, now it is 1000"),
        (GOOD.replace(b"uptime 990", b"uptime 909"), "the verdict is old: written at 909, now it is 1000"),
        (GOOD.replace(b"uptime 990", b"uptime 0990"), "the age of the verdict is not known"),
        (GOOD.replace(b"uptime 990", b"uptime x$(id)"), "the age of the verdict is not known"),
        (GOOD.replace(b"interval 30", b"interval 99999999999999999999"), "the age of the verdict is not known"),
        (b"gpu x\n" * 5000, "the verdict is unreadable"),
        (GOOD.replace(b"end\n", b"gpu 3\n" * 5000 + b"end\n"), "the verdict is cut off"),
    ],
)
def test_what_is_no_fresh_verdict_lets_the_job_run_and_is_told(host: Host, content: bytes | None, told: str) -> None:
    if content is not None:
        (host.run / "verdict").write_bytes(content)

    assert (host.prolog(), host.told) == (0, [f"job 12 runs: {told}"])


def test_a_verdict_counts_until_the_end_of_its_third_interval(host: Host) -> None:
    host.judged(uptime=910)

    assert host.prolog() == 1


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_a_verdict_that_is_no_file_blocks_nothing(host: Host, make: object) -> None:
    make(host.run / "verdict")  # type: ignore[operator]

    assert (host.prolog(), host.told) == (0, ["job 12 runs: there is no verdict"])


def test_a_clock_that_cannot_be_read_lets_the_job_run(host: Host) -> None:
    host.judged()
    host.uptime.unlink()

    assert (host.prolog(), host.told) == (0, ["job 12 runs: the age of the verdict is not known"])


def test_a_verdict_that_may_not_be_read_lets_the_job_run(host: Host) -> None:
    host.judged()
    (host.run / "verdict").chmod(0)
    if ROOT:
        host.shell = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *host.shell]

    assert host.prolog() == 0
    assert [line[:27] for line in host.told] == ["job 12 runs: the verdict is"]


def test_without_a_logger_or_with_one_that_hangs_jobs_run(host: Host) -> None:
    host.logger.unlink()
    gone = host.prolog()
    host.logger.write_text("#!/bin/sh\nexec sleep 60\n")
    host.logger.chmod(0o755)
    started = time.monotonic()
    hung = host.prolog()

    assert (gone, hung) == (0, 0)
    assert time.monotonic() - started < 10


def test_a_refusal_that_cannot_be_written_down_is_none(host: Host) -> None:
    host.judged()
    (host.run / "refused").mkdir()
    (host.run / "refused/x").touch()

    assert host.prolog() == 0
    assert host.told == ["job 12 runs, as its refusal could not be written down: XID 79"]


@contextlib.contextmanager
def tiny(folder: Path) -> Iterator[None]:
    """A file system of one page at a folder."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k,nr_inodes=8", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.skipif(not ROOT, reason="only root mounts")
@pytest.mark.parametrize("lack", ["space", "inodes"])
def test_full_file_systems_hurt_no_job(host: Host, lack: str) -> None:
    with tiny(host.run), tiny(host.state):
        host.judged()
        for full in (host.run, host.state):
            if lack == "inodes":
                with contextlib.suppress(OSError):
                    for number in range(10):
                        (full / f"x{number}").touch()
            else:
                with contextlib.suppress(OSError):
                    (full / "x").write_bytes(b"x" * 8192)
        assert (host.prolog(SLURM_JOB_GPUS="0-7"), host.epilog(SLURM_JOB_GPUS="0-7")) == (0, 0)
        subprocess.run(["mount", "-o", "remount,ro", str(host.run)], check=True)
        subprocess.run(["mount", "-o", "remount,ro", str(host.state)], check=True)
        assert (host.prolog(SLURM_JOB_GPUS="0-7"), host.epilog(SLURM_JOB_GPUS="0-7")) == (0, 0)

    assert any("could not be written down" in line for line in host.told)


def test_the_mapping_says_which_job_has_which_gpu(host: Host) -> None:
    mine = {"SLURM_JOB_GPUS": "0,2-3", "SLURM_JOB_USER": "kim", "SLURM_JOB_PARTITION": "gpu"}
    hooks = host.hooks(check=False)

    assert host.prolog(hooks, **mine, SLURM_CLUSTER_NAME="c1") == 0
    assert [host.jobs(gpu) for gpu in (0, 2, 3)] == [["12"]] * 3
    assert json.loads((host.amd / "2").read_text()) == {
        "SLURM_JOB_ID": "12",
        "SLURM_JOB_USER": "kim",
        "SLURM_JOB_PARTITION": "gpu",
        "SLURM_CLUSTER_NAME": "c1",
        "CUDA_VISIBLE_DEVICES": "2",
    }
    assert host.epilog(hooks, **mine) == 0
    assert [host.jobs(gpu) for gpu in (0, 2, 3)] == [[], [], []]
    assert [*host.amd.iterdir(), *(host.run / "jobs/on").iterdir()] == []
    assert sorted(path.name for path in (host.run / "jobs").iterdir()) == ["amd", "dcgm", "on"]
    assert [*(host.run / "jobs/amd").iterdir()] == []
    assert host.told == []


def test_jobs_that_share_a_gpu_come_and_go(host: Host) -> None:
    hooks = host.hooks(check=False)
    script = agent.prolog(hooks)
    for job in ("12", "13"):
        host.call(script, SLURM_JOB_ID=job, SLURM_JOB_GPUS="1", SLURM_JOB_USER=f"u{job}")
    shared = host.jobs(1)
    host.call(agent.epilog(hooks), SLURM_JOB_ID="13", SLURM_JOB_GPUS="1")

    assert (shared, host.jobs(1)) == (["12", "13"], ["12"])
    assert json.loads((host.amd / "1").read_text())["SLURM_JOB_USER"] == "u12"


def test_indices_of_amd_are_those_of_the_exporter_and_without_it_there_are_no_files(host: Host) -> None:
    host.prolog(host.hooks(check=False), SLURM_JOB_GPUS="130")
    named = [path.name for path in host.amd.iterdir()]
    shutil.rmtree(host.amd)
    without = host.prolog(host.hooks(check=False), SLURM_JOB_GPUS="131")

    assert (named, without, host.amd.exists()) == (["2"], 0, False)


def test_a_link_in_the_folder_of_amds_exporter_is_replaced_and_not_followed(host: Host) -> None:
    victim = host.run / "victim"
    victim.write_text("precious")
    (host.amd / "1").symlink_to(victim)
    host.prolog(host.hooks(check=False), SLURM_JOB_GPUS="1")

    assert (victim.read_text(), json.loads((host.amd / "1").read_text())["SLURM_JOB_ID"]) == ("precious", "12")
    assert not (host.amd / "1").is_symlink()


NO_INDICES = [
    "",
    "(null)",
    "a",
    "0,,a",
    "1-",
    "-1",
    "5-2",
    "0-99999999",
    "0-70",
    "1.2",
    "08",
    "0 1",
    "9" * 20,
    "0," * 300,
]


@pytest.mark.parametrize("gpus", [*NO_INDICES, "*", "$(id)", "/etc"])
def test_gpus_that_are_no_indices_are_none(host: Host, gpus: str) -> None:
    assert host.prolog(host.hooks(check=False), SLURM_JOB_GPUS=gpus) == 0
    assert not (host.run / "jobs/dcgm").exists()


def test_an_epilog_that_is_not_told_the_gpus_frees_and_records_them(host: Host) -> None:
    host.prolog(host.hooks(check=False), SLURM_JOB_GPUS="0,5")
    host.epilog()

    assert ([host.jobs(0), host.jobs(5)], host.journal()[0][7]) == ([[], []], "0,5")


def test_many_hooks_at_a_time_lose_no_job(host: Host) -> None:
    hooks = host.hooks(check=False, journal=False)

    def life(job: int, *, ends: bool) -> None:
        own = {"SLURM_JOB_ID": str(job), "SLURM_JOB_GPUS": "0-3"}
        host.call(agent.prolog(hooks), **own)
        if ends:
            host.call(agent.epilog(hooks), **own)

    threads = [threading.Thread(target=life, args=(job,), kwargs={"ends": job % 2 == 0}) for job in range(100, 116)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    expected = [str(job) for job in range(101, 116, 2)]
    assert [host.jobs(gpu) for gpu in range(4)] == [expected] * 4
    assert {json.loads((host.amd / str(gpu)).read_text())["SLURM_JOB_ID"] for gpu in range(4)} <= set(expected)


def test_the_journal_has_a_line_for_each_job(host: Host) -> None:
    host.judged(reason="XID 79 on GPU 3")
    before = int(time.time())

    host.epilog(
        SLURM_JOB_USER="kim", SLURM_JOB_UID="1000", SLURM_JOB_PARTITION="gpu", SLURM_JOB_ACCOUNT="lab",
        SLURM_JOB_GPUS="0-1", SLURM_JOB_EXIT_CODE="768", SLURM_JOB_EXIT_CODE2="3:0", SLURMD_NODENAME="gpu-001",
        SLURM_JOB_RESTART_COUNT="2",
    )  # fmt: skip

    (line,) = host.journal()
    assert before <= int(line[1]) <= time.time()
    assert [line[0], *line[2:]] == [
        "1", "12", "kim", "1000", "gpu", "lab", "0,1", "3:0", "fail", "0", "gpu-001", "2", "XID 79 on GPU 3",
    ]  # fmt: skip


@pytest.mark.parametrize("code", ["3", "", ":", "3:", ":9", "1:2:3", "a:b", "-1:0", "1111111111:2"])
def test_an_exit_code_that_is_none_is_not_known(host: Host, code: str) -> None:
    host.epilog(SLURM_JOB_EXIT_CODE2=code)

    assert host.journal()[0][8:10] == ["-", "-"]


def test_the_journal_is_read_as_it_is_written(host: Host) -> None:
    host.judged("ok", reason="all 8 GPUs are well")
    host.epilog(SLURM_JOB_GPUS="0,2", SLURM_JOB_USER="kim", SLURM_JOB_PARTITION="gpu", SLURM_JOB_EXIT_CODE2="3:9")
    host.epilog(SLURM_JOB_USER="$(id)")

    found = read_journal("gpu-001", (host.state / "jobs.journal").read_text())

    first, second = (replace(each, at=0.0) for each in found.records)
    assert found.damaged == 0
    assert first == HookRecord("gpu-001", 0.0, 12, "kim", "gpu", (0, 2), ExitStatus(3, 9), "ok", "all 8 GPUs are well")
    assert second == HookRecord("gpu-001", 0.0, 12, "", "", (), None, "ok", "all 8 GPUs are well")


def test_the_journal_is_bounded(host: Host) -> None:
    journal = host.state / "jobs.journal"
    script = agent.epilog(host.hooks())
    journal.write_text("x" * 1_000_001)
    host.call(script, SLURM_JOB_ID="129")
    between = journal.stat().st_size
    host.call(script, SLURM_JOB_ID="130")
    first = (journal.stat().st_size, (host.state / "jobs.journal.1").stat().st_size)
    journal.write_text("y" * 2_000_001)
    (host.state / "jobs.journal.lock").mkdir()
    for job in ("140", "150"):
        host.call(script, SLURM_JOB_ID=job)

    assert (between > 1_000_001, first[0] < 300, first[1], journal.stat().st_size < 300) == (True, True, between, True)
    assert sorted(path.name for path in host.state.iterdir()) == ["jobs.journal", "jobs.journal.1"]


def test_a_journal_that_cannot_be_written_fails_no_job(host: Host) -> None:
    shutil.rmtree(host.state)

    assert host.epilog() == 0
    assert host.told == [f"job 12 is missing in {host.state}/jobs.journal"]


@pytest.mark.parametrize("value", HOSTILE)
def test_hostile_values_break_nothing_out(host: Host, value: str) -> None:
    host.judged()
    names = ["USER", "UID", "PARTITION", "ACCOUNT", "GPUS", "WORK_DIR", "EXIT_CODE2", "RESTART_COUNT"]
    hostile = {f"SLURM_JOB_{name}": value for name in names} | {"SLURMD_NODENAME": value, "SLURM_CLUSTER_NAME": value}
    before = sorted(path.name for path in host.folder.iterdir() if not path.name.startswith("hook-"))

    refused = host.call(agent.prolog(host.hooks()), SLURM_JOB_ID=value, **hostile, PATH=value, IFS=value)
    host.judged("ok")
    runs = host.call(agent.prolog(host.hooks()), **JOB, **(hostile | {"SLURM_JOB_GPUS": "1"}), ENV=value)
    ended = host.call(agent.epilog(host.hooks()), **JOB, **hostile, BASH_ENV=value, CDPATH=value)

    after = sorted(path.name for path in host.folder.iterdir() if not path.name.startswith("hook-"))
    assert (refused, runs, ended) == (1, 0, 0)
    assert after == sorted({*before, "syslog"})
    assert not Path("/tmp/pwned").exists()  # noqa: S108  # what a hostile name would make
    assert host.told == ["job - is refused: XID 79"]
    (line,) = host.journal()
    assert (len(line), set(line[3:7]) == {"-"}) == (14, True)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200).filter(lambda data: b"\0" not in data))
def test_no_bytes_in_a_value_make_a_hook_fail(host: Host, data: bytes) -> None:
    value = os.fsdecode(data)
    hostile = {f"SLURM_JOB_{name}": value for name in ("ID", "USER", "PARTITION", "ACCOUNT", "GPUS", "EXIT_CODE2")}

    assert host.call(agent.prolog(host.hooks()), **hostile) == 0
    assert host.call(agent.epilog(host.hooks()), **hostile) == 0


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300) | st.integers(0, len(GOOD) - 1).map(lambda end: GOOD[:end]))
def test_no_verdict_that_python_does_not_take_refuses_a_job(host: Host, content: bytes) -> None:
    (host.run / "verdict").write_bytes(content)
    with pytest.raises(ValueError):  # noqa: PT011  # it is none, whatever is wrong with it
        verdicts.parse(content)

    assert host.prolog() == 0


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed")
def test_shellcheck_and_dash_find_nothing(host: Host) -> None:
    for name, script in (("prolog", agent.prolog(host.hooks())), ("epilog", agent.epilog(host.hooks()))):
        path = host.folder / name
        path.write_bytes(script)
        done = subprocess.run(["shellcheck", "-s", "sh", str(path)], capture_output=True, text=True, check=False)
        parsed = subprocess.run([*host.shell, "-n", str(path)], capture_output=True, text=True, check=False)

        assert (done.stdout, parsed.returncode, parsed.stderr) == ("", 0, "")


def test_every_program_has_its_absolute_path() -> None:
    script = agent.prolog(agent.Hooks(jobs=JOBS)) + agent.epilog(agent.Hooks(jobs=JOBS))
    called = set(re.findall(rb"(?:^|[|&;({] *|\$\()(/[a-z/]+)", script, re.MULTILINE))

    assert called <= {
        b"/bin/mkdir",
        b"/bin/rm",
        b"/bin/mv",
        b"/bin/date",
        b"/bin/rmdir",
        b"/usr/bin/wc",
        b"/usr/bin/timeout",
    }
    for word in (b"scontrol", b"squeue", b"curl", b"jq", b"python", b"nvidia-smi"):
        assert word not in script
