"""The pages themselves: names, variables, and thresholds that say the same as the alerts."""

from __future__ import annotations

import re
from collections.abc import Iterator

import promql_parser as ast
import pytest

from aamic.catalog import promql
from aamic.catalog.artifacts.rules import presets
from aamic.compile.alertbounds import comparisons
from aamic.model.dashboard import Bound, Panel, Query
from aamic.model.fleet import AlertRule, RecordingRule
from tests.dashboards import SITES, Seen, of, panels, seen_example

UIDS = (
    "aamic-overview",
    "aamic-racks",
    "aamic-node",
    "aamic-gpu",
    "aamic-slurm",
    "aamic-clusters",
    "aamic-federation",
    "aamic-self",
)
APART = {
    "FederationSlow": "its number is a share of the interval",
    "GpuSlowerThanPeers": "its number is a share of what peers have",
    "NodeFilesystemFilling": "it fires only where the disk also fills up",
}
"""Alerts that compare with a number which is no bound of the value alone."""
PRESETS = ("node", "gpu", "slurm", "aamic", "federation", "clusters")
COUNTED = frozenset({"gpu:errors_recent", "up", "node:aamic_node_verdict"})
"""Series whose value is no measure: what they are about is in their labels."""


def every() -> Iterator[Seen]:
    yield seen_example()
    yield from map(of, SITES)


def test_uids_never_change_and_titles_tell_pages_and_panels_apart() -> None:
    built = seen_example().built
    assert [page.uid for page in built] == [uid for uid in UIDS if uid in {page.uid for page in built}]
    assert len({page.title for page in built}) == len(built)
    for found in every():
        for page in found.dashboards:
            titles = [panel.title for panel in page.panels]
            assert sorted(titles) == sorted(set(titles))


def test_variables_stand_as_whole_values_of_their_own_label_and_narrow_those_behind_them() -> None:
    for page in seen_example().built:
        names = [variable.name for variable in page.variables]
        for number, variable in enumerate(page.variables):
            assert set(re.findall(r"\$(\w+)", variable.metric)) <= set(names[:number])
        texts = [query.expr for panel in page.panels for query in panel.queries]
        for text in (*texts, *(variable.metric for variable in page.variables)):
            plain = re.sub(r'\b(\w+)=~"\$\1"', "", text)
            assert set(re.findall(r"\$(\w+)", plain)) <= {"__range", "__rate_interval", "__interval"}
            assert set(re.findall(r"\$([a-z]\w*)", text)) <= set(names)


def test_pages_open_on_the_own_cluster_but_that_of_all_of_them() -> None:
    """Central has sums of other clusters as well, and those beside them are of its own alone."""
    for found in every():
        for page in found.dashboards:
            for variable in page.variables:
                own = variable.name == "cluster" and page.uid != "aamic-clusters"
                assert variable.opens == (found.ground.cluster if own else "")
                # What other clusters give is `cluster:*` alone.
                assert not own or variable.metric.startswith("cluster:") == (page.uid == "aamic-overview")


@pytest.mark.parametrize("name", SITES)
def test_each_panel_says_what_it_shows(name: str) -> None:
    for page, panel in panels(of(name).dashboards):
        assert page.about.endswith(".")
        assert panel.about.endswith(".") or not (panel.about or page.uid in UIDS[:4]), panel.title
        assert panel.kind in {"alerts", "text"} or panel.queries, panel.title
        assert panel.empty, panel.title


def test_columns_show_labels_and_values_that_their_queries_give() -> None:
    for found in every():
        for _, panel in panels(found.dashboards):
            if panel.kind == "table":
                letters = {f"Value #{letter}" for letter, _ in zip("ABCDEFGHIJKLMN", panel.queries, strict=False)}
                values = [column.field for column in panel.columns if column.field.startswith("Value")]
                assert len(values) == len(set(values))
                assert set(values) <= letters
                labels = [column.field for column in panel.columns if not column.field.startswith("Value")]
                texts = " ".join(query.expr for query in panel.queries)
                assert [label for label in labels if not re.search(rf"\b{label}\b", texts)] == []


def test_rows_of_a_table_that_racks_tell_apart_always_have_one() -> None:
    """Grafana's `merge` adds a row that lacks a label to every row that has the other labels alike."""
    tables = 0
    for found in every():
        for page, panel in panels(found.dashboards):
            fields = {column.field for column in panel.columns}
            if panel.kind == "table" and len(panel.queries) > 1 and "rack" in fields and "node" not in fields:
                tables += 1
                for query in panel.queries:
                    assert re.fullmatch(r'label_replace\(.+, "rack", "no rack", "rack", ""\)', query.expr), page.uid
    assert tables


def test_what_is_listed_of_nodes_is_no_arbitrary_few_of_them() -> None:
    """A rack without power has more nodes than a screen has lines, and all of their values are 1."""
    for found in every():
        for _, panel in panels(found.dashboards):
            if panel.title == "Nodes to look at first":
                assert {int(query.expr.partition("(")[2].partition(",")[0]) for query in panel.queries} == {1000}
                assert "1,000 for each at most" in panel.about


def test_a_panel_that_shows_what_an_alert_bounds_has_that_bound() -> None:
    """At night two thresholds for one value would be one too many."""
    lacking = []
    for found in every():
        records = _records(found)
        bounded = list(_bounded(found))
        for page, panel in panels(found.dashboards):
            if panel.kind in {"table", "alerts", "text"}:
                continue
            for measure, selector in _shown(panel, records):
                lacking += [
                    (page.uid, panel.title, alert)
                    for alert, of_alert, asked in bounded
                    if of_alert == measure and _meet(asked, selector) and alert not in _wanted(panel)
                ]
    assert lacking == []


def test_the_check_of_thresholds_sees_one_that_is_forgotten() -> None:
    """The law above would hold of nothing at all if it found no measures."""
    found = seen_example()
    measures = {measure for _, measure, _ in _bounded(found)}
    assert {"gpu:temperature_celsius", "increase(gpu:ecc_corrected_total)", "node:memory_utilization_ratio"} <= measures
    hot = next(panel for _, panel in panels(found.dashboards) if panel.title == "Hottest GPU by rack: nvidia")
    assert "gpu:temperature_celsius" in {measure for measure, _ in _shown(hot, _records(found))}


def _records(found: Seen) -> dict[str, str]:
    """What is recorded of values that alerts bound; those of vendors are where such values begin."""
    return {
        rule.record: rule.expr
        for group in found.checked.fleet.rules
        for rule in group.rules
        if isinstance(rule, RecordingRule) and not rule.record.startswith("gpu:")
    }


def _wanted(panel: Panel) -> set[str]:
    return {bound.alert for bound in panel.wanted}


def _bounded(found: Seen) -> Iterator[tuple[str, str, ast.Expr]]:
    """Each alert that compares a value with a number: its name, the value, and the expression of it."""
    for group in found.checked.fleet.rules:
        for rule in group.rules:
            if isinstance(rule, AlertRule) and rule.name not in APART:
                for left, _, _ in comparisons(rule.expr):
                    core = _core(left)
                    if not COUNTED.intersection(map(promql.exact_name, promql.selectors(core))):
                        yield rule.name, _measure(core), core


def _shown(panel: Panel, records: dict[str, str]) -> Iterator[tuple[str, ast.Expr]]:
    """The values that a panel shows, and those that these were recorded from."""
    for query in panel.queries:
        asked = core = _core(promql.parse(query.expr))
        while True:
            yield _measure(core), asked
            name = promql.exact_name(core) if isinstance(core, ast.VectorSelector) else None
            if name is None or name not in records:
                break
            core = _core(promql.parse(records[name]))


def _core(expr: ast.Expr) -> ast.Expr:
    """An expression without what picks one of many values, or the rest of a share, and leaves the value as it is."""
    match expr:
        case ast.ParenExpr():
            return _core(expr.expr)
        case ast.AggregateExpr() if str(expr.op) in {"max", "min", "topk", "bottomk"}:
            return _core(expr.expr)
        case ast.BinaryExpr() if str(expr.op) in {"and", "unless", ">", "=="}:
            return _core(expr.lhs)
        case ast.BinaryExpr() if str(expr.op) == "-" and isinstance(expr.lhs, ast.NumberLiteral):
            return _core(expr.rhs)
    return expr


def _measure(core: ast.Expr) -> str:
    """A value in words, whatever its matchers and ranges."""
    return re.sub(r"\{[^}]*\}|\[[^\]]*\]", "", str(core)).replace(" ", "")


def _meet(one: ast.Expr, other: ast.Expr) -> bool:
    """Whether two expressions can be about the same series, by the values that each of them names."""
    for label in ("kind", "reason", "vendor", "verdict"):
        named = [_named(expr, label) for expr in (one, other)]
        if all(named) and not any(
            all(promql.accepts(matcher, value) for matcher in _matchers(one, label) + _matchers(other, label))
            for value in named[0] | named[1]
        ):
            return False
    return True


def _matchers(expr: ast.Expr, label: str) -> list[ast.Matcher]:
    return [
        matcher
        for selector in promql.selectors(expr)
        for matcher in promql.matchers(selector, label)
        if not matcher.value.startswith("$")
    ]


def _named(expr: ast.Expr, label: str) -> set[str]:
    return {value for matcher in _matchers(expr, label) for value in matcher.value.split("|")}


@pytest.mark.parametrize("name", ["both", "many nodes"])
def test_thousands_of_cells_are_never_drawn_at_once(name: str) -> None:
    (page,) = [each for each in of(name).dashboards if each.uid == "aamic-racks"]
    cells = [panel for panel in page.panels if panel.kind == "heatmap"]
    of_nodes = [panel for panel in cells if "{{node}}" in panel.queries[0].legend]
    (rack,) = [variable for variable in page.variables if variable.name == "rack"]

    assert of_nodes
    assert all('rack=~"$rack"' in query.expr for panel in of_nodes for query in panel.queries)
    assert rack.every == (name == "both")
    assert (cells == of_nodes) == (name == "both")
    assert all("$rack" not in query.expr for panel in cells if panel not in of_nodes for query in panel.queries)


def test_a_number_of_what_an_alert_is_about_names_that_alert() -> None:
    """At night a count of what fires must not look as if all were well, nor leave a person without its runbook."""
    lacking, met = [], set()
    for found in every():
        about = _about_alerts(found)
        for page, panel in panels(found.dashboards):
            for query, bounds in _judged(panel):
                for condition in _conditions(promql.parse(query.expr)):
                    named = {bound.alert for bound in bounds}
                    if condition in about and not about[condition] & named:
                        lacking.append((page.uid, panel.title, query.expr, about[condition]))
                    met |= about.get(condition, set()) & named
    assert lacking == []
    assert met >= {
        "ShardDown", "ShardReplicaDown", "ShardEmpty", "CentralDown", "RemoteClusterDown", "RemoteClusterStale",
        "NodeDown", "ManagedFilesUnchecked", "ApplyUnconfirmed", "GpuUnhealthy", "DrainBreakerTripped",
    }  # fmt: skip


Selected = tuple[str, frozenset[tuple[str, str]]]
Condition = tuple[Selected, str, float | Selected]


def _about_alerts(found: Seen) -> dict[Condition, set[str]]:
    """The alerts of a site by what they are about."""
    about: dict[Condition, set[str]] = {}
    for group in found.checked.fleet.rules:
        for rule in group.rules:
            if isinstance(rule, AlertRule) and (condition := _deciding(promql.parse(rule.expr))):
                about.setdefault(condition, set()).add(rule.name)
    return about


def _judged(panel: Panel) -> Iterator[tuple[Query, tuple[Bound, ...]]]:
    """The queries of numbers that stand for themselves, with the bounds by which each is coloured."""
    if panel.kind == "stat":
        yield from ((query, panel.bounds) for query in panel.queries)
    if panel.kind == "table":
        columns = {column.field: column.bounds for column in panel.columns}
        for number, query in enumerate(panel.queries):
            if (field := f"Value #{'ABCDEFGHIJ'[number]}") in columns:
                yield query, (*columns[field], *(() if number else panel.bounds))


def _deciding(expr: ast.Expr) -> Condition | None:
    """What an alert is about: a series that has a value, or that lacks another one."""
    match expr:
        case ast.ParenExpr():
            return _deciding(expr.expr)
        case ast.BinaryExpr() if str(expr.op) == "and":
            return _deciding(expr.lhs)
        case ast.BinaryExpr() if str(expr.op) == "unless":
            left, right = _selected(expr.lhs), _selected(expr.rhs)
            return (left, "unless", right) if left and right else None
        case ast.BinaryExpr() if str(expr.op) == "==" and isinstance(expr.rhs, ast.NumberLiteral):
            left = _selected(expr.lhs)
            return (left, "==", expr.rhs.val) if left else None
    return None


def _conditions(expr: ast.Expr) -> Iterator[Condition]:
    """What is counted or shown anywhere in a query: a plain sum counts those that are 1."""
    condition = _deciding(expr)
    if condition:
        yield condition
    elif isinstance(expr, ast.AggregateExpr) and str(expr.op) in {"sum", "count"} and not _deciding(expr.expr):
        if shown := _selected(expr.expr):
            yield from [(shown, "==", 1.0)] if str(expr.op) == "sum" else []
        else:
            yield from _conditions(expr.expr)
    elif shown := None if isinstance(expr, ast.AggregateExpr) and _deciding(expr.expr) else _selected(expr):
        yield from ((shown, "==", value) for value in (0.0, 1.0))
    elif isinstance(expr, (ast.AggregateExpr, ast.ParenExpr)):
        yield from _conditions(expr.expr)
    elif isinstance(expr, ast.BinaryExpr) and str(expr.op) in {"or", ">"}:
        yield from _conditions(expr.lhs)


def _selected(expr: ast.Expr) -> Selected | None:
    """A series by its name and the values that it must have, whichever of its servers gives it."""
    core = _core(expr)
    if not isinstance(core, ast.VectorSelector) or not (name := promql.exact_name(core)):
        return None
    return name, frozenset((each.name, each.value) for each in core.matchers.matchers if "$" not in each.value)


ELSEWHERE = {
    "NodeRebooted": "no panel shows times of start",
    "NodeClockSkew": "no panel shows clocks",
    "NodeClockUnsynchronised": "no panel shows clocks",
    "NodeMemoryErrorUncorrected": "no panel shows memory of hosts but how full it is",
    "NodeMemoryErrorsCorrected": "no panel shows memory of hosts but how full it is",
    "NodeTemperatureCritical": "no panel shows sensors of hosts",
    "NodeRaidDegraded": "no panel shows arrays of disks",
    "NodeFileDescriptorsLow": "no panel shows what the kernel has left",
    "NodeTextfileError": "no panel shows files of metrics",
    "NodeSystemdUnitFailed": "no panel shows services",
    "NetworkFilesystemFull": "no panel shows file systems that nodes share",
    "NetworkFilesystemInodesLow": "no panel shows file systems that nodes share",
}
"""Alerts about what shards alone store: the overview lists them while they fire, with their runbooks."""


def test_every_alert_is_named_by_a_panel_about_the_same_thing() -> None:
    known, named = set(), set()
    for found in every():
        rules = [rule for group in found.checked.fleet.rules for rule in group.rules]
        known |= {rule.name for rule in rules if isinstance(rule, AlertRule)} & set(presets.alert_names(*PRESETS))
        for _, panel in panels(found.dashboards):
            named |= set(panel.every_alert)
            named |= {name for query in panel.queries for name in _listed(query)}
    assert known - named - set(ELSEWHERE) == set()
    assert set(ELSEWHERE) & named == set()


def _listed(query: Query) -> set[str]:
    """The alerts that a query lists by name while they fire."""
    return _named(promql.parse(query.expr), "alertname")
