"""Jobs explained from what a real Prometheus has stored of their nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from aamic.clients.base import History
from aamic.clients.prometheus import Prometheus
from aamic.compile.compiler import check_site
from aamic.model.analysis import Analysis
from aamic.model.fleet import Fleet
from aamic.model.slurm import ExitStatus, HookRecord, Job
from aamic.ops.evidence import Ask
from aamic.ops.jobs import analyze, conclude, examine
from tests.ops.history import START, Story, after, away, served

SITE = """
version: 1
cluster: {name: test}
nodes:
  "gpu-[01-20]": {addresses: "198.18.0.[1-20]", gpu: {vendor: nvidia, model: H100, count: 8}}
  "mi-[01-02]": {addresses: "198.18.1.[1-2]", gpu: {vendor: amd, model: MI300X, count: 8}}
  mon-01: {address: 198.18.2.1}
  cpu-01: {address: 198.18.2.2}
prometheus: {node: mon-01}
"""
BEGIN, END = 600, 4200
"""When the jobs of these stories run, in seconds since `START`."""
NOW = START + 7000.0


def story() -> Story:
    told = Story()
    told.nvidia("gpu-01", codes={1: after(4150, 79)})
    told.nvidia("gpu-02", codes={1: lambda _: 79})
    told.nvidia("gpu-03", codes={1: after(4150, 13)})
    told.nvidia("gpu-04", up=away((2000, 2600), value=None))
    told.nvidia("gpu-05", up=away((2000, 2600)))
    told.nvidia("gpu-06")
    told.add("gpu:ecc_uncorrected_total", after(4000, 3), node="gpu-06", gpu="0", vendor="nvidia")
    told.add("gpu:ecc_corrected_total", lambda at: 50 if at < 2000 else at / 10, node="gpu-06", gpu="1")
    told.nvidia("gpu-07", gone={1: 4000})
    told.nvidia("gpu-08", codes={5: after(4150, 79)})
    told.nvidia("gpu-09", codes={1: after(4150, 79)}, job="7")
    told.nvidia("gpu-10", codes={1: after(4300, 79)})
    told.nvidia("gpu-11", up=away((600, 4200)), codes={1: after(2000, 79)})
    told.nvidia("gpu-12", codes={0: after(1000, 31), 1: lambda at: 79 if at > 3000 else 0 if at < 1500 else 48})
    told.nvidia("gpu-13")
    told.add("gpu:temperature_celsius", after(4000, 96), node="gpu-13", gpu="9", vendor="nvidia")
    told.nvidia("gpu-14", count=7)
    told.nvidia("gpu-1")
    told.amd("mi-01", afids={0: lambda at: 18 if at > 4000 else None})
    told.amd("mi-02")
    return told


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(story(), tmp_path_factory.mktemp("stored")) as url:
        yield url


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    path = tmp_path_factory.mktemp("site") / "site.yaml"
    path.write_text(SITE)
    return check_site(path).fleet


def job(*nodes: str, **changes: Any) -> Job:
    """A job that failed, on GPUs 0 and 1 of these nodes."""
    base = Job(
        id=7,
        shown="7",
        name="train",
        user="ada",
        account="a",
        partition="gpu",
        state="FAILED",
        flags=(),
        reason="",
        submitted=START - 100.0,
        started=START + float(BEGIN),
        ended=START + float(END),
        nodes=nodes,
        gpus=dict.fromkeys(nodes, (0, 1)),
        gpu_count=2 * len(nodes),
        exit=ExitStatus(1, 0),
        restarts=0,
        source="sacct",
    )
    return replace(base, **changes)


def explained(fleet: Fleet, url: str, asked: Job, now: float = NOW, hooks: tuple[HookRecord, ...] = ()) -> Analysis:
    (found,) = analyze([asked], Ask(fleet, now, opened(url)), hooks)
    return found


def opened(url: str) -> Callable[[str], History]:
    return lambda _: Prometheus(url)


def test_a_code_that_comes_up_before_a_failure_is_the_reason(fleet: Fleet, url: str) -> None:
    found = explained(fleet, url, job("gpu-01"))

    assert (found.correlation, found.confidence, found.gaps) == ("confirmed", 90, ())
    assert [(each.what, each.gpu, each.at) for each in found.events] == [
        ("XID 79 (GPU has fallen off the bus)", "1", START + 4155)
    ]
    assert found.reasons == (
        "XID 79 (GPU has fallen off the bus) on GPU 1 of gpu-01, 45 s before it ended",
        "the job's own GPUs are known from Slurm",
    )
    assert found.recommendation.startswith("gpu-01 GPU 1: Drain the node and reboot it.")


def test_a_code_that_was_there_before_is_not_blamed(fleet: Fleet, url: str) -> None:
    found = explained(fleet, url, job("gpu-02"))

    assert (found.correlation, found.events, found.gaps) == ("none", (), ())
    assert [each.what for each in found.older] == ["XID 79 (GPU has fallen off the bus)"]
    assert "is older than the job, so it is not blamed" in found.reasons[1]


def test_a_fault_of_the_program_raises_no_suspicion(fleet: Fleet, url: str) -> None:
    found = explained(fleet, url, job("gpu-03"))

    assert (found.correlation, [each.bearing for each in found.events]) == ("none", ["application"])
    assert "the program's fault" in found.reasons[0]


def test_a_fault_of_the_program_that_repeats_on_one_gpu_does(fleet: Fleet, url: str) -> None:
    (examined,) = examine([job("gpu-03")], Ask(fleet, NOW, opened(url)))
    found = conclude(examined, {("gpu-03", "1"): 3})

    assert (found.correlation, found.confidence) == ("possible", 45)
    assert "programs of 3 jobs failed on this GPU" in found.reasons[0]


@pytest.mark.parametrize(
    ("node", "why"),
    [("gpu-04", "no samples of the exporter's `up` (asked {url})"), ("gpu-05", "the exporter of its GPUs was down")],
)
def test_missing_data_is_unknown_and_named(fleet: Fleet, url: str, node: str, why: str) -> None:
    found = explained(fleet, url, job(node))

    (gap,) = found.gaps
    assert (found.correlation, found.confidence) == ("unknown", 0)
    assert (gap.node, gap.start, gap.end) == (node, START + 1995, START + 2610)
    assert why.split(" (", maxsplit=1)[0] in gap.why


def test_an_event_counts_although_other_data_are_missing(fleet: Fleet, url: str) -> None:
    assert explained(fleet, url, job("gpu-01", "gpu-04")).correlation == "confirmed"


def test_a_dead_prometheus_is_unknown_and_named(fleet: Fleet) -> None:
    found = explained(fleet, "http://127.0.0.1:1", job("gpu-01"))

    assert found.correlation == "unknown"
    assert [gap.why.split(" [Errno")[0] for gap in found.gaps] == [
        "Prometheus cannot be asked: `http://127.0.0.1:1` does not answer:"
    ]


def test_uncorrected_errors_are_likely_and_few_corrected_ones_nothing(fleet: Fleet, url: str) -> None:
    found = explained(fleet, url, job("gpu-06"))

    assert (found.correlation, found.confidence) == ("likely", 80)
    assert found.reasons[0] == "3 more uncorrected memory errors on GPU 0 of gpu-06, 3 min before it ended"
    assert {each.bearing for each in found.events if each.kind == "ecc_corrected"} == {"sign"}


def test_a_gpu_that_vanishes_while_its_exporter_answers_is_lost(fleet: Fleet, url: str) -> None:
    found = explained(fleet, url, job("gpu-07"))

    assert (found.correlation, [each.kind for each in found.events]) == ("confirmed", ["lost"])


def test_a_gpu_that_is_not_the_jobs_is_told_of_as_elsewhere(fleet: Fleet, url: str) -> None:
    found = explained(fleet, url, job("gpu-08"))

    assert (found.correlation, found.confidence, found.events) == ("none", 95, ())
    assert [each.gpu for each in found.elsewhere] == ["5"]
    assert "which is not one of the job's" in found.reasons[1]


def test_unknown_gpus_count_for_less_and_it_is_said(fleet: Fleet, url: str) -> None:
    found = explained(fleet, url, job("gpu-08", gpus=None))

    assert (found.correlation, found.confidence, found.known) == ("possible", 55, "unknown")
    assert "not known, so all GPUs of its nodes count, for less" in found.reasons[-1]


def test_gpus_are_known_from_the_exporter_or_the_journal_or_from_their_number(fleet: Fleet, url: str) -> None:
    wrote = HookRecord("gpu-08", START + END + 1.0, 7, "ada", "gpu", (0, 1), None, "ok", "")

    assert explained(fleet, url, job("gpu-09", gpus=None)).known == "metrics"
    assert explained(fleet, url, job("gpu-08", gpus=None), hooks=(wrote,)).known == "journal"
    assert explained(fleet, url, job("gpu-08", gpus=None), hooks=(wrote,)).correlation == "none"
    assert explained(fleet, url, job("gpu-08", gpus=None, gpu_count=8)).known == "whole nodes"
    assert explained(fleet, url, job("gpu-08", gpus=None, gpu_count=0)).known == "no GPUs"


def test_what_comes_after_the_end_does_not_count(fleet: Fleet, url: str) -> None:
    assert explained(fleet, url, job("gpu-10")).correlation == "none"


def test_a_code_found_after_a_blind_time_is_at_most_possible_if_it_may_be_older(fleet: Fleet, url: str) -> None:
    blind = explained(fleet, url, job("gpu-11"))
    late = explained(fleet, url, job("gpu-11", started=START + 4000.0, ended=START + 4400.0))

    assert blind.gaps
    assert (late.correlation, late.confidence) == ("possible", 55)
    assert "it may have been there before the job" in late.reasons[0]


def test_of_codes_that_follow_each_other_each_is_an_event(fleet: Fleet, url: str) -> None:
    found = explained(fleet, url, job("gpu-12"))

    assert [(each.code, each.gpu) for each in found.events] == [(31, "0"), (48, "1"), (79, "1")]


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("COMPLETED", "possible"),
        ("OUT_OF_MEMORY", "possible"),
        ("CANCELLED", "possible"),
        ("TIMEOUT", "likely"),
        ("NODE_FAIL", "confirmed"),
        ("FAILED", "confirmed"),
    ],
)
def test_how_the_job_ended_is_weighed(fleet: Fleet, url: str, state: str, expected: str) -> None:
    assert explained(fleet, url, job("gpu-01", state=state)).correlation == expected


def test_amd_shows_no_code_before_the_first_so_it_is_an_event(fleet: Fleet, url: str) -> None:
    found = explained(fleet, url, job("mi-01"))

    assert (found.correlation, found.confidence) == ("confirmed", 90)
    assert [str(each.what) for each in found.events] == ["AFID 18 (fatal XGMI link error)"]
    assert explained(fleet, url, job("mi-02")).correlation == "none"


def test_a_gpu_of_the_site_that_never_reports_is_at_most_possible(fleet: Fleet, url: str) -> None:
    found = explained(fleet, url, job("gpu-14", gpus={"gpu-14": (7,)}))

    assert (found.correlation, [each.what for each in found.events]) == ("possible", ["the GPU is not reported at all"])


def test_a_gpu_that_was_lost_before_the_job_is_missing_while_it_runs(fleet: Fleet, url: str) -> None:
    late = explained(fleet, url, job("gpu-07", started=START + 4800.0, ended=START + 6000.0))

    assert (late.correlation, [(each.gpu, each.what) for each in late.events]) == (
        "possible",
        [("1", "the GPU is not reported at all")],
    )


def test_names_are_matched_whole(fleet: Fleet, url: str) -> None:
    missing = explained(fleet, url, job("gpu-15"))

    assert (missing.correlation, missing.events) == ("unknown", ())


def test_nodes_outside_of_the_site_and_without_gpus(fleet: Fleet, url: str) -> None:
    unknown = explained(fleet, url, job("else-01"))
    without = explained(fleet, url, job("cpu-01", gpu_count=0, gpus=None))

    assert [gap.why for gap in unknown.gaps] == ["the node is not in this site"]
    assert unknown.correlation == "unknown"
    assert (without.correlation, without.notes) == ("none", ("cpu-01: the site gives the node no GPUs",))


def test_a_job_that_has_not_started_was_hurt_by_nothing(fleet: Fleet, url: str) -> None:
    pending = job(state="PENDING", reason="Resources", started=None, ended=None, nodes=())
    found = explained(fleet, url, pending)

    assert (found.correlation, found.window) == ("none", None)
    assert found.reasons == ("it has not started (Resources), so no GPU can have hurt it",)


def test_a_running_job_is_looked_at_until_now(fleet: Fleet, url: str) -> None:
    asked = job("gpu-01", state="RUNNING", ended=None)
    before = explained(fleet, url, asked, now=START + 4000.0)
    since = explained(fleet, url, asked, now=START + 5000.0)

    assert (before.correlation, before.gaps) == ("none", ())
    assert (since.correlation, since.confidence) == ("likely", 70)


@pytest.mark.parametrize("node", ["gpu-01", "gpu-15"])
def test_a_job_that_ended_at_once_needs_data_too(fleet: Fleet, url: str, node: str) -> None:
    found = explained(fleet, url, job(node, ended=START + float(BEGIN)))

    assert (found.correlation, bool(found.gaps)) == (("none", False) if node == "gpu-01" else ("unknown", True))


@pytest.mark.parametrize(("now", "expected"), [(4205, "unknown"), (4260, "confirmed")])
def test_right_after_its_end_it_is_too_early(fleet: Fleet, url: str, now: int, expected: str) -> None:
    short = job("gpu-01", started=START + 4140.0, ended=START + 4200.0) if expected == "confirmed" else job("gpu-06")
    late = replace(short, ended=START + 4204.0, started=START + 4100.0) if expected == "unknown" else short
    found = explained(fleet, url, late, now=START + float(now))

    assert found.correlation == expected
    assert [gap.why for gap in found.gaps] == (
        ["too early: it is not scraped yet, so ask again in a minute"] if expected == "unknown" else []
    )


def test_a_window_that_is_older_than_what_is_kept_is_said(fleet: Fleet, url: str) -> None:
    old = job("gpu-01", started=START - 20 * 86_400.0, ended=START - 19 * 86_400.0)
    found = explained(fleet, url, old)

    assert found.correlation == "unknown"
    assert [gap.why for gap in found.gaps] == ["older than what is stored: prometheus keeps 15d"]


def test_an_exporter_that_is_not_asked_for_codes_leaves_it_unknown_and_loses_no_gpu(fleet: Fleet, url: str) -> None:
    blind = replace(fleet, endpoints=tuple(replace(endpoint, metrics=()) for endpoint in fleet.endpoints))
    found = explained(blind, url, job("gpu-01"))

    assert [event.kind for event in found.events if event.kind == "lost"] == []
    assert "the exporter is not asked for XIDs" in [gap.why for gap in found.gaps]
