"""What panels ask."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aamic.clients.base import Sample
from aamic.errors import OutsideError
from aamic.model.api import Alert
from aamic.model.dashboard import Variable
from aamic.model.preview import Firing
from aamic.ops.panelasked import Look, choices, counted, fired, reason, strangers, told, whole, window
from tests.everykind import END, LOOK, Answering, panel, shown


@given(st.floats(1, 4e9), st.floats(60, 3e8))
def test_a_window_has_few_points_and_ends_where_it_should(end: float, span: float) -> None:
    found = window(end, span)

    assert found.end == end
    assert found.end - found.start >= span
    assert 2 <= len(found.moments) <= 242


def test_groups_of_a_replacement_are_no_variables() -> None:
    assert whole('label_replace(up{node=~"$node"}, "a", "$1", "b", "(.*)")', LOOK) == (
        'label_replace(up{node=~".*"}, "a", "$1", "b", "(.*)")'
    )


def test_names_are_quoted_for_the_regular_expression_and_the_string() -> None:
    found = whole('up{node=~"$node"}', Look(LOOK.window, {"node": ('a"b.c', "$node")}))

    assert found == 'up{node=~"(a\\"b\\\\.c|\\\\$node)"}'


def test_only_charts_ask_for_a_range() -> None:
    server = Answering()
    for kind in ("stat", "heatmap", "bars", "table"):
        shown(panel(kind), server)

    assert server.asked == ["heat"] * 4
    assert shown(panel("timeseries"), server).lines[0].values == (95.0,) * 241


class Naming:
    """Knows three nodes of a rack."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def at(self, expr: str, _: float) -> list[Sample]:
        self.asked.append(expr)
        return [Sample({"node": name}, 1.0) for name in ("n10", "n9", "n11")] + [Sample({}, 1.0)]

    def over(self, *_: object) -> list[object]:
        raise AssertionError


def test_where_everything_is_too_much_the_first_is_chosen_of_what_was_chosen_before() -> None:
    server = Naming()
    every = (Variable("rack", "Rack", "up"), Variable("node", "Node", 'up{rack=~"$rack"}', every=False))
    found = choices(every, {"rack": ("r1",)}, server, LOOK)  # type: ignore[arg-type]

    assert found == {"rack": ("r1",), "node": ("n9",)}
    assert server.asked == ['group by (node) (up{rack=~"(r1)"})']
    assert choices(every, {"node": ("x",)}, server, LOOK) == {"rack": (), "node": ("x",)}  # type: ignore[arg-type]


def test_a_page_opens_with_its_own_value_where_that_is_there_and_with_all_otherwise() -> None:
    own, gone = (Variable("node", "Node", "up", opens=name) for name in ("n10", "n7"))
    assert choices([own], {}, Naming(), LOOK) == {"node": ("n10",)}  # type: ignore[arg-type]
    assert choices([gone], {}, Naming(), LOOK) == {"node": ()}  # type: ignore[arg-type]
    assert choices([own], {"node": ("n9",)}, Naming(), LOOK) == {"node": ("n9",)}  # type: ignore[arg-type]


def test_what_is_chosen_and_is_nowhere_is_told_with_what_is_near() -> None:
    server = Naming()
    every = (Variable("rack", "Rack", "up"), Variable("node", "Node", 'up{rack=~"$rack"}'))
    look = replace(LOOK, choices={"rack": (), "node": ("n9", "n1O", ".*")})
    assert list(strangers(every, look, server)) == [  # type: ignore[arg-type]
        "no node `n1O`: did you mean `n11`?", "no node `.*`: there are `n9`, `n10`, `n11`",
    ]  # fmt: skip
    assert server.asked == ['group by (node) (last_over_time(up{rack=~".*"}[3600s]))']


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("`http://m` does not answer: timed out", "`http://m` does not answer: timed out"),
        ('x answered 400: {"status":"error","error":"a \\"b\\" c"}', 'a "b" c'),
        ('x answered 400: {"error":"\\u12"}', 'x answered 400: {"error":"\\u12"}'),
        ("y" * 400, "y" * 300 + "…"),
    ],
)
def test_a_reason_is_what_the_server_says(said: str, why: str) -> None:
    assert reason(OutsideError(said)) == why


class Stored:
    """Has what a Prometheus stores of its alerts."""

    def at(self, expr: str, _: float) -> list[Sample]:
        labels = {"alertname": "NodeDown", "severity": "critical", "node": "a"}
        if expr.startswith("ALERTS_FOR_STATE"):
            return [Sample({"__name__": "ALERTS_FOR_STATE", **labels}, END - 60)]
        other = {"__name__": "ALERTS", "alertstate": "firing", "alertname": "Odd", "severity": "Page"}
        return [Sample({"__name__": "ALERTS", "alertstate": "firing", **labels}, 1.0), Sample(other, 1.0)]

    def over(self, *_: object) -> list[object]:
        raise AssertionError


def test_stored_alerts_know_since_when() -> None:
    assert fired(Stored(), END) == (  # type: ignore[arg-type]
        Firing("NodeDown", "critical", "critical", "node=a", END - 60),
        Firing("Odd", "Page", "warning", "", None),
    )


class Counting:
    """Has what central has of the alerts of shards."""

    def at(self, expr: str, _: float) -> list[Sample]:
        assert "shard:alerts_firing" in expr
        labels = {"cluster": "c", "alertname": "NodeDown", "severity": "critical"}
        return [Sample({**labels, "shard": "s1"}, 3.0), Sample({**labels, "shard": "s2"}, 0.0)]

    def over(self, *_: object) -> list[object]:
        raise AssertionError


def test_alerts_of_shards_are_counted() -> None:
    assert counted(Counting(), END) == (Firing("NodeDown", "critical", "critical", "3 on shard s1", None),)  # type: ignore[arg-type]


def test_silenced_alerts_are_not_shown() -> None:
    alerts = [
        Alert(name="A", severity="info", state=state, since=5, labels={"alertname": "A", "severity": "info", "x": "y"})
        for state in ("firing", "suppressed")
    ]

    assert told(alerts) == (Firing("A", "info", "info", "x=y", 5),)


def test_no_pattern_leaks_from_a_name() -> None:
    names = ["gpu-1", "a.*", "b|c", "(d", "e\\"]
    found = whole('{node=~"$node"}', Look(LOOK.window, {"node": tuple(names)}))
    pattern = re.sub(r"\\(.)", r"\1", found.removeprefix('{node=~"').removesuffix('"}'))

    assert [name for name in [*names, "aXX", "b", "gpu-12"] if re.fullmatch(pattern, name)] == names
