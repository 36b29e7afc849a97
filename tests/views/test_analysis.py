"""What a tired person reads of a job: all of it, to the letter."""

from __future__ import annotations

import json
from dataclasses import replace

from aamic.compile.hostlist import fold
from aamic.model.analysis import Analysis, Event, Gap, NodeAnalysis, Suspect, Window
from aamic.model.slurm import ExitStatus, Job, SlurmNode
from aamic.views.analysis import (
    affected_json,
    affected_text,
    job_analysis_json,
    jobs_json,
    jobs_text,
    node_json,
    node_text,
)

START, END = 1_764_000_000.0, 1_764_003_600.0
JOB = Job(
    id=7,
    shown="7",
    name="train",
    user="ada",
    account="a",
    partition="gpu",
    state="FAILED",
    flags=(),
    reason="",
    submitted=START,
    started=START,
    ended=END,
    nodes=("gpu-01", "gpu-02"),
    gpus=None,
    gpu_count=16,
    exit=ExitStatus(0, 9),
    restarts=1,
    source="sacct",
)
FALLEN = Event(
    at=END - 40,
    since=END - 55,
    node="gpu-01",
    gpu="3",
    kind="error_code",
    what="XID 79 (GPU has fallen off the bus)",
    meaning="The driver cannot reach the GPU.",
    severity="critical",
    bearing="fatal",
    action="Drain the node and reboot it.",
    vendor="nvidia",
    code=79,
)
GAP = Gap("gpu-02", START, START + 60, "the exporter of its GPUs was down (says http://a)")
CONFIRMED = Analysis(
    job=JOB,
    window=Window(START, END, 60, 45),
    correlation="confirmed",
    confidence=90,
    reasons=("XID 79 (GPU has fallen off the bus) on GPU 3 of gpu-01, 40 s before it ended",),
    recommendation="gpu-01 GPU 3: Drain the node and reboot it.",
    events=(FALLEN,),
    gaps=(GAP,),
    notes=("gpu-01: its replica was asked",),
    known="whole nodes",
)
NOTHING = replace(CONFIRMED, correlation="none", events=(), gaps=(), notes=(), reasons=("nothing happened",))


def test_the_verdict_comes_first_then_why_then_the_time_line() -> None:
    assert jobs_text([CONFIRMED], fold) == (
        "confirmed: a GPU did this (90 %)\n"
        "job 7 (train, ada, run 2): FAILED, exit 0 by signal 9 on gpu-[01-02]\n"
        "why:\n"
        "  XID 79 (GPU has fallen off the bus) on GPU 3 of gpu-01, 40 s before it ended\n"
        "do: gpu-01 GPU 3: Drain the node and reboot it.\n"
        "time line (UTC):\n"
        "  2025-11-24\n"
        "  16:00:00  started\n"
        "  16:59:20  gpu-01 GPU 3  critical  XID 79 (GPU has fallen off the bus)\n"
        "  17:00:00  ended: FAILED, exit 0 by signal 9\n"
        "not known (UTC):\n"
        "  gpu-02 2025-11-24 16:00:00 to 2025-11-24 16:01:00: the exporter of its GPUs was down (says\n"
        "    http://a)\n"
        "note: gpu-01: its replica was asked\n"
    )


def test_of_many_tasks_those_worth_a_look_come_first() -> None:
    shown = jobs_text([NOTHING, CONFIRMED], fold)

    assert shown.startswith("2 tasks or runs: 1 confirmed, 1 none\n\nconfirmed: a GPU did this (90 %)\n")
    assert shown.endswith("\nnone: job 7 (train, ada, run 2): FAILED, exit 0 by signal 9 on gpu-[01-02]\n")


def test_of_very_many_tasks_five_are_told_in_full() -> None:
    shown = jobs_text(
        [CONFIRMED] * 3 + [replace(CONFIRMED, correlation="unknown", confidence=0)] * 9 + [NOTHING] * 90, fold
    )

    assert shown.startswith("102 tasks or runs: 3 confirmed, 9 unknown, 90 none\n")
    assert shown.count("\nwhy:\n") == 5
    assert shown.endswith("\nand 77 more; --json has them all\n")
    assert len(shown.splitlines()) < 120


def test_what_is_not_known_of_many_nodes_is_told_once() -> None:
    dark = tuple(replace(GAP, node=f"gpu-{number:03d}") for number in range(1, 513))
    shown = jobs_text([replace(CONFIRMED, gaps=dark)], fold)

    assert "  gpu-[001-512] 2025-11-24 16:00:00 to 2025-11-24 16:01:00: the exporter" in shown


def test_a_long_time_line_is_cut_in_the_middle_and_says_so() -> None:
    many = tuple(replace(FALLEN, at=START + 10 * number) for number in range(60))
    shown = jobs_text([replace(CONFIRMED, events=many)], fold)

    assert "  ... 42 more; --json has them all\n" in shown
    assert shown.count("GPU 3  critical") == 18


def test_names_do_not_steer_the_terminal() -> None:
    hostile = replace(CONFIRMED, job=replace(JOB, name="\x1b[2J", user="a\nb"), reasons=("\x07",))

    assert [c for c in jobs_text([hostile], fold) if c != "\n" and not c.isprintable()] == []


def test_json_has_everything() -> None:
    value = jobs_json([CONFIRMED])
    (found,) = json.loads(json.dumps(value))["jobs"]

    assert value["version"] == 1
    assert (found["correlation"], found["confidence"], found["job"]["job"]) == ("confirmed", 90, "7")
    assert found["events"][0]["code"] == 79
    assert found["gaps"] == [{"node": "gpu-02", "start": START, "end": START + 60, "why": GAP.why}]


def test_jobs_of_a_node_by_how_much_it_concerns_them() -> None:
    unknown = replace(NOTHING, correlation="unknown", confidence=0)
    shown = affected_text("gpu-01", START, [NOTHING, unknown, CONFIRMED], fold)

    assert shown.splitlines()[:4] == [
        "gpu-01 since 2025-11-24 16:00:00 UTC: 3 jobs, 1 may be affected",
        "1 of them are not known: data are missing for part of their time",
        "  confirmed (90 %): job 7 (train, ada, run 2): FAILED, exit 0 by signal 9 on gpu-[01-02]",
        "    XID 79 (GPU has fallen off the bus) on GPU 3 of gpu-01, 40 s before it ended",
    ]
    assert affected_json("gpu-01", START, [CONFIRMED])["jobs"] == [job_analysis_json(CONFIRMED)]


NODE = NodeAnalysis(
    node="gpu-01",
    start=START,
    end=END,
    events=(FALLEN,),
    older=(replace(FALLEN, what="XID 48 (double bit ECC error)", gpu="1"),),
    jobs=(CONFIRMED,),
    suspects=(Suspect("3", 1, ("7",), "fatal"),),
    gaps=(),
    notes=(),
    slurm=SlurmNode("gpu-01", "IDLE", ("DRAIN",), "aamic: XID 79", "root", END, 8, ("gpu",)),
)


def test_a_node_is_told_by_its_suspects() -> None:
    assert node_text(NODE, fold) == (
        "gpu-01: 1 GPU is suspected\n"
        "  GPU 3: fatal, 1 event; jobs 7\n"
        "in Slurm: IDLE+DRAIN: aamic: XID 79, by root at 2025-11-24 17:00:00 UTC\n"
        "older than 2025-11-24 16:00:00 UTC: gpu-01 GPU 1  critical  XID 48 (double bit ECC error)\n"
        "time line (UTC):\n"
        "  2025-11-24\n"
        "  16:59:20  gpu-01 GPU 3  critical  XID 79 (GPU has fallen off the bus)\n"
        "1 job ran:\n"
        "  confirmed: job 7 (train, ada, run 2): FAILED, exit 0 by signal 9 on gpu-[01-02]\n"
    )
    assert json.loads(json.dumps(node_json(NODE)))["suspects"] == [
        {"gpu": "3", "events": 1, "jobs": ["7"], "worst": "fatal"}
    ]


def test_a_node_with_gaps_is_not_called_healthy() -> None:
    blind = replace(NODE, suspects=(), events=(), older=(), jobs=(), gaps=(GAP,), slurm=None)

    assert node_text(blind, fold).splitlines()[:2] == ["gpu-01: not known: data are missing", "in Slurm: not known"]
    assert node_text(replace(blind, gaps=()), fold).startswith("gpu-01: no GPU is suspected\n")
