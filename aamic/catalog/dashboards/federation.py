"""The Prometheus servers: shards against what they are predicted to carry, and central; or the single one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from aamic.catalog.dashboards.choices import IN_CLUSTER, IN_SHARD, SHARD, cluster
from aamic.catalog.dashboards.drawing import stat
from aamic.catalog.dashboards.ground import Ground
from aamic.model.dashboard import AlertBound, Bound, Column, Dashboard, Named, Panel, Query, Row, Unit, chosen

_SERVER: Final = "cluster, shard, node"
"""The servers of a pair are on different hosts, and Thanos Query takes the label `replica` away."""
_ANSWERS: Final = f'up{{job="federate",{IN_SHARD}}}'
_SERVERS: Final = 'up{job="federate"}'
_SINGLE: Final = 'up{job="prometheus"}'
_OWN: Final = f'job="prometheus",{IN_CLUSTER}'
"""What central, or a single server, says of itself."""
_SHARD_DOWN: Final = Bound(1, "critical", "ShardDown")
_RULES_TOO_SLOW: Final = (Bound(1, "warning", "PrometheusRulesTooSlow"),)
_DIGITS: Final = (3, 2, 1)
GROUPS: Final = 25
"""Shards of the same rounded prediction share a part of the query, and more parts than this are rounded further."""
_NEAR: Final = 1.0
"""From here on a server carries more than was planned for; no alert of its own, as RAM has one."""


def build(ground: Ground) -> Dashboard:
    """The page of the servers."""
    return Dashboard(
        uid="aamic-federation",
        title="Prometheus servers",
        about="Shards and what they carry against what was predicted, how old their data are, and central.",
        variables=(cluster(ground, _SERVERS if ground.has("federation") else _SINGLE), SHARD),
        rows=(
            Row("Shards", (*_numbers(ground), _servers(ground))),
            Row("Load", (*_predicted(ground), *_load())),
            Row("Reading and rules", _work()),
            Row("Central" if ground.has("federation") else "This server", _central(ground)),
        ),
        others=("aamic-overview", "aamic-self", "aamic-clusters"),
    )


def _numbers(ground: Ground) -> tuple[Panel, ...]:
    shards = f"max by (cluster, shard) ({_ANSWERS})"
    here = _by_shard("head_series")
    return (
        _stat("Shards up", f"sum ({shards})", "Shards of which a server answers."),
        _stat("Shards down", f"sum ({shards} == bool 0)", "Nodes of these are not watched.", _SHARD_DOWN),
        _stat(
            "Servers down",
            f"sum ({_ANSWERS} == bool 0)",
            "Servers of shards, those of pairs each for itself.",
            Bound(1, "warning", "ShardReplicaDown") if ground.has("replicas") else _SHARD_DOWN,
        ),
        _stat(
            "Shards without data",
            f"count ({shards} == 1 unless on (cluster, shard) {here}) or sum ({shards}) * 0",
            "Shards that answer and have given no aggregates of the last five minutes.",
            Bound(1, "critical", "ShardEmpty"),
        ),
    )


def _stat(title: str, expr: str, about: str, *bounds: Bound) -> Panel:
    return stat(title, expr, about, bounds=bounds, width=6)


def _by_shard(name: str) -> str:
    return f"max by (cluster, shard) (shard:{name}{{{IN_SHARD}}})"


def _by_server(name: str) -> str:
    return f"max by ({_SERVER}) (shard:{name}{{{IN_SHARD}}})"


def _servers(ground: Ground) -> Panel:
    columns: tuple[tuple[str, str, Unit], ...] = (
        (f"max by ({_SERVER}) ({_ANSWERS})", "Up", "none"),
        (_by_server("head_series"), "Series", "short"),
        (_by_server("samples_per_second"), "Samples a second", "short"),
        (_by_server("memory_bytes"), "Memory", "bytes"),
        (_by_server("storage_bytes"), "Disk", "bytes"),
        (_by_server("rule_duration_ratio"), "Rules, of interval", "percentunit"),
        (f'max by ({_SERVER}) (scrape_duration_seconds{{job="federate",{IN_SHARD}}})', "Read by central in", "s"),
    )
    return Panel(
        "Servers",
        "table",
        tuple(Query(expr, instant=True) for expr, _, _ in columns),
        "Each server of each shard. Disk is that of blocks; the last hours are not among them.",
        width=24,
        columns=(
            Column("shard", "Shard"),
            Column("node", "Host", link="aamic-node", variable="node"),
            *(
                Column(f"Value #{letter}", title, unit)
                for letter, (_, title, unit) in zip("ABCDEFG", columns, strict=True)
            ),
        ),
        wanted=(AlertBound("ShardDown"), AlertBound("ShardReplicaDown")),
        mappings=(Named(0, "down", "warning" if ground.has("replicas") else "critical"), Named(1, "up", "ok")),
    )


def _predicted(ground: Ground) -> Iterator[Panel]:
    if not ground.predicted:
        return
    shards = ground.has("federation")
    by = "cluster, shard" if shards else "cluster"
    wanted = " or ".join(f"({part})" for part in _constants(ground.predicted, by, shards=shards))
    here = _by_shard("head_series") if shards else f"max by (cluster) (shard:head_series{{{IN_CLUSTER}}})"
    legend = "{{shard}}" if shards else "{{cluster}}"
    about = "What this site makes a shard carry, as `aamic plan` says, rounded; 8 KiB of RAM are planned for a series."
    yield Panel(
        "Series against prediction",
        "timeseries",
        (Query(f"{here} / on ({by}) ({wanted})", legend),),
        about,
        unit="percentunit",
        bounds=(Bound(_NEAR, "warning"),),
        least=0,
    )
    yield Panel(
        "Series, and their prediction",
        "table",
        (Query(here, instant=True), Query(wanted, instant=True)),
        about,
        columns=(
            *((Column("shard", "Shard"),) if shards else (Column("cluster", "Cluster"),)),
            Column("Value #A", "Series"),
            Column("Value #B", "Predicted"),
        ),
    )


def _constants(predicted: Mapping[str, int], by: str, *, shards: bool) -> Iterator[str]:
    """A constant for each server, on a series that is there also while the server is not."""
    for value, names in rounded(predicted).items():
        where = f'job="federate",{IN_SHARD},shard=~"{chosen(names)}"' if shards else _OWN
        yield f"max by ({by}) (up{{{where}}}) * 0 + {value}"


def rounded(predicted: Mapping[str, int]) -> dict[int, list[str]]:
    """Return names by their prediction, rounded so that a page neither changes with each node nor becomes endless."""
    groups: dict[int, list[str]] = {}
    for digits in _DIGITS:
        groups = {}
        for name, series in predicted.items():
            groups.setdefault(round(series, digits - len(str(series))), []).append(name)
        if len(groups) <= GROUPS:
            break
    return groups


def _load() -> tuple[Panel, ...]:
    held = f"sum by (cluster, node) (max by ({_SERVER}) (shard:memory_bytes{{{IN_CLUSTER}}}))"
    has = f"max by (cluster, node) (node:memory_total_bytes{{{IN_CLUSTER}}})"
    return (
        _line("Samples a second", _by_shard("samples_per_second"), "{{shard}}", stacked=True),
        _line("Active series", _by_shard("head_series"), "{{shard}}", stacked=True),
        Panel(
            "Memory of the hosts that shards hold",
            "timeseries",
            (Query(f"{held} / on (cluster, node) {has}", "{{node}}"),),
            "All servers of shards on a host together.",
            unit="percentunit",
            wanted=(AlertBound("ShardHostMemoryLow"),),
            least=0,
            most=1,
        ),
        _line("Blocks on disk", _by_server("storage_bytes"), "{{shard}} {{node}}", "bytes"),
    )


def _work() -> tuple[Panel, ...]:
    newest = f"max by (cluster, shard) (max_over_time(timestamp(shard:head_series{{{IN_SHARD}}})[1h:1m]))"
    return (
        Panel(
            "Age of the newest sample of a shard",
            "timeseries",
            (Query(f"time() - {newest}", "{{shard}}"),),
            "What central knows of a shard is this old.",
            unit="s",
            wanted=(AlertBound("FederationStale"),),
            least=0,
        ),
        _line(
            "Time central takes to read a server",
            f'max by ({_SERVER}) (scrape_duration_seconds{{job="federate",{IN_SHARD}}})',
            "{{shard}} {{node}}",
            "s",
            alerts=("FederationSlow",),
        ),
        Panel(
            "Slowest group of rules, of its interval",
            "timeseries",
            (Query(_by_server("rule_duration_ratio"), "{{shard}} {{node}}"),),
            unit="percentunit",
            bounds=_RULES_TOO_SLOW,
            least=0,
        ),
        _line(
            "Time within which 99 of 100 targets are read",
            f"max by (cluster, job) (shard:scrape_duration_seconds{{{IN_SHARD}}})",
            "{{job}}",
            "s",
        ),
        _line(
            "Rule evaluations that failed",
            _by_server("rule_failures"),
            "{{shard}} {{node}}",
            wanted=(AlertBound("PrometheusRuleFailures"),),
        ),
        _line(
            "Targets down",
            f"sum by (shard) ({_by_job('targets_down')})",
            "{{shard}}",
            alerts=("ShardTargetsMissing", "ShardNodesMissing"),
        ),
    )


def _by_job(name: str) -> str:
    return f"max by (cluster, shard, job) (shard:{name}{{{IN_SHARD}}})"


def _central(ground: Ground) -> tuple[Panel, ...]:
    # Where those of shards are there as well, they have the label `shard`.
    own = f'{_OWN},shard=""' if ground.has("raw") or ground.has("thanos") else _OWN
    seen = f'max by (cluster, node) (up{{job="central",{IN_CLUSTER}}})'
    samples = f"rate(prometheus_tsdb_head_samples_appended_total{{{own}}}[{ground.rate}])"
    rules = f"prometheus_rule_group_last_duration_seconds{{{own}}} / prometheus_rule_group_interval_seconds{{{own}}}"
    return (
        stat(
            "Central, as a shard sees it",
            seen,
            "Whether it answers the shard that looks after it.",
            unit="none",
            wanted=(AlertBound("CentralDown"),),
            mappings=(Named(0, "down", "critical"), Named(1, "up", "ok")),
            width=6,
        ),
        _line("Active series of its own", _max("prometheus_tsdb_head_series", own), "{{node}}"),
        _line("Samples a second of its own", f"sum by (cluster, node) ({samples})", "{{node}}"),
        _line("Memory of its own", _max("process_resident_memory_bytes", own), "{{node}}", "bytes"),
        _line(
            "Slowest rules of its own, of their interval",
            f"max by (cluster, node) ({rules})",
            "{{node}}",
            "percentunit",
            bounds=_RULES_TOO_SLOW,
        ),
    )


def _max(name: str, matchers: str) -> str:
    return f"max by (cluster, node) ({name}{{{matchers}}})"


def _line(  # noqa: PLR0913  # a panel's own
    title: str,
    expr: str,
    legend: str,
    unit: Unit = "short",
    *,
    stacked: bool = False,
    bounds: tuple[Bound, ...] = (),
    wanted: tuple[AlertBound, ...] = (),
    alerts: tuple[str, ...] = (),
) -> Panel:
    return Panel(
        title,
        "timeseries",
        (Query(expr, legend),),
        unit=unit,
        least=0,
        stacked=stacked,
        bounds=bounds,
        wanted=wanted,
        alerts=alerts,
    )
