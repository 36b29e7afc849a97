"""GPUs of chosen nodes in detail, each beside its peers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from aamic.catalog.dashboards.asking import (
    CODE_ALERTS,
    GPU_LEGEND,
    among,
    equals,
    heat_of,
    increased,
    per_gpu,
    recent_codes,
    series,
    titled,
)
from aamic.catalog.dashboards.choices import GPU, OF_GPU, OF_VENDOR, ONE_NODE, RACK, VENDOR, cluster
from aamic.catalog.dashboards.drawing import NONE_FOUND, lines, stat
from aamic.catalog.dashboards.ground import Ground
from aamic.model.dashboard import AlertBound, Column, Dashboard, Panel, Query, Row, Unit

PEERS: Final = "cluster, node, vendor"
"""GPUs that have these alike are peers."""
_WORK: Final[tuple[tuple[str, str, str, Unit], ...]] = (
    ("Utilization", "gpu:utilization_ratio", "Share of time in which it was busy.", "percentunit"),
    ("Matrix units", "gpu:tensor_active_ratio", "Share of cycles in which they were active.", "percentunit"),
    ("Memory activity", "gpu:memory_activity_ratio", "Share of time in which memory was accessed.", "percentunit"),
    ("Power", "gpu:power_watts", "Power draw.", "watt"),
    ("Clock", "gpu:sm_clock_hertz", "Clock of the compute units.", "hertz"),
)
_COMPARED: Final[tuple[tuple[str, str, str, Unit], ...]] = (
    (
        "Hotter than the mean of the node",
        "gpu:temperature_celsius",
        "Degrees above its peers: dust, paste, a fan, or a place behind others in the air.",
        "celsius",
    ),
    (
        "Power above the mean of the node",
        "gpu:power_watts",
        "Far below while its peers work: it waits, or is held back.",
        "watt",
    ),
    (
        "Busier than the mean of the node",
        "gpu:utilization_ratio",
        "Far below: the others wait for it, or it has no work.",
        "percentunit",
    ),
)
_MEMORY: Final = (
    (
        "Corrected, 1 h",
        "gpu:ecc_corrected_total",
        "1h",
        "GpuEccCorrected",
        "Many point at memory that is about to fail.",
    ),
    ("Uncorrected, 1 h", "gpu:ecc_uncorrected_total", "1h", "GpuEccUncorrected", "What ran there cannot be trusted."),
    ("Deferred, 1 h", "gpu:ecc_deferred_total", "1h", "GpuEccDeferred", "Found, and not yet read by any program."),
)
"""Titles, counters, spans and alerts of them, and what they mean."""
_REASONS: Final = (
    ("By heat", ("thermal", "memory_thermal"), "GpuThrottledByHeat", "Share of time in which heat lowered its clock."),
    ("By the power limit", ("power",), "GpuThrottledByPower", "Share of time at its power limit; normal at full load."),
)
_KINDS: Final = (
    ("GpuFabricErrors", "Errors of links between GPUs, 1 h", ("crc_flit", "crc_data", "replay", "corrected")),
    ("GpuFabricFailing", "Failures of links between GPUs, 1 h", ("recovery", "uncorrected")),
)


def build(ground: Ground) -> Dashboard:
    """The page for one GPU that is suspected."""
    return Dashboard(
        uid="aamic-gpu",
        title="GPUs",
        about="The GPUs of the chosen nodes in detail. One that differs from its peers on the same node is suspicious.",
        variables=(cluster(ground), RACK, ONE_NODE, VENDOR, GPU),
        rows=(
            Row("Health", tuple(_health())),
            Row("Temperature", tuple(_heat(ground))),
            Row("Work", tuple(_work())),
            Row("Beside its peers", tuple(_peers())),
            Row("Memory errors", tuple(_memory())),
            Row("Links", tuple(_links(ground))),
            Row("Throttling", tuple(_throttling())),
        )
        if ground.gpus
        else (),
        others=("aamic-overview", "aamic-racks", "aamic-node"),
    )


def _health() -> Iterator[Panel]:
    codes = per_gpu(recent_codes(OF_GPU), "code")
    for title, name, alert, about in (
        ("Unhealthy", "gpu:unhealthy", "GpuUnhealthy", "GPUs that the exporter of their vendor calls unhealthy."),
        ("Doubtful", "gpu:health_warning", "GpuHealthWarning", "GPUs of which a health watch warns."),
        ("No spare rows", "gpu:row_remap_failure", "GpuRowRemapFailure", "GPUs that have to be exchanged."),
        ("Need a reset", "gpu:row_remap_pending", "GpuRowRemapPending", "GPUs that replace a row at their next reset."),
    ):
        counted = f"sum({per_gpu(series(name, OF_GPU))})"
        yield stat(title, counted, about, wanted=(AlertBound(alert),), width=3)
    yield Panel(
        "Error codes, 1 h",
        "table",
        (Query(f"{codes} > 0", "Seen", instant=True),),
        "Codes that came up within the last hour. Which of them take a node out of service is a matter of the vendor's "
        "table: the alert GpuFatalError fires for those.",
        width=12,
        height=8,
        columns=(
            Column("node", "Node", link="aamic-node", variable="node"),
            Column("gpu", "GPU"),
            Column("vendor", "Vendor"),
            Column("code", "Code"),
        ),
        empty="no code came up, or none is known",
        alerts=CODE_ALERTS,
    )
    events = f"count by (code) ({per_gpu(series('gpu:errors_recent', OF_GPU), 'code')})"
    about = "GPUs that showed a code within five minutes."
    yield lines("GPUs by error code", [(events, "{{code}}")], about, width=12, alerts=CODE_ALERTS)


def _heat(ground: Ground) -> Iterator[Panel]:
    for vendor in ground.vendors:
        expr = per_gpu(series("gpu:temperature_celsius", OF_GPU, equals("vendor", vendor)))
        about = "Colours change where GpuHot and GpuTooHot begin to count."
        title = titled("GPU temperature", vendor, ground)
        none = f"no {vendor} GPU is chosen, or unknown"
        yield lines(title, [(expr, GPU_LEGEND)], about, "celsius", wanted=heat_of(vendor), empty=none)
        expr = per_gpu(series("gpu:memory_temperature_celsius", OF_GPU, equals("vendor", vendor)))
        wanted = (AlertBound("GpuMemoryHot", (("vendor", vendor),)),)
        title = titled("Memory temperature", vendor, ground)
        about = "Colours change where GpuMemoryHot begins to count."
        yield lines(title, [(expr, GPU_LEGEND)], about, "celsius", wanted=wanted, empty=none)


def _work() -> Iterator[Panel]:
    for title, name, about, unit in _WORK:
        yield lines(title, [(per_gpu(series(name, OF_GPU)), GPU_LEGEND)], about, unit, width=8)
    used, total = (per_gpu(series(f"gpu:memory_{each}_bytes", OF_GPU)) for each in ("used", "total"))
    yield lines("Memory in use", [(f"{used} / {total}", GPU_LEGEND)], "Share of its memory.", "percentunit", width=8)
    joules = f"sum by (node) ({per_gpu(increased('gpu:energy_joules_total', '1h', OF_GPU))})"
    yield lines("Energy, 1 h", [(joules, "{{node}}")], "Energy that the GPUs used within an hour.", "joule", width=8)


def _peers() -> Iterator[Panel]:
    clock, fastest = per_gpu(series("gpu:sm_clock_hertz", OF_GPU)), series("gpu:sm_clock_hertz", OF_VENDOR)
    slower = f"1 - {clock} / on ({PEERS}) group_left () max by ({PEERS}) ({fastest})"
    yield lines(
        "Clock below the fastest of the node",
        [(slower, GPU_LEGEND)],
        "0 for the fastest GPU of its node. One busy GPU that stays far below holds back every job that spans it.",
        "percentunit",
        wanted=(AlertBound("GpuSlowerThanPeers", rest=True),),
    )
    for title, name, about, unit in _COMPARED:
        own, mean = per_gpu(series(name, OF_GPU)), f"avg by ({PEERS}) ({per_gpu(series(name, OF_VENDOR))})"
        expr = f"{own} - on ({PEERS}) group_left () {mean}"
        yield replace(lines(title, [(expr, GPU_LEGEND)], about, unit), least=None, most=None)


def _memory() -> Iterator[Panel]:
    for title, name, span, alert, about in _MEMORY:
        expr = per_gpu(increased(name, span, OF_GPU))
        yield lines(title, [(expr, GPU_LEGEND)], about, wanted=(AlertBound(alert),), width=8)
    rows = increased("gpu:remapped_rows_total", "1d", OF_GPU, equals("kind", "uncorrectable"))
    about = "Memory rows that were replaced after errors that nothing corrected."
    yield lines(
        "Rows replaced, 1 d", [(per_gpu(rows), GPU_LEGEND)], about, wanted=(AlertBound("GpuRowsRemapped"),), width=8
    )


def _links(ground: Ground) -> Iterator[Panel]:
    replays = f"rate({series('gpu:pcie_replays_total', OF_GPU)}[{ground.rate}])"
    yield lines(
        "PCIe packets repeated, per second",
        [(per_gpu(replays), GPU_LEGEND)],
        "Look at riser, cable and seating of a GPU that repeats.",
        "ops",
        wanted=(AlertBound("GpuPcieReplays"),),
        width=8,
    )
    for alert, title, kinds in _KINDS:
        expr = per_gpu(increased("gpu:fabric_errors_total", "1h", OF_GPU, among("kind", kinds)), "kind")
        about = f"Errors of the links to other GPUs: {', '.join(kinds)}."
        yield lines(title, [(expr, f"{GPU_LEGEND} {{{{kind}}}}")], about, wanted=(AlertBound(alert),), width=8)


def _throttling() -> Iterator[Panel]:
    for title, reasons, alert, about in _REASONS:
        expr = per_gpu(series("gpu:throttle_ratio", OF_GPU, among("reason", reasons)), "reason")
        legend = f"{GPU_LEGEND} {{{{reason}}}}"
        yield lines(title, [(expr, legend)], about, "percentunit", wanted=(AlertBound(alert),), empty=NONE_FOUND)
