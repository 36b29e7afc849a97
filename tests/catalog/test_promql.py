from __future__ import annotations

from contextlib import suppress

import promql_parser as ast
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aamic.catalog import promql
from aamic.catalog.promql import PromqlError


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sum(\n  rate(x[5m]", "is not PromQL: unclosed left parenthesis at line 2, column 7"),
        ("sum(x))", "is not PromQL: unexpected right parenthesis ')' at line 1, column 7"),
        ("x +", "is not PromQL: it is cut off, or two parts stand side by side"),
        ("rate(x)", "is not PromQL: expected type matrix in call to function 'rate', got vector"),
        ("nosuch(x)", "is not PromQL: unknown function with name 'nosuch'"),
        ("", "is not PromQL: no expression found in input"),
        ("x" * 10_001, "is longer than 10,000 characters"),
        ("-" * 9_000 + "x", "has more than 200 operators and parentheses"),
        ("x" + "^x" * 4_000, "has more than 200 operators and parentheses"),
        ("(" * 4_000 + "x" + ")" * 4_000, "has more than 200 operators and parentheses"),
        ("x" + " and x" * 1_000, "has more than 200 operators and parentheses"),
        (
            "double_exponential_smoothing(x[5m], 0.1, 0.2)",
            "uses `double_exponential_smoothing`, which Prometheus 2.42 does not have",
        ),
        (
            "holt_winters(x[5m], 0.1, 0.2) + double_exponential_smoothing(x[5m], 0.1, 0.2)",
            "uses `double_exponential_smoothing`, which Prometheus 2.42 does not have",
        ),
        (
            "holt_winters(x, 0.1, 0.2)",
            "is not PromQL: expected type matrix in call to function 'holt_winters', got vector",
        ),
        ("limitk(2, x)", "uses `limitk`, which Prometheus 2.42 does not have"),
        ("sort_by_label(x, 'a')", "uses `sort_by_label`, which Prometheus 2.42 does not have"),
        ("x{a='b' or c='d'}", "uses `or` between matchers, which Prometheus does not have"),
        ("x{a=~'('}", "is not PromQL: illegal regex for ("),
    ],
)
def test_what_does_not_parse_is_explained(text: str, message: str) -> None:
    with pytest.raises(PromqlError) as caught:
        promql.parse(text)
    assert str(caught.value) == message


@given(
    st.lists(
        st.sampled_from(
            [
                "x",
                "(",
                ")",
                "{",
                "}",
                "[5m]",
                '"',
                "'",
                "`",
                "#",
                "\n",
                "+",
                "-",
                " and ",
                "sum",
                "by",
                "rate",
                "=~",
                ",",
            ]
        )
    ).map("".join)
)
def test_any_text_is_parsed_or_refused(text: str) -> None:
    with suppress(PromqlError):
        expr = promql.parse(text)
        assert expr in list(promql.walk(expr))


def test_names_by_pattern_are_those_that_are_known() -> None:
    selector = next(promql.selectors(promql.parse('rate({__name__=~"a.*",__name__!="ab"}[5m])')))
    assert promql.names(selector, ["a", "ab", "abc", "b"]) == ["a", "abc"]


def test_a_regular_expression_is_anchored_and_cannot_blow_up() -> None:
    assert promql.pattern("no|de")("node") is False
    assert promql.pattern("(a+)+b")("a" * 10_000) is False


def test_selectors_inside_strings_are_text() -> None:
    expr = promql.parse('label_replace(up, "x", "sum(y)", "job", "(.*)")')
    assert [promql.shown(each) for each in promql.selectors(expr)] == ["up"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("up", None),
        ('{__name__=~"gpu:.*", node!=""}', None),
        ("sum(up)", 'is an expression; a selector such as `up{job="node"}` is needed'),
        ("up offset 5m", 'is an expression; a selector such as `up{job="node"}` is needed'),
        ("up[5m]", 'is an expression; a selector such as `up{job="node"}` is needed'),
        ("{}", "is not PromQL: vector selector must contain at least one non-empty matcher"),
    ],
)
def test_federation_takes_selectors_only(text: str, fault: str | None) -> None:
    assert promql.check_selector(text) == fault


def test_vendor_is_checked_on_neutral_series_alone() -> None:
    values = {"vendor": frozenset({"amd"})}
    known = frozenset({"gpu:power_watts", "ipmi_info"})
    assert promql.missing('gpu:power_watts{vendor="nvidia"}', known, values) == ['vendor="nvidia"']
    assert promql.missing('ipmi_info{vendor="dell"}', known, values) == []


@pytest.mark.parametrize(
    "text",
    [
        "holt_winters(x[5m], 0.1, 0.2)",
        "max by (holt_winters) (holt_winters (x{a='holt_winters('}[5m], 0.1, 0.2))",
        'label_replace(x, "double_exponential_smoothing", "holt_winters(", "a", "(.+)")',
    ],
)
def test_the_old_name_of_a_function_is_known(text: str) -> None:
    calls = [node.func.name for node in promql.walk(promql.parse(text)) if isinstance(node, ast.Call)]
    assert calls in (["double_exponential_smoothing"], ["label_replace"])
    assert [
        str(matcher.value) for each in promql.selectors(promql.parse(text)) for matcher in each.matchers.matchers
    ] in (
        [],
        ["holt_winters("],
    )


@pytest.mark.parametrize(
    "text",
    [
        '{"up"}', '{"up",job="node"}', 'up{"job"="node"}', 'sum by ("job") (up)', "sum_over_time(up[300])",
        'up{job=~"(a{1001}|node)"}', 'up{job=~"(?<x>node)"}', 'up{job=~"(?x) node "}', 'up{job=~"\\\\u{6e}ode"}',
    ],
)  # fmt: skip
def test_what_only_a_newer_prometheus_or_another_engine_reads_is_refused(text: str) -> None:
    with pytest.raises(promql.PromqlError):
        read(text)


@pytest.mark.parametrize(
    "text", ['up{a="}",b=","}', 'count_values("x", up)', "max_over_time(up[5m:30s])", 'up{a=~"b{3}"}']
)
def test_what_looks_like_it_is_still_read(text: str) -> None:
    read(text)


def read(text: str) -> None:
    for selector in promql.selectors(promql.parse(text)):
        for matcher in selector.matchers.matchers:
            promql.accepts(matcher, "x")
