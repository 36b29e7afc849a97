"""All clusters at one look: this one and those whose aggregates central reads."""

from __future__ import annotations

from typing import Final

from aamic.catalog.dashboards.choices import CLUSTERS, IN_CLUSTER
from aamic.catalog.dashboards.drawing import NONE_FOUND, SOME_CRITICAL, SOME_WARNING, lines, stat
from aamic.catalog.dashboards.ground import Ground
from aamic.model.dashboard import Bound, Column, Dashboard, Named, Panel, Query, Row, Unit

_READ: Final = f'max by (cluster) (up{{job="remote-clusters",{IN_CLUSTER}}})'
_FRESH: Final = f'max by (cluster) (cluster:nodes_up{{job="remote-clusters",{IN_CLUSTER}}})'
_STATES: Final = (
    Named(0, "gone", "critical"),
    Named(1, "stale", "warning"),
    Named(2, "connected", "ok"),
    Named(3, "this one", "ok"),
)
_TABLE_BOUNDS: Final = {
    "Nodes down": (Bound(1, "critical", "NodeDown"),),
    "Critical alerts": SOME_CRITICAL,
    "Warnings": SOME_WARNING,
}


def build(ground: Ground) -> Dashboard:
    """The page of all clusters; one without rows where no others are read."""
    rows = (Row("All clusters", (*_numbers(), _states(), _table())), Row("Over time", _over_time()))
    return Dashboard(
        uid="aamic-clusters",
        title="Clusters",
        about="Every cluster that is read from here: whether it is connected, and what it has and does.",
        variables=(CLUSTERS,),
        rows=rows if ground.has("clusters") else (),
        others=("aamic-overview", "aamic-federation"),
    )


def _numbers() -> tuple[Panel, ...]:
    return (
        _stat("Connected", f"sum ({_READ})", "Other clusters that answer."),
        _stat(
            "Gone",
            f"sum ({_READ} == bool 0)",
            "Other clusters that do not answer.",
            Bound(1, "critical", "RemoteClusterDown"),
        ),
        _stat(
            "Stale",
            f"count ({_READ} == 1 unless on (cluster) {_FRESH}) or sum ({_READ}) * 0",
            "Other clusters that answer and give no aggregates of the last five minutes.",
            Bound(1, "warning", "RemoteClusterStale"),
        ),
        _stat("Nodes up", f"sum ({_of('nodes_up')})", "Nodes of all chosen clusters of which an exporter answers."),
        _stat("GPUs", f"sum ({_by_vendor('gpu_count')})", "GPUs of all chosen clusters that report."),
        _stat("GPU power", f"sum ({_by_vendor('gpu_power_watts')})", "Of all chosen clusters.", unit="watt"),
    )


def _stat(title: str, expr: str, about: str, *bounds: Bound, unit: Unit = "none") -> Panel:
    return stat(title, expr, about, bounds=bounds, unit=unit, width=4)


def _of(name: str) -> str:
    return f"max by (cluster) (cluster:{name}{{{IN_CLUSTER}}})"


def _by_vendor(name: str) -> str:
    return f"sum by (cluster) (max by (cluster, vendor) (cluster:{name}{{{IN_CLUSTER}}}))"


def _utilization() -> str:
    """The mean over all GPUs, whatever their vendor."""
    mean, count = (
        f"max by (cluster, vendor) (cluster:{name}{{{IN_CLUSTER}}})" for name in ("gpu_utilization_ratio", "gpu_count")
    )
    return f"sum by (cluster) ({mean} * {count}) / {_by_vendor('gpu_count')}"


def _alerts(severity: str) -> str:
    return f'max by (cluster) (cluster:alerts_firing{{{IN_CLUSTER},severity="{severity}"}})'


def _state() -> str:
    """0 gone, 1 stale, 2 connected, 3 this one, whose aggregates no job brings."""
    here = f'max by (cluster) (cluster:nodes_up{{job="",{IN_CLUSTER}}}) * 0 + 3'
    return f"{_READ} + on (cluster) ({_FRESH} * 0 + 1) or {_READ} or {here}"


def _states() -> Panel:
    return Panel(
        "State of each cluster",
        "stat",
        (Query(_state(), "{{cluster}}", instant=True),),
        "`aamic clusters test NAME` says what is wrong with one that is gone.",
        unit="none",
        width=24,
        height=4,
        mappings=_STATES,
        link="aamic-overview",
        link_label="cluster",
    )


def _table() -> Panel:
    columns: tuple[tuple[str, str, Unit], ...] = (
        (_of("nodes_up"), "Nodes up", "none"),
        (_of("nodes_down"), "Nodes down", "none"),
        (_by_vendor("gpu_count"), "GPUs", "none"),
        (_utilization(), "GPU utilization", "percentunit"),
        (_by_vendor("gpu_power_watts"), "GPU power", "watt"),
        (_alerts("critical"), "Critical alerts", "none"),
        (_alerts("warning"), "Warnings", "none"),
    )
    return Panel(
        "Clusters",
        "table",
        tuple(Query(expr, instant=True) for expr, _, _ in columns),
        "A cluster that is gone has no numbers.",
        width=24,
        columns=(
            Column("cluster", "Cluster", link="aamic-overview", variable="cluster"),
            *(
                Column(f"Value #{letter}", title, unit, bounds=_TABLE_BOUNDS.get(title, ()))
                for letter, (_, title, unit) in zip("ABCDEFG", columns, strict=True)
            ),
        ),
    )


def _over_time() -> tuple[Panel, ...]:
    return (
        _line("GPU utilization", _utilization(), "percentunit"),
        _line("GPU power by cluster", _by_vendor("gpu_power_watts"), "watt"),
        _line("GPUs by cluster", _by_vendor("gpu_count")),
        _line("Nodes down", _of("nodes_down")),
        _line("CPU utilization", _of("cpu_utilization_ratio"), "percentunit"),
        lines(
            "Alerts that fire",
            [(f"max by (cluster, severity) (cluster:alerts_firing{{{IN_CLUSTER}}})", "{{cluster}} {{severity}}")],
            "As each cluster counts its own.",
            empty=NONE_FOUND,
        ),
    )


def _line(title: str, expr: str, unit: Unit = "short") -> Panel:
    return lines(title, [(expr, "{{cluster}}")], "Of each chosen cluster.", unit)
