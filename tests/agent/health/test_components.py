"""Everything that is looked at has a level, words and bounds; and laws of the score that they make."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aamic.agent.health.components import OK, UNMEASURED, WORSE, Component, worst
from aamic.agent.health.judge import Verdict, besides, judge
from tests.agent.health.nodes import FAULTS, GPUS, MISSED, code, having, healthy, rules, worse

BAD = WORSE.index


def of(readings: dict[str, Any], gpu: str = "1", checks: int = 1, **config: Any) -> dict[str, Component]:
    """The components of a GPU after some checks that all read the same."""
    memory: dict[str, Any] = {}
    for number in range(checks):
        verdict, memory = judge(readings, rules(**config), memory, 30.0 * number)
    return {each.signal: each for each in verdict.components[gpu]}


def test_what_is_well_is_told_with_its_bounds() -> None:
    found = of(having(1, temperature_celsius=61.0))

    assert found["temperature"] == Component("temperature", "ok", "temperature 61 C", 61.0, 85.0, 92.0)
    assert found["uncorrected_ecc"] == Component(
        "uncorrected_ecc", "ok", "no uncorrected memory errors", 0.0, None, 1.0
    )
    assert found["corrected_ecc"] == Component(
        "corrected_ecc", "ok", "0 corrected memory errors in an hour", 0.0, 100.0
    )
    assert found["fatal_error"] == Component("fatal_error", "ok", "no error code", 0.0)
    assert found["unhealthy"].text == "not unhealthy by its exporter"
    assert found["no_data"].text == "every reading is there"


def test_what_no_exporter_shows_is_neither_good_nor_bad() -> None:
    found = of(healthy())

    assert found["row_remap_pending"] == Component("row_remap_pending", UNMEASURED, "not reported")
    assert found["throttling"].level == UNMEASURED


def test_a_code_that_is_not_fatal_is_named_and_counts_for_nothing() -> None:
    assert of(code(1, 31))["fatal_error"] == Component("fatal_error", "ok", "XID 31: not fatal", 31.0)
    assert of(code(1, 79))["fatal_error"].text == "XID 79 (GPU has fallen off the bus)"


def test_what_crosses_a_bound_says_so_before_it_counts() -> None:
    hot = having(1, temperature_celsius=95.0)

    assert [of(hot, checks=checks)["temperature"].level for checks in (1, 2, 3)] == ["ok", "ok", "fail"]
    assert of(hot, checks=2)["temperature"].text == "temperature 95 C: too much in 2 checks, counts from 3"


@pytest.mark.parametrize(
    ("gpus", "level", "text"),
    [(4, "ok", "4 of 4 GPUs are there"), (3, "fail", "3 of 4 GPUs are there"), (5, "unknown", "5 GPUs where the ")],
)
def test_the_node_has_as_many_gpus_as_the_inventory(gpus: int, level: str, text: str) -> None:
    verdict, _ = judge(healthy(gpus), rules(), {}, 0.0)
    (found,) = verdict.components[""]

    assert (found.level, found.text[: len(text)], found.value) == (level, text, gpus)


EACH = st.lists(st.tuples(st.integers(0, GPUS - 1), FAULTS), max_size=4)


def build(faults: list[tuple[int, tuple[str, Any]]]) -> dict[str, dict[str, Any]]:
    readings = healthy()
    for gpu, fault in faults:
        readings = worse(readings, gpu, fault)
    return readings


def points(verdict: Verdict) -> int:
    return verdict.score or 0


@given(st.lists(EACH, max_size=4), EACH, st.integers(0, GPUS - 1), FAULTS)
def test_one_more_fault_never_raises_a_score(
    before: list[Any], faults: list[Any], gpu: int, fault: tuple[str, Any]
) -> None:
    _, memory = judge(healthy(), rules(), {}, 0.0)
    for number, each in enumerate(before):
        _, memory = judge(build(each), rules(), memory, 30.0 * number)
    less, _ = judge(build(faults), rules(), memory, 300.0)
    more, _ = judge(worse(build(faults), gpu, fault), rules(), memory, 300.0)

    assert points(more) <= points(less)
    for each, score in more.scores.items():
        assert (score or 0) <= (less.scores[each] or 0)


@given(EACH, st.sampled_from(sorted(MISSED)), st.integers(0, GPUS - 1))
def test_without_all_data_no_score_is_good(faults: list[Any], name: str, gpu: int) -> None:
    _, memory = judge(healthy(), rules(), {}, 0.0)
    verdict, _ = judge(worse(build(faults), gpu, ("missing", name)), rules(), memory, 30.0)

    assert verdict.state in {"unknown", "fail"}
    assert points(verdict) == 0


@given(EACH, st.permutations(range(GPUS)))
def test_the_order_of_gpus_and_of_readings_means_nothing(faults: list[Any], order: list[int]) -> None:
    readings = build(faults)
    shuffled = {str(gpu): dict(reversed(readings[str(gpu)].items())) for gpu in order if str(gpu) in readings}

    assert judge(shuffled, rules(), {}, 0.0) == judge(readings, rules(), {}, 0.0)


@given(st.lists(EACH, min_size=1, max_size=4))
def test_findings_are_the_components_that_are_not_well(history: list[Any]) -> None:
    memory: dict[str, Any] = {}
    for number, faults in enumerate(history):
        verdict, memory = judge(build(faults), rules(), memory, 30.0 * number)

        bad = {
            (gpu, each.signal, each.level, each.text)
            for gpu, own in verdict.components.items()
            for each in own
            if each.level not in {OK, UNMEASURED}
        }
        assert {tuple(each) for each in verdict.findings} == bad
        assert verdict.state == worst([each for own in verdict.components.values() for each in own])
        assert all(verdict.states[gpu] == worst(verdict.components[gpu]) for gpu in verdict.states)


@given(EACH, st.lists(st.sampled_from([*WORSE, UNMEASURED]), max_size=3))
def test_what_is_known_besides_never_makes_a_node_better(faults: list[Any], levels: list[str]) -> None:
    before, _ = judge(build(faults), rules(), {}, 0.0)
    after = besides(before, [Component("exporter", level, "it") for level in levels])

    assert BAD(after.state) >= BAD(before.state)
    assert points(after) <= points(before)
