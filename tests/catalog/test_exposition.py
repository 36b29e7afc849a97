from __future__ import annotations

import math
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from aamic.catalog.exposition import Family, Sample, between, number, share, text

FINITE = st.floats(allow_nan=False, allow_infinity=False, width=32)


@given(st.text(max_size=30), st.text(max_size=30))
@settings(max_examples=200)
def test_no_label_or_help_breaks_a_line(label: str, help_: str) -> None:
    lines = text([Family("m", "gauge", help_, (Sample({"l": label}, 1.0),))]).split("\n")

    assert [lines[1], lines[3]] == ["# TYPE m gauge", ""]
    assert lines[2].startswith('m{l="')
    assert lines[2].endswith('"} 1')


def test_promtool_reads_what_was_escaped(read: Callable[..., object]) -> None:
    read(text([Family("m", "gauge", "a\\b\nc", (Sample({"l": 'q"\\\n{}'}, 0.5),))]))


@given(FINITE)
def test_a_number_reads_back(value: float) -> None:
    assert value == float(number(value))


def test_infinity_is_spelt_as_prometheus_does() -> None:
    assert [number(math.inf), number(-math.inf)] == ["+Inf", "-Inf"]


@given(st.text(), st.floats(min_value=0, max_value=1e9))
def test_readings_stay_between_their_bounds_and_are_the_same_again(key: str, seconds: float) -> None:
    reading = between(10, 20, key, seconds=seconds)

    assert 10 <= reading <= 20
    assert reading == between(10, 20, key, seconds=seconds)
    assert 0 <= share(key) < 1
