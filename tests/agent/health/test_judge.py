"""The judge: examples, and laws about faults, missing data and memory."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aamic.agent.health.gpustate import WORSE
from aamic.agent.health.judge import Verdict, judge
from tests.agent.health.nodes import FAULTS, GPUS, code, having, healthy, rules, worse

BAD = WORSE.index


def seen(*checks: dict[str, Any] | None, policy: Any = None, memory: Any = None) -> list[Verdict]:
    """The verdicts of checks half a minute apart; memory goes through JSON, as on a host."""
    verdicts = []
    memory = memory or {}
    for number, readings in enumerate(checks):
        verdict, memory = judge(readings, policy or rules(), json.loads(json.dumps(memory)), 30.0 * number, "no answer")
        verdicts.append(verdict)
    return verdicts


def states(*checks: dict[str, Any] | None, **more: Any) -> list[str]:
    return [verdict.state for verdict in seen(*checks, **more)]


def test_a_healthy_node_is_ok() -> None:
    (verdict,) = seen(healthy())

    assert (verdict.state, verdict.score, verdict.hard) == ("ok", 100, False)
    assert verdict.reason == "all 4 GPUs are well"


@pytest.mark.parametrize(
    ("readings", "reason"),
    [
        (code(3, 79), "XID 79 (GPU has fallen off the bus) on GPU 3"),
        (code(0, 48), "XID 48 on GPU 0"),
        (having(1, ecc_uncorrected_total=2.0), "2 uncorrected memory errors on GPU 1"),
        (having(1, row_remap_failure=1.0), "no spare memory rows on GPU 1"),
        (having(2, unhealthy=1.0), "unhealthy by its exporter on GPU 2"),
        (having(2, codes=[999], fatal=[999]), "XID 999 (unknown) on GPU 2"),
        (healthy(3), "3 of 4 GPUs are there"),
    ],
)
def test_a_hard_signal_fails_at_once(readings: dict[str, Any], reason: str) -> None:
    (verdict,) = seen(readings)

    assert (verdict.state, verdict.score, verdict.hard, verdict.reason) == ("fail", 0, True, reason)


@pytest.mark.parametrize("value", [8, 13, 31, 43, 45, 63, 92])
def test_an_error_of_a_program_is_no_fault_of_the_node(value: int) -> None:
    assert states(code(0, value)) == ["ok"]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (94, "XID 94 (contained memory error) on GPU 0"),
        (999, "XID 999 (unknown) on GPU 0"),
        (145, "XID 145 (unknown): only the kernel's line says whether it is fatal: `dmesg | aamic explain` on GPU 0"),
    ],
)
def test_a_code_that_may_be_bad_warns_until_there_is_none(value: int, reason: str) -> None:
    (verdict,) = seen(code(0, value))

    assert (verdict.state, verdict.score, verdict.hard, verdict.reason) == ("warn", 50, False, reason)
    assert states(code(0, value), code(0, 45), healthy(), code(0, 45)) == ["warn", "warn", "ok", "ok"]


def test_a_signal_that_is_not_to_drain_is_a_warning() -> None:
    assert states(code(3, 79), healthy(3), policy=rules(drain_on=[])) == ["warn", "warn"]


def test_a_fatal_code_outlives_the_one_that_follows_it_and_ends_with_the_driver() -> None:
    checks = [code(0, 79), code(0, 45), None, code(0, 45), healthy(), code(0, 45)]

    assert states(*checks) == ["fail", "fail", "unknown", "fail", "ok", "ok"]


def test_a_code_that_is_not_reported_for_once_is_not_gone() -> None:
    silent = having(0)
    del silent["0"]["last_error_code"]

    assert states(code(0, 79), silent, code(0, 45)) == ["fail", "fail", "fail"]


def test_a_code_that_is_there_only_after_an_event_is_gone_with_it() -> None:
    signals = [{"name": "temperature_celsius", "required": True}, {"name": "last_error_code", "sometimes": True}]
    policy = rules(signals=signals)
    without = having(0)
    for reading in without.values():
        del reading["last_error_code"]

    assert states(without, code(0, 79), without, policy=policy) == ["ok", "fail", "ok"]


def test_heat_counts_after_three_checks_and_is_over_after_five() -> None:
    hot, warm, cool = (having(1, temperature_celsius=value) for value in (95.0, 83.0, 70.0))

    assert states(hot, hot, cool, hot, hot) == ["ok"] * 5
    assert states(hot, hot, hot) == ["ok", "ok", "fail"]
    assert states(*[hot] * 3, *[warm] * 9) == ["ok", "ok", *["fail"] * 10]
    assert states(*[hot] * 3, *[cool] * 4, warm, *[cool] * 5) == ["ok", "ok", *["fail"] * 10, "ok"]


def test_heat_above_the_warning_alone_warns() -> None:
    assert states(*[having(1, temperature_celsius=86.0)] * 3) == ["ok", "ok", "warn"]


def test_corrected_errors_count_by_the_hour_and_across_a_reset() -> None:
    def counter(value: float) -> dict[str, Any]:
        return having(0, ecc_corrected_total=value)

    assert states(*[counter(5000.0)] * 9) == ["ok"] * 9
    assert states(counter(5000), counter(5050), counter(5120), counter(5120), counter(10)) == [
        "ok", "ok", "ok", "ok", "warn",
    ]  # fmt: skip


def test_throttling_counts_by_its_share_of_time() -> None:
    still = {gpu: {**reading, "throttle_seconds_total": 0.0} for gpu, reading in healthy().items()}
    checks = [{**still, "0": {**still["0"], "throttle_seconds_total": 6.0 * number}} for number in range(6)]

    assert states(*checks) == ["ok", "ok", "ok", "ok", "warn", "warn"]
    assert "slowed down by heat for 20% of the time" in seen(*checks)[-1].reason


def test_a_gpu_that_went_is_named_and_one_that_is_back_is_remembered() -> None:
    without = healthy()
    del without["2"]

    lost = seen(healthy(), without, healthy())

    assert [verdict.state for verdict in lost] == ["ok", "fail", "ok"]
    assert lost[1].reason == "GPU 2 is gone: 3 of 4 GPUs are there"


def test_numbers_that_move_when_a_gpu_goes_do_not_mix_gpus_up() -> None:
    moved = {"0": healthy()["0"], "1": healthy()["2"], "2": healthy()["3"]}
    fatal = code(3, 79)

    (_, verdict) = seen(fatal, {**moved, "2": {**moved["2"], "last_error_code": 45.0, "codes": [45]}})

    assert verdict.states == {"0": "ok", "1": "ok", "2": "fail"}


@pytest.mark.parametrize(
    ("readings", "reason"),
    [
        (None, "no answer"),
        ({}, "no answer"),
        (healthy(5), "5 GPUs where the inventory has 4"),
        (having(1, temperature_celsius=None), "no data: temperature_celsius on GPU 1"),
    ],
)
def test_what_is_not_known_is_unknown(readings: dict[str, Any] | None, reason: str) -> None:
    (verdict,) = seen(readings)

    assert (verdict.state, verdict.score, verdict.reason) == ("unknown", None, reason)


def test_a_value_that_was_there_before_is_missed() -> None:
    without = healthy()
    for reading in without.values():
        del reading["ecc_uncorrected_total"]

    assert states(without, healthy(), without) == ["ok", "ok", "unknown"]


@pytest.mark.parametrize("name", ["ecc_uncorrected_total", "row_remap_failure", "unhealthy", "ecc_corrected_total"])
def test_what_another_gpu_of_the_node_reports_is_missed(name: str) -> None:
    without = healthy()
    del without["1"][name]
    (verdict,) = seen(without)

    assert (verdict.state, verdict.score, verdict.scores["1"]) == ("unknown", None, None)
    assert verdict.reason == f"no data: {name} on GPU 1"


def test_what_no_gpu_of_the_node_ever_reported_is_not_missed() -> None:
    without = healthy()
    for reading in without.values():
        del reading["row_remap_failure"]

    assert states(without) == ["ok"]


def test_a_fault_whose_reading_vanishes_is_not_forgiven() -> None:
    vanished = healthy()
    del vanished["1"]["ecc_uncorrected_total"]

    assert states(having(1, ecc_uncorrected_total=1.0), *[vanished] * 200) == ["fail", *["unknown"] * 200]


EACH = st.lists(st.tuples(st.integers(0, GPUS - 1), FAULTS), max_size=4)


def build(faults: list[tuple[int, tuple[str, Any]]]) -> dict[str, dict[str, Any]]:
    readings = healthy()
    for gpu, fault in faults:
        readings = worse(readings, gpu, fault)
    return readings


@given(st.lists(EACH, max_size=4), EACH, st.integers(0, GPUS - 1), FAULTS)
def test_one_more_fault_never_makes_a_verdict_better(
    before: list[Any], faults: list[Any], gpu: int, fault: tuple[str, Any]
) -> None:
    _, memory = judge(healthy(), rules(), {}, 0.0)
    for number, each in enumerate(before):
        _, memory = judge(build(each), rules(), memory, 30.0 * number)
    readings = build(faults)

    less, _ = judge(readings, rules(), memory, 300.0)
    more, _ = judge(worse(readings, gpu, fault), rules(), memory, 300.0)

    if fault[0] != "lost" or len(readings) > 1:
        assert BAD(more.state) >= BAD(less.state) or fault[0] == "lost"
    assert more.state != "ok" or less.state == "ok"


@given(st.lists(EACH, min_size=1, max_size=6))
def test_a_node_is_never_better_than_its_worst_gpu_and_never_ok_without_all_data(history: list[Any]) -> None:
    memory: dict[str, Any] = {}
    for number, faults in enumerate(history):
        readings = build(faults)
        verdict, memory = judge(readings, rules(), memory, 30.0 * number)

        assert all(BAD(verdict.state) >= BAD(state) for state in verdict.states.values())
        complete = len(readings) == GPUS and all(
            {"temperature_celsius", "last_error_code"} <= set(reading) for reading in readings.values()
        )
        assert verdict.state != "ok" or complete
        assert (verdict.score is None) <= (verdict.state == "unknown")
        known = [score for score in verdict.scores.values() if score is not None]
        assert verdict.score is None or all(verdict.score <= score for score in known)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["gpus", "GPU-0", "0", "soft", "fatal", "seen", "corrected", "throttled", "gpu",
                         "temperature_celsius", "level", "warn", "fail", "clear"]), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(st.dictionaries(st.just("gpus"), st.dictionaries(st.sampled_from(["GPU-0", "GPU-9"]), JSON)) | JSON)
def test_whatever_is_remembered_a_verdict_comes_out_and_no_fault_is_hidden(memory: Any) -> None:
    document = memory if isinstance(memory, dict) else {}

    verdict, after = judge(code(0, 79), rules(), document, 100.0)

    assert verdict.state == "fail"
    assert isinstance(json.loads(json.dumps(after)), dict)
