"""One node, or a few beside each other: its GPUs, its host, and what its own check says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from aamic.catalog.dashboards.asking import (
    CHECK_ALERTS,
    CODE_ALERTS,
    GPU_LEGEND,
    NODE_LEGEND,
    equals,
    heat_of,
    per_gpu,
    per_node,
    recent_codes,
    series,
    titled,
)
from aamic.catalog.dashboards.choices import ON_NODE, ONE_NODE, RACK, cluster
from aamic.catalog.dashboards.drawing import UNKNOWN, lines, stat
from aamic.catalog.dashboards.ground import Ground
from aamic.catalog.dashboards.racks import STATES, VERDICTS, verdicts
from aamic.model.dashboard import AlertBound, Column, Dashboard, Panel, Query, Row, Unit

_NO_LIMIT: Final[tuple[AlertBound, ...]] = ()
_GPUS: Final[tuple[tuple[str, str, str, Unit], ...]] = (
    ("Utilization", "gpu:utilization_ratio", "Share of time in which each GPU was busy.", "percentunit"),
    ("Power", "gpu:power_watts", "Power draw of each GPU.", "watt"),
    ("Clock", "gpu:sm_clock_hertz", "Clock of the compute units.", "hertz"),
)
_HOST: Final[tuple[tuple[str, str, str, Unit, tuple[AlertBound, ...]], ...]] = (
    ("CPU", "node:cpu_utilization_ratio", "Share of CPU time that was not idle.", "percentunit", _NO_LIMIT),
    ("Load of each CPU", "node:load1_per_cpu", "Above 1, programs wait for a CPU or a disk.", "short", _NO_LIMIT),
    (
        "Memory",
        "node:memory_utilization_ratio",
        "Share of memory that no program could get.",
        "percentunit",
        (AlertBound("NodeMemoryPressure"),),
    ),
    (
        "Fullest file system",
        "node:filesystem_utilization_ratio",
        "Share in use of the fullest file system on a disk.",
        "percentunit",
        (AlertBound("NodeFilesystemFull", rest=True),),
    ),
    (
        "Busiest disk",
        "node:disk_utilization_ratio",
        "Share of time in which the busiest disk was busy.",
        "percentunit",
        _NO_LIMIT,
    ),
)
_ALERTS: Final = {
    "Memory": ("NodeOomKill",),
    "Fullest file system": (
        "NodeFilesystemFilling",
        "NodeFilesystemInodesLow",
        "NodeFilesystemReadOnly",
        "NodeFilesystemUnreadable",
    ),
    "Network": ("NodeNetworkErrors", "NodeBondDegraded", "NodeConntrackFull"),
    "InfiniBand": ("NodeInfinibandLinkDown", "NodeInfinibandLinkFlapping", "NodeInfinibandSymbolErrors"),
}
"""Alerts about what a panel shows that compare something else with a number."""
_TRAFFIC: Final = (
    ("Disks", ("disk_read", "read"), ("disk_written", "written")),
    ("Network", ("network_receive", "received"), ("network_transmit", "sent")),
    ("InfiniBand", ("infiniband_receive", "received"), ("infiniband_transmit", "sent")),
)


def build(ground: Ground) -> Dashboard:
    """The page to which every name of a node leads."""
    return Dashboard(
        uid="aamic-node",
        title="Nodes",
        about="The chosen nodes, beside each other where there are several.",
        variables=(cluster(ground), RACK, ONE_NODE),
        rows=(
            Row("Now", tuple(_now(ground))),
            Row("GPUs", tuple(_gpus(ground))),
            Row("Host", tuple(_host())),
        ),
        others=("aamic-overview", "aamic-racks", "aamic-gpu", "aamic-slurm"),
    )


def _now(ground: Ground) -> Iterator[Panel]:
    """What is the matter, in numbers; one for each node."""
    down = Query(per_node(series("node:down", ON_NODE)), NODE_LEGEND, instant=True)
    about = (
        "Down: none of several exporters answers. One that has a single exporter counts as up: see below what it sends."
    )
    yield stat("Answers", [down], about, wanted=(AlertBound("NodeDown"),), mappings=STATES)
    drifted = Query(per_node(series("node:aamic_drifted_files:count", ON_NODE)), NODE_LEGEND, instant=True)
    about = "Files that are not those that were applied: `aamic plan` shows which. Unknown: no check for an hour."
    yield stat("Changed files", [drifted], about, wanted=(AlertBound("ManagedFilesDrifted"),))
    pending = Query(per_node(series("node:aamic_apply_pending", ON_NODE)), NODE_LEGEND, instant=True)
    about = "1 while a change by aamic is under way, or neither confirmed nor undone."
    yield stat("Change under way", [pending], about, wanted=(AlertBound("ApplyUnconfirmed"),))
    if ground.gpus:
        counted = Query(per_node(series("node:gpu_count", ON_NODE)), NODE_LEGEND, instant=True)
        yield stat("GPUs that report", [counted], "GPUs of which the exporter reports any sensor.", link="aamic-gpu")
    if ground.has("slurm"):
        yield from _check()


def _check() -> Iterator[Panel]:
    verdict = Query(verdicts(ON_NODE), NODE_LEGEND, instant=True)
    about = "What the node's own check thinks of it. Unknown: no check within a quarter of an hour."
    yield stat("Verdict of the node check", [verdict], about, mappings=VERDICTS, alerts=CHECK_ALERTS)
    refused = per_node(series("node:aamic_node_refused_timestamp_seconds", ON_NODE))
    yield stat(
        "Last refused a job",
        [Query(f"1000 * {refused} > 0", NODE_LEGEND, instant=True)],
        "When its prolog last refused a job since it started.",
        unit="dateTimeFromNow",
        empty="never, or unknown",
    )
    failing = per_node(series("node:aamic_failing_signal", ON_NODE), "signal", "gpu")
    yield Panel(
        "What the node check finds",
        "table",
        (Query(failing, "Failing", instant=True),),
        "Each thing that is wrong, or that the check could not find out. `cat /run/aamic/verdict` says it in words.",
        width=6,
        height=4,
        columns=(Column("node", "Node"), Column("signal", "Signal"), Column("gpu", "GPU")),
        empty="nothing, or no recent check",
    )


def _gpus(ground: Ground) -> Iterator[Panel]:
    for vendor in ground.vendors:
        expr = per_gpu(series("gpu:temperature_celsius", ON_NODE, equals("vendor", vendor)))
        title, about = titled("Temperature", vendor, ground), "One hot GPU is its own matter, all of them the node's."
        none = f"no {vendor} GPU here, or unknown"
        yield _each(title, expr, about, "celsius", wanted=heat_of(vendor), empty=none)
    if not ground.gpus:
        return
    for title, name, about, unit in _GPUS:
        yield _each(title, per_gpu(series(name, ON_NODE)), about, unit)
    used, total = (per_gpu(series(f"gpu:memory_{each}_bytes", ON_NODE)) for each in ("used", "total"))
    yield _each("GPU memory in use", f"{used} / {total}", "Share of each GPU's memory.", "percentunit")
    codes = per_gpu(recent_codes(ON_NODE), "code")
    about = "Error codes within the hour before, by code; a line ends when its code is an hour old."
    legend = f"{GPU_LEGEND}: {{{{code}}}}"
    none = "no code came up, or none is known"
    yield lines("GPU error codes", [(codes, legend)], about, width=8, empty=none, alerts=CODE_ALERTS)


def _each(  # noqa: PLR0913  # a panel's own
    title: str, expr: str, about: str, unit: Unit, *, wanted: tuple[AlertBound, ...] = (), empty: str = UNKNOWN
) -> Panel:
    """A line for each GPU, which leads to its page."""
    panel = lines(title, [(expr, GPU_LEGEND)], about, unit, wanted=wanted, width=8, empty=empty)
    return replace(panel, link="aamic-gpu", link_label="gpu")


def _host() -> Iterator[Panel]:
    for title, name, about, unit, wanted in _HOST:
        expr = per_node(series(name, ON_NODE))
        yield lines(title, [(expr, NODE_LEGEND)], about, unit, wanted=wanted, width=8, alerts=_ALERTS.get(title, ()))
    for title, *ways in _TRAFFIC:
        queries = [
            (per_node(series(f"node:{name}_bytes_per_second", ON_NODE)), f"{NODE_LEGEND} {said}") for name, said in ways
        ]
        about = "All devices of the node together."
        yield lines(title, queries, about, "Bps", width=8, alerts=_ALERTS.get(title, ()))
