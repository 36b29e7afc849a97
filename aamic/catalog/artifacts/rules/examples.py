"""promtool unit tests from the examples of each preset alert: one case that fires, one that does not."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from aamic.catalog import promql
from aamic.catalog.written import read
from aamic.model.fleet import AlertRule, RecordingRule, RuleGroup

_FOLDER: Final = Path(__file__).parent / "examples"
_INTERVAL: Final = "1m"


@dataclass(frozen=True, slots=True)
class Stated:
    """How bad an alert is and how long its condition has to hold, as its examples state it."""

    severity: str
    for_: str | None


@dataclass(frozen=True, slots=True)
class Case:
    """Input series, and the labels of each alert that then fires; none when it has to stay quiet."""

    at: str
    interval: str
    series: Mapping[str, str]
    labels: tuple[Mapping[str, str], ...]


def cases(preset: str, alert: str) -> tuple[Case, ...]:
    """The cases of an alert: first the one that fires, then the quiet one, then further ones."""
    examples = _table(preset)
    spec = examples["alerts"].get(alert, {})
    listed = [spec[key] for key in ("fires", "quiet") if key in spec] + spec.get("cases", [])
    return tuple(_case(each, examples["labels"]) for each in listed)


def stated(preset: str, alert: str) -> Stated:
    """What the examples expect of an alert, whatever the preset says."""
    spec = _table(preset)["alerts"][alert]
    return Stated(spec["severity"], spec.get("for"))


def _case(spec: Mapping[str, Any], shorthand: Mapping[str, str]) -> Case:
    def spelled(series: str) -> str:
        return re.sub(r"\$(\w+)", lambda match: shorthand[match[1]], series)

    return Case(
        at=spec["at"],
        interval=spec.get("interval", _INTERVAL),
        series={spelled(series): values for series, values in spec["series"].items()},
        labels=tuple(spec.get("labels", ())),
    )


def unit_test(alert: AlertRule, rule_file: str, examples: Sequence[Case]) -> bytes:
    """A promtool test file that holds an alert of that rule file to its cases."""
    content = {
        "rule_files": [rule_file],
        "evaluation_interval": examples[0].interval,
        "tests": [_test(alert, case) for case in examples],
    }
    return yaml.safe_dump(content, sort_keys=False, width=1_000_000).encode()


def _test(alert: AlertRule, case: Case) -> dict[str, Any]:
    fixed = {"alertname": alert.name, "alertstate": "firing"}
    severity = stated(alert.origin, alert.name).severity
    expected = [{**fixed, "severity": severity, **alert.labels, **labels} for labels in case.labels]
    return {
        "interval": case.interval,
        "input_series": [{"series": series, "values": values} for series, values in case.series.items()],
        "promql_expr_test": [
            {
                "expr": f"ALERTS{_braces(fixed)}",
                "eval_time": case.at,
                "exp_samples": [{"labels": f"ALERTS{_braces(labels)}", "value": 1} for labels in expected],
            }
        ],
    }


def _braces(labels: Mapping[str, str]) -> str:
    # JSON's quoting of these plain texts is PromQL's.
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels.items()) + "}"


def closure(alert: AlertRule, groups: Sequence[RuleGroup]) -> tuple[RuleGroup, ...]:
    """The alert with the recording rules it reads, directly or not, of its own scope."""
    scope = next(group.scope for group in groups if any(rule is alert for rule in group.rules))
    local = [group for group in groups if group.scope == scope]
    records: dict[str, list[str]] = {}
    for group in local:
        for rule in group.rules:
            if isinstance(rule, RecordingRule):
                records.setdefault(rule.record, []).append(rule.expr)
    needed: set[str] = set()
    waiting = [alert.expr]
    while waiting:
        more = _reads(waiting.pop(), records) - needed
        needed |= more
        waiting += [expr for name in more for expr in records[name]]
    kept = (
        replace(group, rules=tuple(rule for rule in group.rules if _wanted(rule, alert, needed))) for group in local
    )
    return tuple(group for group in kept if group.rules)


def _wanted(rule: RecordingRule | AlertRule, alert: AlertRule, needed: Collection[str]) -> bool:
    return rule is alert or (isinstance(rule, RecordingRule) and rule.record in needed)


def _reads(expr: str, records: Collection[str]) -> set[str]:
    selectors = promql.selectors(promql.parse(expr))
    return {name for selector in selectors for name in promql.names(selector, records)}


@cache
def _table(preset: str) -> Mapping[str, Any]:
    loaded: Mapping[str, Any] = read(_FOLDER / f"{preset}.yaml")
    return loaded
