"""Laws of the verdict over any events, and its table of points by example."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aamic.clients.base import Track
from aamic.model.analysis import CORRELATIONS, Bearing, Event, Window
from aamic.ops.correlate import Weighed, judge, score
from aamic.ops.coverage import gaps
from aamic.ops.events import Bounds, found
from aamic.ops.evidence import Codes, Evidence
from aamic.ops.selectors import CodeSource
from tests.ops.test_jobs import job

WINDOW = Window(1000.0, 5000.0, 60.0, 45.0)
JOB = job("n", started=WINDOW.start, ended=WINDOW.end)
STATES = ["FAILED", "NODE_FAIL", "COMPLETED", "CANCELLED", "OUT_OF_MEMORY", "TIMEOUT", "RUNNING", "PREEMPTED", "ODD"]
SOURCE = CodeSource("X", "", {"gpu": "gpu"})

moments = st.integers(0, 400).map(lambda number: number * 15.0)
events = st.builds(
    lambda at, ago, bearing: Event(
        at, None if ago is None else at - ago, "n", "0", "error_code", "XID 1", "", "critical", bearing, "", "nvidia", 1
    ),
    moments,
    st.none() | st.integers(0, 300).map(float),
    st.sampled_from(get_args(Bearing)),
)
weighed = st.builds(Weighed, events, st.booleans(), st.integers(1, 5))
tracks = st.lists(
    st.builds(
        lambda gpu, samples: Track({"gpu": gpu}, sorted(samples.items())),
        st.sampled_from("012"),
        st.dictionaries(moments, st.sampled_from([0.0, 13.0, 79.0, 31.0]), max_size=30),
    ),
    max_size=5,
)


def evidence(codes: list[Track], up: tuple[Track, ...] = (), records: tuple[Track, ...] = ()) -> Evidence:
    return Evidence("n", "nvidia", 0.0, 6000.0, 15.0, "http://x", up, records, (Codes(SOURCE, codes),))


def test_a_code_without_end_is_no_event() -> None:
    codes = Track({"gpu": "0"}, [(1500.0, 0.0), (1515.0, float("inf")), (1530.0, 79.0)])

    (only,) = found(evidence([codes]), WINDOW, Bounds({}))
    assert (only.at, only.code) == (1530.0, 79)


@given(
    some=st.lists(weighed),
    one=weighed,
    state=st.sampled_from(STATES),
    sure=st.booleans(),
    complete=st.booleans(),
)
def test_one_more_event_never_lowers_the_correlation(
    some: list[Weighed], one: Weighed, state: str, *, sure: bool, complete: bool
) -> None:
    ended = replace(JOB, state=state)
    fewer = judge(ended, WINDOW, some, sure=sure, complete=complete)
    more = judge(ended, WINDOW, [*some, one], sure=sure, complete=complete)

    assert CORRELATIONS.index(more.correlation) >= CORRELATIONS.index(fewer.correlation)


@given(some=st.lists(weighed), state=st.sampled_from(STATES), sure=st.booleans())
def test_missing_data_are_never_none(some: list[Weighed], state: str, *, sure: bool) -> None:
    assert judge(replace(JOB, state=state), WINDOW, some, sure=sure, complete=False).correlation != "none"


@given(weighed, st.sampled_from(STATES))
def test_a_program_never_raises_suspicion_unless_it_repeats(one: Weighed, state: str) -> None:
    fault = replace(one, event=replace(one.event, bearing="application"), jobs=2)

    assert score(replace(JOB, state=state), WINDOW, fault) == 0


@given(weighed, st.sampled_from(STATES))
def test_what_may_be_older_than_the_job_is_at_most_possible(one: Weighed, state: str) -> None:
    old = replace(one, event=replace(one.event, since=None))

    assert judge(replace(JOB, state=state), WINDOW, [old], sure=True, complete=True).correlation in {"none", "possible"}


@given(tracks, st.randoms(use_true_random=False))
def test_the_order_of_series_does_not_matter(codes: list[Track], random: object) -> None:
    shuffled = list(codes)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert found(evidence(codes), WINDOW, Bounds({})) == found(evidence(shuffled), WINDOW, Bounds({}))


@given(moments, st.integers(1, 100), st.sampled_from([13.0, 79.0, 48.0]))
def test_a_code_that_comes_up_before_or_after_the_window_never_counts(at: float, steps: int, code: float) -> None:
    shown = [(15.0 * i, code if at <= 15.0 * i < at + 15 * steps else 0.0) for i in range(401)]
    outside = at <= WINDOW.start or at - 15 >= WINDOW.end
    counted = [
        event for event in found(evidence([Track({"gpu": "0"}, shown)]), WINDOW, Bounds({})) if WINDOW.holds(event)
    ]

    assert (not counted) == outside


@given(st.sets(moments), st.sets(moments), st.integers(4900, 5400))
def test_a_moment_is_either_in_a_gap_or_between_two_answers(good: set[float], bad: set[float], now: int) -> None:
    up = Track({}, sorted([*((at, 1.0) for at in good - bad), *((at, 0.0) for at in bad)]))
    holes = gaps(evidence([], (up,)), WINDOW, float(now))
    answers = sorted(good - bad)
    fresh = bool(answers) and answers[-1] >= now - WINDOW.slack and answers[-1] > WINDOW.start
    end = answers[-1] if fresh and now <= WINDOW.end else WINDOW.end
    for moment in range(int(WINDOW.start), int(min(WINDOW.end, end)), 37):
        before = max((at for at in answers if at <= moment), default=None)
        after = min((at for at in answers if at > moment), default=None)
        known = (
            before is not None
            and after is not None
            and after - before <= WINDOW.slack
            and not any(before < at < after for at in bad)
        )
        inside = any(hole.start <= moment < hole.end for hole in holes)
        assert known != inside


@pytest.mark.parametrize(
    ("bearing", "state", "sure", "since", "expected"),
    [
        ("fatal", "FAILED", True, 4940, ("confirmed", 90)),
        ("fatal", "NODE_FAIL", True, 4940, ("confirmed", 95)),
        ("fatal", "FAILED", True, 2000, ("likely", 80)),
        ("fatal", "FAILED", False, 4940, ("possible", 55)),
        ("fatal", "NODE_FAIL", False, 4940, ("likely", 75)),
        ("hard", "FAILED", True, 4940, ("likely", 80)),
        ("hard", "COMPLETED", True, 4940, ("possible", 40)),
        ("sign", "FAILED", True, 4940, ("possible", 45)),
        ("sign", "COMPLETED", True, 4940, ("none", 95)),
        ("note", "FAILED", False, 4940, ("none", 75)),
    ],
)
def test_the_table_of_points(
    bearing: Bearing, state: str, since: float, expected: tuple[str, int], *, sure: bool
) -> None:
    event = Event(since + 15, since, "n", "0", "lost", "x", "", "critical", bearing, "")
    verdict = judge(replace(JOB, state=state), WINDOW, [Weighed(event, sure)], sure=sure, complete=True)

    assert (verdict.correlation, verdict.confidence) == expected


@pytest.mark.parametrize(("name", "missing"), [("0", ["1"]), ("card4", [])])
def test_which_gpu_is_missing_is_told_only_where_gpus_are_numbered(name: str, missing: list[str]) -> None:
    times = [(at * 15.0, 1.0) for at in range(401)]
    seen = Track({"gpu": name, "__name__": "gpu:temperature_celsius"}, times)

    lost = found(evidence([], (Track({}, times),), (seen,)), WINDOW, Bounds({}, count=2))

    assert [event.gpu for event in lost if event.kind == "lost"] == missing
