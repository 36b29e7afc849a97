"""A dashboard with every kind of panel, and a server in memory that answers what its queries ask."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from aamic.clients.base import Sample, Track
from aamic.errors import OutsideError
from aamic.model.dashboard import Bound, Column, Dashboard, Kind, Named, Panel, Query, Row, Variable
from aamic.model.preview import Firing, Picture, Preview
from aamic.ops.panelasked import Look, answers, window
from aamic.ops.pictures import picture

END = 1_764_000_000.0
HOT = (Bound(85, "warning", "GpuHot"), Bound(92, "critical", "GpuTooHot"))
LOOK = Look(window(END, 3600), {"node": ()})


def panel(kind: Kind, expr: str = "heat", legend: str = "{{node}}", **more: object) -> Panel:
    queries = (Query(expr, legend),) if kind not in {"alerts", "text"} else ()
    return Panel(more.pop("title", kind), kind, queries, **more)  # type: ignore[arg-type]


def every_kind() -> Dashboard:
    columns = (Column("node", "Node"), Column("Value #A", "Heat", "celsius"), Column("Value #B", "Power", "watt"))
    return Dashboard(
        "aamic-every",
        "Every kind",
        "All kinds of panels.",
        (Variable("node", "Node", "up"),),
        (
            Row(
                "First",
                (
                    panel("stat", unit="celsius", bounds=HOT, width=8, height=4),
                    panel("stat", "gone", title="empty", width=8, height=4, empty="0"),
                    panel("stat", title="mapped", mappings=(Named(65, "cool", "ok"), Named(95, "fire", "critical"))),
                    panel("timeseries", unit="celsius", bounds=HOT),
                    panel("timeseries", title="stacked", stacked=True, unit="bytes"),
                    panel("heatmap", unit="celsius", bounds=HOT, about="How hot <nodes> are."),
                ),
            ),
            Row(
                "Second",
                (
                    panel("bars", unit="watt", least=0, most=100),
                    Panel(
                        "table", "table", (Query("heat"), Query("power")), unit="celsius", columns=columns, bounds=HOT
                    ),
                    panel("alerts"),
                    panel("text", content="# Head\n\n**bold** `code` <i>\n\n- item"),
                    panel("timeseries", "broken", title="broken"),
                ),
            ),
        ),
    )


@dataclass
class Answering:
    """Answers `heat` and `power` for some nodes, refuses `broken`, and knows nothing of what else it is asked."""

    heat: Mapping[str, float] = field(default_factory=lambda: {"gpu-10": 65.0, "gpu-9": 95.0, "gpu-11": 86.0})
    asked: list[str] = field(default_factory=list)

    def at(self, expr: str, moment: float) -> Sequence[Sample]:
        self.asked.append(expr)
        assert moment == END
        if expr == "broken":
            raise OutsideError('`http://m/api` answered 422: {"status":"error","error":"too <many> samples"}')
        factor = {"heat": 1.0, "power": 10.0}.get(expr)
        return [Sample({"node": node}, value * factor) for node, value in self.heat.items()] if factor else []

    def over(self, expr: str, start: float, end: float, step: float) -> Sequence[Track]:
        moments = [start + number * step for number in range(round((end - start) / step) + 1)]
        return [Track(each.labels, [(at, each.value) for at in moments]) for each in self.at(expr, end)]


def none_fires() -> Sequence[Firing]:
    return ()


def shown(
    one: Panel, server: Answering | None = None, look: Look = LOOK, alarms: Callable[[], Sequence[Firing]] = none_fires
) -> Picture:
    """What a panel shows."""
    return picture(one, answers(one, server or Answering(), look, alarms), look)


def drawn(
    server: Answering | None = None,
    alarms: Callable[[], Sequence[Firing]] = none_fires,
    dashboard: Dashboard | None = None,
) -> Preview:
    """A dashboard, every kind if none is given, as a preview."""
    wanted = dashboard or every_kind()
    pictures = {each.title: shown(each, server, LOOK, alarms) for each in wanted.panels}
    return Preview(wanted, pictures, LOOK.window, "http://mon-01:9090", (("node", "gpu-9"),), ("A note.",))
