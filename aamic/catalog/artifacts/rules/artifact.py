"""Rule files: one for each group, beside the servers that evaluate it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import yaml

from aamic.model.fleet import AlertRule, Fleet, RecordingRule, RuleGroup, Scope
from aamic.model.tree import File, OnChange, Part

RELOAD: Final = OnChange("reload", "aami-prometheus*.service")
"""All servers of a host read the same files; systemctl takes a pattern."""

RULER_RELOAD: Final = OnChange("reload", "aami-thanos-rule.service")

_HEADER: Final = "# Rendered by aamic; a change made here is undone by the next apply.\n"


def render(fleet: Fleet) -> Iterable[Part]:
    """The groups of the shards and of central, or all of them for a single server."""
    shards = _hosts(fleet, "shard")
    if shards:
        yield Part("shards", shards, tuple(_files(fleet.rules, "shard")), stage="shards")
    central = _hosts(fleet, "central")
    if central:
        yield Part("central", central, tuple(_files(fleet.rules, "central")), stage="central")
    ruler = () if fleet.thanos is None else tuple(each.host for each in fleet.thanos.of("rule"))
    # Apart from the ruler's own bundle, whose secret needs a restart where these need a reload.
    if ruler and any(group.scope == "global" for group in fleet.rules):
        yield Part("thanos-rules", ruler, tuple(_global_files(fleet)), stage="central")
    single = _hosts(fleet, "single")
    if single:
        groups = once(fleet.rules)
        yield Part("prometheus", single, (*_files(groups, "shard"), *_files(groups, "central")), stage="central")


def once(groups: Sequence[RuleGroup]) -> tuple[RuleGroup, ...]:
    """The groups for a server that evaluates both scopes: a rule that stands in both is kept in `shard` alone."""
    local = {rule for group in groups if group.scope == "shard" for rule in map(_identity, group.rules)}
    return tuple(
        RuleGroup(
            group.name,
            group.scope,
            tuple(rule for rule in group.rules if group.scope == "shard" or _identity(rule) not in local),
        )
        for group in groups
    )


def _identity(rule: RecordingRule | AlertRule) -> tuple[object, ...]:
    name = rule.record if isinstance(rule, RecordingRule) else rule.name
    return (type(rule), name, rule.expr, *sorted(rule.labels.items()))


def _hosts(fleet: Fleet, role: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(server.host for server in fleet.servers if server.role == role))


def _files(groups: Iterable[RuleGroup], scope: Scope) -> Iterator[File]:
    for group in groups:
        if group.scope == scope and group.rules:
            yield File(f"/etc/aami/rules/{scope}/{group.name}.yml", rule_file([group]), on_change=RELOAD)


def _global_files(fleet: Fleet) -> Iterator[File]:
    """The rules of Thanos Rule.

    By default it evaluates none while any process that Query asks is away, and Alertmanager then takes alerts that fire
    for resolved. Where shards are pairs, the other server of a pair answers, and the rules go on.
    """
    paired = any(server.replica for server in fleet.servers)
    more = {"partial_response_strategy": "warn"} if paired else {}
    for group in fleet.rules:
        if group.scope == "global" and group.rules:
            text = _written([{**_group(group), **more}])
            yield File(f"/etc/aami/rules/global/{group.name}.yml", text, on_change=RULER_RELOAD)


def rule_file(groups: Iterable[RuleGroup]) -> bytes:
    """A rule file with these groups."""
    return _written([_group(group) for group in groups])


def _written(groups: Sequence[dict[str, Any]]) -> bytes:
    return (_HEADER + _dump({"groups": list(groups)})).encode()


def _group(group: RuleGroup) -> dict[str, Any]:
    return {"name": group.name, "rules": [_rule(rule) for rule in group.rules]}


def _rule(rule: RecordingRule | AlertRule) -> dict[str, Any]:
    if isinstance(rule, RecordingRule):
        labels = {"labels": dict(rule.labels)} if rule.labels else {}
        return {"record": rule.record, "expr": rule.expr, **labels}
    annotations = {"summary": rule.summary, "description": rule.description, "runbook_url": rule.runbook_url}
    held = {"for": rule.for_} if rule.for_ else {}
    return {
        "alert": rule.name,
        "expr": rule.expr,
        **held,
        "labels": {"severity": rule.severity, **rule.labels},
        "annotations": {name: text for name, text in annotations.items() if text},
    }


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]  # the C one is faster
    """Writes texts of several lines as blocks, as a person would."""


def _text(dumper: Any, value: str) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def _dump(value: Any) -> str:
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=1_000_000, allow_unicode=True)
    return text
