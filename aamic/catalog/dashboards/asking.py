"""PromQL that pages share. The servers of a pair give a series twice, so `max by` takes one of them before all else."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from aamic.catalog.artifacts.rules.terms import of_vendors
from aamic.catalog.dashboards.choices import IN_CLUSTER
from aamic.catalog.dashboards.ground import Ground
from aamic.model.dashboard import AlertBound

GPU_LABELS: Final = "cluster, rack, node, vendor, gpu, gpu_uuid"
NODE_LABELS: Final = "cluster, rack, node"
GPU_LEGEND: Final = "{{node}} GPU {{gpu}}"
NODE_LEGEND: Final = "{{node}}"


def series(name: str, *matchers: str) -> str:
    """A selector.

    >>> series("node:down", IN_CLUSTER, 'rack="r01"')
    'node:down{cluster=~"$cluster",rack="r01"}'
    """
    return f"{name}{{{','.join(matchers)}}}"


def equals(label: str, value: str) -> str:
    """A matcher of one value."""
    return f"{label}={quoted(value)}"


def among(label: str, values: Iterable[str]) -> str:
    """A matcher of several values, none of which has a meaning in regular expressions."""
    return f"{label}=~{quoted('|'.join(values))}"


def quoted(text: str) -> str:
    """A name as a string of PromQL."""
    return json.dumps(text, ensure_ascii=False)


def per_gpu(expr: str, *more: str) -> str:
    """One value for each GPU, and each value of further labels.

    >>> per_gpu("gpu:power_watts")
    'max by (cluster, rack, node, vendor, gpu, gpu_uuid) (gpu:power_watts)'
    """
    return f"max by ({', '.join((GPU_LABELS, *more))}) ({expr})"


def per_node(expr: str, *more: str) -> str:
    """One value for each node, and each value of further labels."""
    return f"max by ({', '.join((NODE_LABELS, *more))}) ({expr})"


def per_cluster(expr: str, *more: str) -> str:
    """One value for each cluster, and each value of further labels."""
    return f"max by ({', '.join(('cluster', *more))}) ({expr})"


def increased(name: str, span: str, *matchers: str) -> str:
    """By how much a counter grew within a span."""
    return f"increase({series(name, *matchers)}[{span}])"


def recent_codes(*matchers: str) -> str:
    """Error codes that came up within the last hour."""
    return f"max_over_time({series('gpu:errors_recent', *matchers)}[1h])"


def or_none(ground: Ground, expr: str) -> str:
    """A count of what may be absent: 0 where nothing is, as long as this cluster gives aggregates at all.

    Nothing is left where it does not, as unknown is not 0.
    """
    return f"{expr} or 0 * {alive(ground)}"


def alive(ground: Ground) -> str:
    """The number of nodes that answer in the site's own cluster, without labels: there while its rules run."""
    return f"max({series('cluster:nodes_up', *own(ground))})"


def own(ground: Ground) -> tuple[str, ...]:
    """Matchers of the site's own cluster, where it is chosen."""
    return equals("cluster", ground.cluster), IN_CLUSTER


def fatal(ground: Ground, *matchers: str) -> str:
    """Error codes of the last hour that take a GPU out of service, as the alert about them has it."""
    asked = []
    for terms in of_vendors():
        for label, term in (("code", "fatal"), ("error_severity", "severe")):
            if terms["vendor"] in ground.vendors and term in terms:
                asked.append(recent_codes(*matchers, equals("vendor", terms["vendor"]), among(label, [terms[term]])))
    return " or ".join(asked)


def miscounted(ground: Ground, *matchers: str) -> str:
    """1 for each node whose exporter answers and reports another number of GPUs than the inventory has."""
    asked = series("up", *matchers, among("job", ground.gpu_jobs), 'gpu_count!=""')
    counted = f"max by (cluster, node) ({series('node:gpu_count', *matchers)})"
    return (
        f"{per_node(asked, 'gpu_count')} == 1 unless on (cluster, node, gpu_count) "
        f'count_values by (cluster, node) ("gpu_count", {counted})'
    )


NO_RACK: Final = "no rack"
CODE_ALERTS: Final = ("GpuFatalError", "GpuError", "GpuApplicationError")
"""The alerts about error codes: which of them, the vendor's table says."""
CHECK_ALERTS: Final = ("NodeVerdictFailing", "NodeVerdictUnknown")


def racked(expr: str) -> str:
    """Values by rack, with a word for none: Grafana's tables would add what has no such label to every rack.

    >>> racked("up")
    'label_replace(up, "rack", "no rack", "rack", "")'
    """
    return f'label_replace({expr}, "rack", {quoted(NO_RACK)}, "rack", "")'


def heat_of(vendor: str) -> tuple[AlertBound, ...]:
    """The bounds of the temperature of a vendor's GPUs."""
    return tuple(AlertBound(name, (("vendor", vendor),)) for name in ("GpuHot", "GpuTooHot"))


def titled(title: str, vendor: str, ground: Ground) -> str:
    """A title of what is there for each vendor: it names the vendor where there is more than one."""
    return f"{title}: {vendor}" if len(ground.vendors) > 1 else title
