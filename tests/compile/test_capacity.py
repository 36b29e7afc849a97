from __future__ import annotations

from aamic.compile.capacity import load


def test_load_is_what_the_sizing_rules_say() -> None:
    # 500 nodes of 5,300 series: the worked example of the sizing facts.
    predicted = load(2_650_000, "15s", "15d")

    assert round(predicted.samples_per_second) == 176_667
    assert round(predicted.memory / 1024**3, 1) == 20.2
    assert round(predicted.disk / 1e9) == 458
