"""Racks: a cell for each node in its rack, and what each rack adds up to.

A site of many nodes has a cell for each rack, and cells of nodes for the racks that a person chose: a browser draws
some hundred cells that can be told apart, and thousands neither well nor soon.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from aamic.catalog.dashboards.asking import CHECK_ALERTS, NO_RACK, equals, heat_of, per_node, racked, series, titled
from aamic.catalog.dashboards.choices import IN_CLUSTER, IN_RACK, ONE_RACK, RACK, cluster
from aamic.catalog.dashboards.drawing import UNKNOWN, cells, lines
from aamic.catalog.dashboards.ground import Ground
from aamic.model.dashboard import AlertBound, Bound, Column, Dashboard, Named, Panel, Query, Row, Unit

STATES: Final = (Named(0, "up", "ok"), Named(1, "down", "critical"))
VERDICTS: Final = (
    Named(0, "ok", "ok"),
    Named(1, "warn", "warning"),
    Named(2, "unknown", "unknown"),
    Named(3, "fail", "critical"),
)
CELLS: Final = 500
"""Our policy: nodes that have a cell each without anything being chosen."""
SOME_DOWN: Final = (Bound(0.001, "warning"), Bound(1, "critical"))
"""A rack of which one node is down, and one that is down as a whole."""
_RACK: Final = "{{rack}}"
_LETTERS: Final = "ABCDEFGHIJ"
_TABLE_BOUNDS: Final = {"Down": (Bound(1, "critical", "NodeDown"),)}


def build(ground: Ground) -> Dashboard:
    """The page on which a hot rack, or one without power, is seen as a block."""
    many = ground.nodes > CELLS
    about = "A cell for each node, rack by rack. A node of which nothing is known has no cell."
    return Dashboard(
        uid="aamic-racks",
        title="Racks",
        about=f"A cell for each rack; those of nodes are for the racks chosen above. {about}" if many else about,
        variables=(cluster(ground), ONE_RACK if many else RACK),
        rows=(
            *([Row("All racks", (*_worst(ground), _table(ground, IN_CLUSTER)))] if many else []),
            Row("Nodes", tuple(_answers(ground))),
            Row("GPUs", tuple(_gpus(ground))),
            Row("Racks", tuple(_history(ground)) if many else (_table(ground, IN_RACK), *_history(ground))),
        ),
        others=("aamic-overview", "aamic-node", "aamic-gpu"),
    )


def verdicts(*matchers: str) -> str:
    """What the check of each node thinks of it, as a number of `VERDICTS`; nothing where no check is recent."""
    ranked = (
        f"{int(each.value)} * ({series('node:aamic_node_verdict', *matchers, equals('verdict', each.text))} == 1)"
        for each in VERDICTS
    )
    return per_node(" or ".join(ranked))


def _worst(ground: Ground) -> Iterator[Panel]:
    """A cell for each rack, of the worst that it holds."""
    down = f"avg by (cluster, rack) ({per_node(series('node:down', IN_CLUSTER))})"
    about = "Share of each rack's nodes that do not answer. All of a rack point at its power or its switch."
    yield cells(
        "Nodes that do not answer", down, about, "percentunit", bounds=SOME_DOWN, of="rack", alerts=("NodeDown",)
    )
    for vendor in ground.vendors:
        yield cells(
            titled("Hottest GPU", vendor, ground),
            f"max by (cluster, rack) ({_of_vendor('node:gpu_temperature_celsius', vendor, ground, IN_CLUSTER)})",
            "The hottest GPU of each rack.",
            "celsius",
            wanted=heat_of(vendor),
            of="rack",
        )
    if ground.has("slurm"):
        about = "The worst that the check of one of its nodes thinks of it."
        verdict = f"max by (cluster, rack) ({verdicts(IN_CLUSTER)})"
        yield cells(
            "Worst verdict of the node checks", verdict, about, mappings=VERDICTS, of="rack", alerts=CHECK_ALERTS
        )


def _answers(ground: Ground) -> Iterator[Panel]:
    about = "Whether any exporter of a node answers. A whole rack that is down points at its power or its switch."
    wide = 12 if ground.has("slurm") else 24
    down = per_node(series("node:down", IN_RACK))
    yield cells("Nodes that answer", down, about, wanted=(AlertBound("NodeDown"),), mappings=STATES, width=wide)
    if ground.has("slurm"):
        about = "What the check of each node thinks of it; a node without a recent check has no cell."
        yield cells("Verdict of the node check", verdicts(IN_RACK), about, mappings=VERDICTS, alerts=CHECK_ALERTS)


def _gpus(ground: Ground) -> Iterator[Panel]:
    for vendor in ground.vendors:
        about = "The hottest GPU of each node. Hot nodes side by side point at the cooling of their rack."
        yield cells(
            titled("Temperature", vendor, ground),
            _of_vendor("node:gpu_temperature_celsius", vendor, ground),
            about,
            "celsius",
            wanted=heat_of(vendor),
        )
    usage = per_node(series("node:gpu_utilization_ratio", IN_RACK))
    yield cells("Utilization", usage, "Mean of each node's GPUs.", "percentunit")
    power = per_node(series("node:gpu_power_watts", IN_RACK))
    yield cells("Power", power, "What the GPUs of each node draw; the host's own is not in it.", "watt")
    used, total = (per_node(series(f"node:gpu_memory_{each}_bytes", IN_RACK)) for each in ("used", "total"))
    yield cells("GPU memory in use", f"{used} / {total}", "Share of each node's GPU memory.", "percentunit")


def _of_vendor(name: str, vendor: str, ground: Ground, within: str = IN_RACK) -> str:
    """A series of nodes for those that have a vendor's GPUs, by their labels: that of each GPU would be read else."""
    found = series(name, within)
    if len(ground.vendors) > 1:
        found = f"{found} and on (cluster, node) {series('up', within, equals('gpu_vendor', vendor))}"
    return per_node(found)


def _table(ground: Ground, within: str) -> Panel:
    columns = tuple(_columns(ground, within))
    return Panel(
        "Racks",
        "table",
        tuple(Query(racked(expr), title, instant=True) for title, expr, _ in columns),
        f"Nodes in no rack are in the row `{NO_RACK}`, which leads to no node.",
        width=24,
        height=10,
        columns=(
            Column("rack", "Rack", link="aamic-node", variable="rack"),
            *(
                Column(f"Value #{letter}", title, unit, bounds=_TABLE_BOUNDS.get(title, ()))
                for letter, (title, _, unit) in zip(_LETTERS, columns, strict=False)
            ),
        ),
        empty=UNKNOWN,
    )


def _columns(ground: Ground, within: str) -> Iterator[tuple[str, str, Unit]]:
    """What each rack adds up to: titles, queries and units."""
    down = per_node(series("node:down", within))
    yield "Nodes", _by_rack("count", down), "none"
    yield "Down", _by_rack("sum", down), "none"
    if ground.gpus:
        yield "GPUs that report", _by_rack("sum", per_node(series("node:gpu_count", within))), "none"
        for title, operator, name, unit in (*_MEASURED, _HOTTEST):
            yield title, _by_rack(operator, per_node(series(name, within))), unit
        codes = f"max_over_time({series('node:gpu_errors_recent', within)}[1h])"
        yield "Nodes with GPU errors, 1 h", _by_rack("count", per_node(codes)), "none"


def _by_rack(operator: str, expr: str) -> str:
    return f"{operator} by (cluster, rack) ({expr})"


def _history(ground: Ground) -> Iterator[Panel]:
    if ground.gpus:
        for title, operator, name, unit in _MEASURED:
            expr = _by_rack(operator, per_node(series(name, IN_RACK)))
            yield lines(f"{title} by rack", [(expr, _RACK)], _ABOUT[operator], unit)
    title, operator, name, unit = _HOTTEST
    for vendor in ground.vendors:
        expr = _by_rack(operator, _of_vendor(name, vendor, ground))
        titled_so = titled(f"{title} by rack", vendor, ground)
        yield lines(titled_so, [(expr, _RACK)], _ABOUT[operator], unit, wanted=heat_of(vendor))
    received = _by_rack("sum", per_node(series("node:network_receive_bytes_per_second", IN_RACK)))
    yield lines("Network received by rack", [(received, _RACK)], _ABOUT["sum"], "Bps")


_MEASURED: Final[tuple[tuple[str, str, str, Unit], ...]] = (
    ("GPU utilization", "avg", "node:gpu_utilization_ratio", "percentunit"),
    ("GPU power", "sum", "node:gpu_power_watts", "watt"),
)
_HOTTEST: Final[tuple[str, str, str, Unit]] = ("Hottest GPU", "max", "node:gpu_temperature_celsius", "celsius")
"""Titles, how nodes are put together, the series of a node, units."""
_ABOUT: Final = {"avg": "Mean of the nodes.", "max": "The highest of the nodes.", "sum": "All nodes together."}
