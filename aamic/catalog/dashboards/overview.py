"""The whole cluster at one look: what is up, what is hot, what fires, and what needs a person first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from aamic.catalog.dashboards.asking import (
    CODE_ALERTS,
    NODE_LEGEND,
    alive,
    among,
    equals,
    fatal,
    heat_of,
    increased,
    miscounted,
    or_none,
    own,
    per_cluster,
    per_gpu,
    per_node,
    recent_codes,
    series,
    titled,
)
from aamic.catalog.dashboards.choices import CLUSTERS, IN_CLUSTER, cluster
from aamic.catalog.dashboards.drawing import NONE_FOUND, SOME_CRITICAL, SOME_WARNING, lines, stat, top
from aamic.catalog.dashboards.ground import Ground
from aamic.model.dashboard import AlertBound, Bound, Column, Dashboard, Panel, Query, Row, Severity, Unit

_LISTED: Final = 1000
"""More nodes are not listed for one reason: nobody would look for one among them."""
_LETTERS: Final = "ABCDEFGH"
_FIRING: Final = (
    "What fires now. In Grafana silenced alerts are there too, and of two servers of a pair those of the first alone."
)
_BY_CLUSTER: Final = "{{cluster}}"
_BY_VENDOR: Final = "{{cluster}} {{vendor}}"


def build(ground: Ground) -> Dashboard:
    """The first page that people open."""
    return Dashboard(
        uid="aamic-overview",
        title="Cluster at one look",
        about="What is up, what is hot, what fires, and what needs a person first.",
        variables=(cluster(ground, CLUSTERS.metric),),
        rows=(
            Row("What needs a person first", (*_counts(ground), *_lists(ground))),
            Row("GPUs", tuple(_gpus(ground))),
            Row("GPU errors and throttling", tuple(_trouble(ground)) if ground.gpus else ()),
            Row("Hosts", tuple(_hosts())),
            Row("Network", tuple(_network())),
        ),
        others=("aamic-racks", "aamic-node", "aamic-gpu", "aamic-slurm", "aamic-federation", "aamic-clusters"),
    )


def _counts(ground: Ground) -> Iterator[Panel]:
    for title, severity, bounds in (
        ("Critical alerts", "critical", SOME_CRITICAL),
        ("Warnings", "warning", SOME_WARNING),
    ):
        firing = per_cluster(series("cluster:alerts_firing", IN_CLUSTER, equals("severity", severity)))
        about = f"Alerts of severity {severity} that fire now. Those of a shard that is down cannot fire."
        yield stat(title, or_none(ground, f"sum({firing})"), about, bounds=bounds)
    yield stat(
        "Nodes down",
        f"sum({per_cluster(series('cluster:nodes_down', IN_CLUSTER))})",
        "Nodes of which no exporter answers. The racks show which: look for power and network that they share.",
        wanted=(AlertBound("NodeDown"),),
        link="aamic-racks",
    )
    yield _unknown(ground)
    if ground.gpus:
        yield _missing(ground)
        yield stat(
            "GPUs unhealthy",
            f"sum({per_cluster(series('cluster:gpu_unhealthy', IN_CLUSTER), 'vendor')})",
            "GPUs that the exporter of their vendor calls unhealthy.",
            wanted=(AlertBound("GpuUnhealthy"),),
            link="aamic-gpu",
        )
    if ground.has("slurm"):
        failing = per_cluster(series("cluster:node_verdicts", IN_CLUSTER, equals("verdict", "fail")))
        yield stat(
            "Nodes that fail their check",
            f"sum({failing})",
            "Nodes that their own check finds broken. `aamic slurm nodes` says why, and whether they are drained.",
            wanted=(AlertBound("NodeVerdictFailing"),),
            link="aamic-slurm",
        )
    if ground.has("federation"):
        silent = f"count({per_cluster(series('up', IN_CLUSTER, equals('job', 'federate')), 'shard')} == 0)"
        yield stat(
            "Shards down",
            or_none(ground, silent),
            "Shards of which no server answers central: their nodes are not watched, and none of their alerts fires.",
            bounds=(Bound(1, "critical", "ShardDown"),),
            link="aamic-federation",
        )


def _unknown(ground: Ground) -> Panel:
    known = " + ".join(f"max({series(name, *own(ground))})" for name in ("cluster:nodes_up", "cluster:nodes_down"))
    return stat(
        "Nodes unknown",
        f"clamp_min({ground.nodes} - ({known}), 0)",
        "Nodes of the site of which nothing is known, neither up nor down: their shard is down, or does not scrape "
        "them yet, or central does not read it.",
        bounds=SOME_WARNING,
        link="aamic-federation",
    )


def _missing(ground: Ground) -> Panel:
    counted = (
        (vendor, count, series("cluster:gpu_count", *own(ground), equals("vendor", vendor)))
        for vendor, count in ground.gpus
    )
    missing = (f"clamp_min({count} - (max({found}) or 0 * {alive(ground)}), 0)" for _, count, found in counted)
    return stat(
        "GPUs missing",
        " + ".join(missing),
        "GPUs of the inventory that no exporter reports: lost ones, and those of nodes and exporters that are down.",
        bounds=SOME_CRITICAL,
        link="aamic-racks",
    )


def _lists(ground: Ground) -> Iterator[Panel]:
    reasons = tuple(_reasons(ground))
    yield Panel(
        "Nodes to look at first",
        "table",
        tuple(Query(f"topk({_LISTED}, {expr})", title, instant=True) for title, expr, _ in reasons),
        f"Nodes with any of these, {_LISTED:,} for each at most; an empty cell means that it was not found. A node of "
        "which nothing is known is not here: see the number of unknown ones.",
        width=14 if ground.has("alertmanager") else 24,
        height=9,
        columns=(
            Column("node", "Node", link="aamic-node", variable="node"),
            Column("rack", "Rack", link="aamic-racks", variable="rack"),
            *(
                Column(f"Value #{letter}", title, bounds=(Bound(1, severity, alert),))
                for letter, (title, _, (severity, alert)) in zip(_LETTERS, reasons, strict=False)
            ),
        ),
        empty="none was found",
    )
    if ground.has("alertmanager"):
        yield Panel("Alerts that fire", "alerts", (), _FIRING, width=10, height=9)


def _reasons(ground: Ground) -> Iterator[tuple[str, str, tuple[Severity, str]]]:
    """Why a node is to be looked at, in the order of how bad it is, and the alert about it."""
    yield "Down", f"{per_node(series('node:down', IN_CLUSTER))} == 1", ("critical", "NodeDown")
    if ground.gpus:
        codes = f"{per_gpu(fatal(ground, IN_CLUSTER), 'code')} > 0"
        yield "Fatal GPU errors, 1 h", f"count by (cluster, rack, node) ({codes})", ("critical", "GpuFatalError")
        wrong = f"group by (cluster, rack, node) ({miscounted(ground, IN_CLUSTER)})"
        yield "GPU count wrong", wrong, ("critical", "GpuCountMismatch")
        unhealthy = f"sum by (cluster, rack, node) ({per_gpu(series('gpu:unhealthy', IN_CLUSTER))}) > 0"
        yield "Unhealthy GPUs", unhealthy, ("critical", "GpuUnhealthy")
    if ground.has("slurm"):
        yield (
            "Check fails",
            f"{per_node(series('node:aamic_node_verdict', IN_CLUSTER, equals('verdict', 'fail')))} == 1",
            ("critical", "NodeVerdictFailing"),
        )
    drifted = f"{per_node(series('node:aamic_drifted_files:count', IN_CLUSTER))} > 0"
    yield "Changed files", drifted, ("warning", "ManagedFilesDrifted")


def _gpus(ground: Ground) -> Iterator[Panel]:
    yield _by_vendor("GPUs that report", "gpu_count", "GPUs of which an exporter reports any sensor.", "short")
    yield _by_vendor("GPU utilization", "gpu_utilization_ratio", "Mean of all GPUs that report.", "percentunit")
    yield _by_vendor("GPU power", "gpu_power_watts", "All GPUs that report together.", "watt")
    used, total = (
        per_cluster(series(f"cluster:gpu_memory_{each}_bytes", IN_CLUSTER), "vendor") for each in ("used", "total")
    )
    about = "Share of the memory of all GPUs that report."
    yield lines("GPU memory in use", [(f"{used} / {total}", _BY_VENDOR)], about, "percentunit", width=6)
    for vendor in ground.vendors:
        yield from _heat(vendor, ground)


def _by_vendor(title: str, name: str, about: str, unit: Unit) -> Panel:
    expr = per_cluster(series(f"cluster:{name}", IN_CLUSTER), "vendor")
    return lines(title, [(expr, _BY_VENDOR)], about, unit, width=6)


def _heat(vendor: str, ground: Ground) -> Iterator[Panel]:
    width = 12 if len(ground.vendors) == 1 else 6
    hottest = per_cluster(series("cluster:gpu_temperature_celsius", IN_CLUSTER, equals("vendor", vendor)), "vendor")
    yield lines(
        titled("Hottest GPU", vendor, ground),
        [(hottest, _BY_CLUSTER)],
        "The hottest of all GPUs that report.",
        "celsius",
        wanted=heat_of(vendor),
        width=width,
    )
    yield top(
        titled("The hottest GPUs", vendor, ground),
        per_gpu(series("gpu:temperature_celsius", IN_CLUSTER, equals("vendor", vendor))),
        "Several of one rack point at its cooling, one alone at itself.",
        "celsius",
        wanted=heat_of(vendor),
        width=width,
    )


def _trouble(ground: Ground) -> Iterator[Panel]:
    broken = f"count by (cluster, node) ({per_gpu(fatal(ground, IN_CLUSTER), 'code')} > 0)"
    counted = stat(
        "Nodes with fatal GPU errors, 1 h",
        or_none(ground, f"count({broken})"),
        "Nodes of which a GPU showed a code that takes it out of service, within the last hour.",
        bounds=(Bound(1, "critical", "GpuFatalError"),),
        link="aamic-gpu",
        width=6,
    )
    yield replace(counted, height=8)
    codes = f"count by (cluster, vendor, code) ({per_gpu(recent_codes(IN_CLUSTER), 'code')})"
    yield Panel(
        "GPUs by error code, 1 h",
        "table",
        (Query(codes, "GPUs", instant=True),),
        "How many GPUs showed a code within the last hour; `aamic VENDOR explain CODE` says what it means.",
        width=6,
        columns=(Column("vendor", "Vendor"), Column("code", "Code"), Column("Value #A", "GPUs")),
        alerts=CODE_ALERTS,
        empty="no code came up, or none is known",
    )
    heat = per_gpu(series("gpu:throttle_ratio", IN_CLUSTER, among("reason", ["thermal", "memory_thermal"])))
    yield top(
        "GPUs that heat slows down",
        f"{heat} > 0",
        "Share of the time in which its temperature lowered a GPU's clock.",
        "percentunit",
        wanted=(AlertBound("GpuThrottledByHeat"),),
        width=6,
        empty=NONE_FOUND,
    )
    yield top(
        "Uncorrected memory errors, 1 h",
        f"{per_gpu(increased('gpu:ecc_uncorrected_total', '1h', IN_CLUSTER))} > 0",
        "Errors of GPU memory that nothing corrected: the work that ran there cannot be trusted.",
        wanted=(AlertBound("GpuEccUncorrected"),),
        width=6,
        empty=NONE_FOUND,
    )


def _hosts() -> Iterator[Panel]:
    nodes = [(per_cluster(series(f"cluster:nodes_{each}", IN_CLUSTER)), f"{_BY_CLUSTER} {each}") for each in _STATES]
    yield lines("Nodes", nodes, "Nodes of which an exporter answers, and of which none does.", width=6)
    busy = [
        (per_cluster(series(f"cluster:{each}_utilization_ratio", IN_CLUSTER)), f"{_BY_CLUSTER} {each}")
        for each in ("cpu", "memory")
    ]
    yield lines("CPU and memory", busy, "Mean of all nodes.", "percentunit", width=6)
    for title, name, bound in (
        ("Fullest memory", "memory", AlertBound("NodeMemoryPressure")),
        ("Fullest file systems", "filesystem", AlertBound("NodeFilesystemFull", rest=True)),
    ):
        expr = per_node(series(f"node:{name}_utilization_ratio", IN_CLUSTER))
        about = "Share in use, of the nodes where it is the highest."
        yield top(title, expr, about, "percentunit", wanted=(bound,), width=6, legend=NODE_LEGEND)


_STATES: Final = ("up", "down")
_WAYS: Final = (("receive", "received"), ("transmit", "sent"))


def _network() -> Iterator[Panel]:
    for title, name in (("Network", "network"), ("InfiniBand", "infiniband")):
        queries = [
            (f"sum by (cluster) ({per_node(series(f'node:{name}_{way}_bytes_per_second', IN_CLUSTER))})", said)
            for way, said in _WAYS
        ]
        told = [(expr, f"{_BY_CLUSTER} {said}") for expr, said in queries]
        yield lines(title, told, "All nodes together.", "Bps")
