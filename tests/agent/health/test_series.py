"""What is kept of a counter says what the whole of it would say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aamic.agent.health.series import increase, kept, rate

STEPS = st.lists(st.tuples(st.sampled_from([10.0, 30.0, 300.0]), st.one_of(st.integers(0, 50), st.none())), max_size=60)


@given(STEPS)
def test_the_increase_is_that_of_all_points_and_few_are_kept(steps: list[tuple[float, int | None]]) -> None:
    span = 1e9
    points: list[list[float]] = []
    every: list[list[float]] = []
    now, value = 0.0, 1000.0
    for wait, growth in steps:
        now, value = now + wait, 0.0 if growth is None else value + growth
        points, every = kept(points, now, value, span), [*every, [now, value]]

    assert increase(points) == increase(every)
    assert len(points) <= 2 + 2 * sum(growth is None for _, growth in steps)


@given(STEPS)
def test_what_is_older_than_the_span_is_gone_but_for_one(steps: list[tuple[float, int | None]]) -> None:
    points: list[list[float]] = []
    now = 0.0
    for wait, growth in steps:
        now += wait
        points = kept(points, now, float(growth or 0), 300.0)

        assert sum(time <= now - 300.0 for time, _ in points) <= 1
        assert points[-1] == [now, float(growth or 0)]
        assert len(points) <= 300.0 / 10.0 + 2


def test_a_rate_needs_some_time() -> None:
    assert rate([[0.0, 0.0]], 60.0) is None
    assert rate([[0.0, 0.0], [30.0, 9.0]], 60.0) is None
    assert rate([[0.0, 0.0], [60.0, 6.0]], 60.0) == pytest.approx(0.1)


def test_a_clock_that_goes_back_takes_the_points_ahead_with_it() -> None:
    assert kept([[0.0, 1.0], [50.0, 2.0]], 40.0, 3.0, 300.0) == [[0.0, 1.0], [40.0, 3.0]]
