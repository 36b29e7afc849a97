from __future__ import annotations

from aamic.compile.capacity import federated_series, load
from aamic.model.fleet import Endpoint, Gpu, Node, RecordingRule, RuleGroup


def test_load_is_what_the_sizing_rules_say() -> None:
    # 500 nodes of 5,300 series: the worked example of the sizing facts.
    predicted = load(2_650_000, "15s", "15d")

    assert round(predicted.samples_per_second) == 176_667
    assert round(predicted.memory / 1024**3, 1) == 20.3
    assert round(predicted.disk / 1e9) == 458


def test_a_server_needs_memory_before_its_first_series() -> None:
    assert load(0, "15s", "15d").memory == 100 * 1024**2


def test_what_is_there_only_while_something_is_wrong_is_not_planned_for() -> None:
    nodes = {"n": Node("n", "10.0.0.1", None, Gpu("nvidia", "H100", 8), {}), "m": Node("m", "10.0.0.2", None, None, {})}
    up = Endpoint("node", 9100, "/metrics", frozenset(nodes), ())

    def series(*, rare: bool = False) -> dict[str, int]:
        rules = (
            RecordingRule("gpu:a", "a"),
            RecordingRule("gpu:b", "b", rare=rare),
            RecordingRule("node:c", "c", rare=rare),
        )
        return federated_series(nodes, [RuleGroup("g", "shard", rules)], [up])

    assert (series(), series(rare=True)) == ({"n": 8 + 8 + 1 + 1, "m": 1 + 1}, {"n": 8 + 1, "m": 1})
