from __future__ import annotations

import promql_parser as ast
from hypothesis import given
from hypothesis import strategies as st

from aamic.catalog import promql
from aamic.compile.vectors import Vector, by_label, union

VALUES = ("", "a", "ab", "b")
LABELS = ("x", "y")


def matchers(label: str, operator: str, value: str) -> str:
    return f'{label}{operator}"{value}"'


SELECTORS = st.lists(
    st.builds(
        matchers,
        st.sampled_from(LABELS),
        st.sampled_from(["=", "!=", "=~", "!~"]),
        st.sampled_from([*VALUES, "a.*", "a|b", ".+", ".*"]),
    ),
    min_size=1,
    max_size=3,
).map(lambda texts: next(promql.selectors(promql.parse(f"m{{{','.join(texts)}}}"))))
SERIES = st.fixed_dictionaries({label: st.sampled_from(VALUES) for label in LABELS})


def vector(series: list[dict[str, str]]) -> Vector:
    """All that can be known of these series; an empty value is an absent label."""
    return Vector(
        labels=frozenset(label for label in LABELS if any(each[label] for each in series)),
        sure=frozenset(label for label in LABELS if all(each[label] for each in series)),
        values={
            label: frozenset(each[label] for each in series if each[label])
            for label in LABELS
            if any(each[label] for each in series)
        },
    )


@given(st.lists(SERIES, min_size=1, max_size=4), SELECTORS)
def test_what_a_selector_picks_is_never_thought_away(
    series: list[dict[str, str]], selector: ast.VectorSelector
) -> None:
    wanted = by_label(selector)
    picked = [
        each
        for each in series
        if all(promql.accepts(matcher, each[label]) for label, many in wanted.items() for matcher in many)
    ]
    narrowed = vector(series).where(wanted)
    if narrowed is None:
        assert picked == []
    for each in picked:
        assert narrowed is not None
        assert all(each[label] for label in narrowed.sure)
        assert all(each[label] in known for label, known in narrowed.values.items() if each[label])
        assert not any(narrowed.lacks(label) for label in LABELS if each[label])


@given(SERIES, SELECTORS)
def test_of_one_series_it_is_known_whether_it_is_picked(series: dict[str, str], selector: ast.VectorSelector) -> None:
    wanted = by_label(selector)
    accepted = all(promql.accepts(each, series[label]) for label, many in wanted.items() for each in many)
    assert (vector([series]).where(wanted) is not None) is accepted


@given(st.lists(st.lists(SERIES, min_size=1, max_size=3), min_size=1, max_size=3))
def test_a_union_knows_no_more_than_is_true_of_all(parts: list[list[dict[str, str]]]) -> None:
    whole = union(vector(part) for part in parts)
    exact = vector([each for part in parts for each in part])
    assert (whole.labels, whole.sure, whole.values) == (exact.labels, exact.sure, exact.values)


def test_an_unknown_label_can_have_any_value() -> None:
    loose = Vector(None)
    selector = next(promql.selectors(promql.parse('m{a="1",b!="",c=""}')))
    narrowed = loose.where(by_label(selector))
    assert narrowed is not None
    assert (narrowed.sure, narrowed.values["a"]) == (frozenset({"a", "b"}), frozenset({"1"}))


def test_large_sets_of_values_are_neither_copied_nor_matched_one_by_one() -> None:
    nodes = frozenset(f"n{number}" for number in range(5_000))
    many = Vector(frozenset({"node"}), values={"node": nodes})
    few = Vector(frozenset({"node"}), values={"node": frozenset({"n1"})})
    assert union([many, few, many]).values["node"] is nodes
    selector = next(promql.selectors(promql.parse('m{node=~"n1.*",node!=""}')))
    narrowed = many.where(by_label(selector))
    assert narrowed is not None
    assert narrowed.values["node"] is nodes
    assert many.where(by_label(next(promql.selectors(promql.parse('m{node=~"x.*"}'))))) is None
