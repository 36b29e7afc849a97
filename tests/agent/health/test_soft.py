"""Laws of hysteresis: nothing counts before its run of checks, nothing ends before its own, nothing flutters."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aamic.agent.health.nodepolicy import Limit
from aamic.agent.health.soft import FAIL, NONE, QUIET, WARN, pressure, step

LIMIT = Limit(warn=85, fail=92, clear=80)
VALUES = st.lists(st.none() | st.sampled_from([70.0, 79.9, 80.0, 84.9, 85.0, 91.9, 92.0, 99.0]), max_size=40)
RUNS = st.integers(1, 5)


def levels(values: list[float | None], breaches: int, clears: int) -> list[int]:
    state, found = dict(QUIET), []
    for value in values:
        state = step(state, value, LIMIT, breaches, clears)
        found.append(state["level"])
    return found


@given(VALUES, RUNS, RUNS)
def test_a_level_rises_only_after_its_run_and_falls_only_after_the_other(
    values: list[float | None], breaches: int, clears: int
) -> None:
    found = levels(values, breaches, clears)
    for place, (before, after) in enumerate(zip([NONE, *found], found, strict=False)):
        if after > before:
            bound = {WARN: 85, FAIL: 92}[after]
            last = values[max(0, place + 1 - breaches) : place + 1]
            assert len(last) == breaches
            assert all(value is not None and value >= bound for value in last)
        if after < before:
            last = values[max(0, place + 1 - clears) : place + 1]
            assert after == NONE
            assert len(last) == clears
            assert all(value is not None and value < 80 for value in last)


@given(VALUES, RUNS, RUNS)
def test_a_run_of_breaches_always_counts_and_a_run_below_always_ends_it(
    values: list[float | None], breaches: int, clears: int
) -> None:
    assert levels([*values, *[92.0] * breaches], breaches, clears)[-1] == FAIL
    assert levels([*values, *[79.0] * clears], breaches, clears)[-1] == NONE


@given(VALUES, st.lists(st.none(), max_size=9), RUNS, RUNS)
def test_no_value_neither_raises_nor_ends_anything(
    values: list[float | None], silence: list[None], breaches: int, clears: int
) -> None:
    before = levels(values, breaches, clears)[-1:] or [NONE]

    assert levels([*values, *silence], breaches, clears)[-1:] in ([], before)


@given(VALUES, st.integers(0, 39), RUNS)
def test_a_higher_value_never_lowers_a_level_at_that_check(
    values: list[float | None], place: int, breaches: int
) -> None:
    raised = [99.0 if number == place and value is not None else value for number, value in enumerate(values)]

    assert all(
        high >= low
        for number, (low, high) in enumerate(zip(levels(values, breaches, 3), levels(raised, breaches, 3), strict=True))
        if number == place
    )


@given(st.floats(0, 200), st.floats(0, 200))
def test_pressure_grows_with_the_value_from_nothing_to_all(one: float, other: float) -> None:
    low, high = sorted((one, other))

    assert 0 <= pressure(low, LIMIT) <= pressure(high, LIMIT) <= 1
    assert (pressure(80, LIMIT), pressure(85, LIMIT), pressure(None, LIMIT)) == (0, 1, 0)
    assert pressure(high, Limit(None, None, None)) == 0


def test_a_limit_without_bounds_is_never_crossed() -> None:
    state = dict(QUIET)
    for _ in range(9):
        state = step(state, 1e9, Limit(None, None, None), 1, 1)

    assert state["level"] == NONE
