"""What an alert compares with, read from its expression."""

from __future__ import annotations

import pytest

from aamic.compile.alertbounds import bounds, by_name, comparisons
from aamic.model.dashboard import AlertBound, Bound
from aamic.model.fleet import AlertRule, RecordingRule, RuleGroup


def alert(name: str, expr: str, severity: str = "warning") -> AlertRule:
    return AlertRule(name, expr, severity, "", "", "")


def found(expr: str, *labels: tuple[str, str], rest: bool = False) -> list[float]:
    rules = {"Hot": alert("Hot", expr)}
    return [bound.value for bound in bounds([AlertBound("Hot", labels, rest)], rules)]


@pytest.mark.parametrize(
    ("expr", "values"),
    [
        ("a > 85", [85]),
        ("(a) >= (85)", [85]),
        ("a == 1", [1]),
        ("a > -4", [-4]),
        ("a > 2 or a > 1", [1, 2]),
        ("a > 2 and b > 7", [2]),
        ("a > 2 unless on (node) b == 1", [2]),
        ("sum by (node) (a > 7) > 2", [2]),
        ("a > b", []),
        ("a < 5", []),
        ("absent(a)", []),
        ("a", []),
        ("a > 0", [0.001]),
        ("a == 0", [0]),
    ],
)
def test_numbers_are_read_from_what_decides(expr: str, values: list[float]) -> None:
    assert found(expr) == values


@pytest.mark.parametrize(
    ("expr", "values"),
    [
        ("a / b < 0.05", [0.95]),
        ("a / b < 0.05 and c == 0", [0.95]),
        ("a < on (node) group_left () 0.7 * max by (node) (a)", [0.3]),
        ("a > 5", []),
    ],
)
def test_what_is_left_of_a_share_bounds_the_rest(expr: str, values: list[float]) -> None:
    assert found(expr, rest=True) == values


def test_labels_choose_among_alternatives_and_one_without_the_label_is_of_all() -> None:
    expr = 'a{vendor="x"} > 1 or a{vendor=~"y|z"} > 2 or b > 3'
    assert found(expr, ("vendor", "x")) == [1, 3]
    assert found(expr, ("vendor", "z")) == [2, 3]
    assert found(expr) == [1, 2, 3]


def test_of_two_at_one_value_the_worse_is_taken_and_all_are_in_order() -> None:
    rules = {
        "Hot": alert("Hot", "a > 90"),
        "TooHot": alert("TooHot", "a > 90", "critical"),
        "Warm": alert("Warm", "a > 60", "info"),
    }
    wanted = [AlertBound("TooHot"), AlertBound("Hot"), AlertBound("Warm"), AlertBound("Gone")]
    assert bounds(wanted, rules) == (Bound(60, "info", "Warm"), Bound(90, "critical", "TooHot"))


def test_alerts_are_found_by_name_among_all_rules() -> None:
    hot = alert("Hot", "a > 1")
    groups = (RuleGroup("g", "shard", (RecordingRule("a", "b"), hot)), RuleGroup("g", "central", (hot,)))
    assert by_name(groups) == {"Hot": hot}


def test_an_expression_is_told_with_its_number() -> None:
    assert [(str(left), sign, number) for left, sign, number in comparisons("rate(a[5m]) > 1")] == [
        ("rate(a{}[5m])", ">", 1.0)
    ]
