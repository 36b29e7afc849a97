"""aamic itself: whether hosts are as they were applied, what was applied when, and the alerts of the monitoring."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from aamic.catalog.artifacts.rules import presets
from aamic.catalog.dashboards.choices import IN_CLUSTER, IN_RACK, RACK, cluster
from aamic.catalog.dashboards.drawing import NONE_FOUND, UNKNOWN, stat
from aamic.catalog.dashboards.ground import Ground
from aamic.model.dashboard import Bound, Column, Dashboard, Panel, Query, Row

_NODE: Final = "cluster, node, rack"
_FILES: Final = f"max by ({_NODE}) (node:aamic_drifted_files:count{{{IN_RACK}}})"
_PENDING: Final = f"max by ({_NODE}) (node:aamic_apply_pending{{{IN_RACK}}})"
_APPLIED: Final = f"max by ({_NODE}) (node:aamic_applied_timestamp_seconds{{{IN_RACK}}})"
_ANSWERS: Final = f'max by ({_NODE}) (up{{job="node",{IN_RACK}}} == 1)'
_UNCHECKED: Final = f"{_ANSWERS} unless on (cluster, node) {_FILES}"
_DRIFTED: Final = (Bound(1, "warning", "ManagedFilesDrifted"),)
_DOWN_ALERTS: Final = ("ExporterDown", "NodeExporterDown", "GpuExporterDown", "SlurmExporterDown", "AlertmanagerDown")
_SHOWN: Final = 100
"""Rows of a table: with more of them nobody looks for one."""


def build(ground: Ground) -> Dashboard:
    """The page of aamic itself."""
    return Dashboard(
        uid="aamic-self",
        title="aamic itself",
        about="Files that are not as they were applied, releases and when hosts got them, alerts of the monitoring.",
        variables=(cluster(ground), RACK),
        rows=(
            Row("Files", _files()),
            Row("Applies", _applies()),
            Row("Alerts of the monitoring", _alerts(ground)),
            Row("Exporters", _exporters()),
        ),
        others=("aamic-overview", "aamic-federation", "aamic-node"),
    )


def _stat(title: str, expr: str, about: str, *bounds: Bound) -> Panel:
    return stat(title, [Query(expr, "{{cluster}}", instant=True)], about, bounds=bounds, width=6)


def _files() -> tuple[Panel, ...]:
    return (
        _stat("Nodes as they were applied", f"sum by (cluster) ({_FILES} == bool 0)", "By a check of the last hour."),
        _stat(
            "Nodes with drift",
            f"sum by (cluster) ({_FILES} > bool 0)",
            "Files that aamic manages there were changed, removed or given other permissions.",
            *_DRIFTED,
        ),
        _stat(
            "Nodes that are not checked",
            f"count by (cluster) ({_UNCHECKED}) or count by (cluster) ({_ANSWERS}) * 0",
            "They answer, and no check of the last hour succeeded.",
            Bound(1, "warning", "ManagedFilesUnchecked"),
        ),
        _stat(
            "Changes not confirmed",
            f"sum by (cluster) ({_PENDING})",
            "Nodes on which an apply is under way, or neither confirmed nor undone.",
            Bound(1, "warning", "ApplyUnconfirmed"),
        ),
        _nodes("Drifted files", f"{_FILES} > 0", Column("Value #A", "Files", bounds=_DRIFTED), NONE_FOUND),
        replace(
            _nodes("Not checked", f"topk({_SHOWN}, {_UNCHECKED})", None, NONE_FOUND),
            about=f"{_SHOWN} of them at most; above is how many there are.",
        ),
        Panel(
            "Drifted files over time",
            "timeseries",
            (Query(f"sum by (cluster) ({_FILES})", "{{cluster}}"),),
            "Of all chosen nodes together.",
            width=24,
            least=0,
        ),
    )


def _nodes(title: str, expr: str, value: Column | None, empty: str) -> Panel:
    return Panel(
        title,
        "table",
        (Query(expr, instant=True),),
        columns=(
            Column("node", "Node", link="aamic-node", variable="node"),
            Column("rack", "Rack", link="aamic-racks", variable="rack"),
            *((value,) if value else ()),
        ),
        empty=empty,
    )


def _applies() -> tuple[Panel, ...]:
    release = f"sum by (release) (max by (cluster, shard, release) (shard:aamic_releases{{{IN_CLUSTER}}}))"
    ago = Column("Value #A", "Applied", "dateTimeFromNow")
    return (
        Panel(
            "Last apply",
            "stat",
            (Query(f"max by (cluster) ({_APPLIED}) * 1000", "{{cluster}}", instant=True),),
            "When a chosen host last got a release.",
            unit="dateTimeFromNow",
            width=6,
            height=4,
            empty="unknown",
        ),
        Panel(
            "Nodes by release",
            "bars",
            (Query(f"topk({_SHOWN // 4}, {release})", "{{release}}", instant=True),),
            "Named by its time and the revision of the site. Hosts on which nothing changed keep an older one.",
            width=18,
        ),
        _nodes("Changed last", f"topk({_SHOWN}, {_APPLIED} * 1000)", ago, UNKNOWN),
        _nodes("Unchanged for longest", f"bottomk({_SHOWN}, {_APPLIED} * 1000)", ago, UNKNOWN),
        _nodes("Neither confirmed nor undone", f"{_PENDING} == 1", None, NONE_FOUND),
    )


def _alerts(ground: Ground) -> tuple[Panel, ...]:
    names = "|".join(presets.alert_names("aamic", "federation", "clusters"))
    shards = f'max by (cluster, shard, alertname, severity) (shard:alerts_firing{{{IN_CLUSTER},alertname=~"{names}"}})'
    fires = f'ALERTS{{alertstate="firing",shard="",alertname=~"{names}"}}'
    counted = Query(f"count by (alertname, severity) ({fires})", instant=True)
    central = (counted,) if ground.has("federation") else ()
    return (
        Panel(
            "Alerts of the monitoring that fire",
            "table",
            (Query(f"sum by (alertname, severity) ({shards})", instant=True), *central),
            "Those of the presets `aamic`, `federation` and `clusters`; on central whatever cluster is chosen.",
            columns=(
                Column("alertname", "Alert"),
                Column("severity", "Severity"),
                Column("Value #A", "On shards" if central else "Firing"),
                *([Column("Value #B", "On central")] if central else []),
            ),
            empty=NONE_FOUND,
        ),
        Panel(
            "All alerts by severity",
            "timeseries",
            (
                Query(
                    f"sum by (severity) (max by (cluster, severity) (cluster:alerts_firing{{{IN_CLUSTER}}}))",
                    "{{severity}}",
                ),
            ),
            "As the servers see them; silences do not count.",
            stacked=True,
        ),
    )


def _exporters() -> tuple[Panel, ...]:
    up, down = (
        f"sum by (job) (max by (cluster, job) (cluster:targets_{state}{{{IN_CLUSTER}}}))" for state in ("up", "down")
    )
    return (
        Panel("Targets that answer", "timeseries", (Query(up, "{{job}}"),), "By exporter.", least=0),
        Panel(
            "Targets that do not answer",
            "timeseries",
            (Query(down, "{{job}}"),),
            "By exporter.",
            least=0,
            alerts=_DOWN_ALERTS,
        ),
    )
