"""The kinds of panels that pages share. An empty one says `unknown`, unless its page knows that nothing means none."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

from aamic.catalog.dashboards.asking import GPU_LEGEND
from aamic.model.dashboard import AlertBound, Bound, Named, Panel, Query, Unit

UNKNOWN: Final = "unknown"
BARS: Final = 10
"""So many bars fit into a panel and into a head."""
NONE_FOUND: Final = "none, or unknown"
"""Of panels that list what is wrong, and where an exporter that is down would list nothing either."""
SOME_CRITICAL: Final = (Bound(1, "critical"),)
SOME_WARNING: Final = (Bound(1, "warning"),)


def stat(  # noqa: PLR0913  # a panel's own
    title: str,
    exprs: str | Iterable[Query],
    about: str,
    *,
    unit: Unit = "none",
    wanted: tuple[AlertBound, ...] = (),
    bounds: tuple[Bound, ...] = (),
    mappings: tuple[Named, ...] = (),
    link: str = "",
    width: int = 3,
    empty: str = UNKNOWN,
    alerts: tuple[str, ...] = (),
) -> Panel:
    """A number as it is now, or one for each query; a count is shown to the last digit."""
    queries = (Query(exprs, title, instant=True),) if isinstance(exprs, str) else tuple(exprs)
    return Panel(
        title,
        "stat",
        queries,
        about,
        unit,
        width=width,
        height=4,
        wanted=wanted,
        bounds=bounds,
        mappings=mappings,
        link=link,
        alerts=alerts,
        empty=empty,
    )


def lines(  # noqa: PLR0913  # a panel's own
    title: str,
    queries: Iterable[tuple[str, str]],
    about: str,
    unit: Unit = "short",
    *,
    wanted: tuple[AlertBound, ...] = (),
    width: int = 12,
    empty: str = UNKNOWN,
    alerts: tuple[str, ...] = (),
) -> Panel:
    """Lines over time, by pairs of a query and its legend; all of them begin at 0 but temperatures."""
    return Panel(
        title,
        "timeseries",
        tuple(Query(expr, legend) for expr, legend in queries),
        about,
        unit,
        width=width,
        wanted=wanted,
        least=None if unit == "celsius" else 0,
        most=1 if unit == "percentunit" else None,
        alerts=alerts,
        empty=empty,
    )


def top(  # noqa: PLR0913  # a panel's own
    title: str,
    expr: str,
    about: str,
    unit: Unit = "short",
    *,
    wanted: tuple[AlertBound, ...] = (),
    width: int = 8,
    legend: str = GPU_LEGEND,
    empty: str = UNKNOWN,
    alerts: tuple[str, ...] = (),
) -> Panel:
    """A bar for each of the highest; a click opens the page of its node."""
    return Panel(
        title,
        "bars",
        (Query(f"topk({BARS}, {expr})", legend, instant=True),),
        about,
        unit,
        width=width,
        wanted=wanted,
        least=0,
        most=1 if unit == "percentunit" else None,
        link="aamic-node",
        link_label="node",
        alerts=alerts,
        empty=empty,
    )


def cells(  # noqa: PLR0913  # a panel's own
    title: str,
    expr: str,
    about: str,
    unit: Unit = "short",
    *,
    wanted: tuple[AlertBound, ...] = (),
    bounds: tuple[Bound, ...] = (),
    mappings: tuple[Named, ...] = (),
    width: int = 12,
    of: Literal["node", "rack"] = "node",
    alerts: tuple[str, ...] = (),
) -> Panel:
    """A cell for each node, by racks, or for each rack; a click opens the page of the node, or of the rack's nodes."""
    return Panel(
        title,
        "heatmap",
        (Query(expr, "{{rack}} {{node}}" if of == "node" else "{{rack}}", instant=True),),
        about,
        unit,
        width=width,
        height=10,
        wanted=wanted,
        bounds=bounds,
        mappings=mappings,
        least=0,
        most=1 if unit == "percentunit" else None,
        link="aamic-node" if of == "node" else "aamic-racks",
        link_label=of,
        alerts=alerts,
        empty=UNKNOWN,
    )
