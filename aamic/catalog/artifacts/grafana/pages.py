"""Dashboards as Grafana reads them: JSON files, made with the types of Grafana's own SDK, the same bytes each time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import orjson
from grafana_foundation_sdk.models.dashboard import (
    AnnotationContainer,
    Dashboard,
    DashboardCursorSync,
    DashboardDashboardTemplating,
    DashboardDashboardTime,
    GridPos,
    Panel,
    RowPanel,
)

from aamic.catalog.artifacts.grafana import links
from aamic.catalog.artifacts.grafana.panels import number, panel
from aamic.catalog.artifacts.grafana.variables import variable
from aamic.catalog.artifacts.grafana.words import literal
from aamic.model import dashboard as model

_REFRESH: Final = "1m"
"""Central reads its shards as often, unless a site says otherwise."""


def page(spec: model.Dashboard, known: links.Targets) -> bytes:
    """One dashboard as JSON. Its `version` and `id` are Grafana's to count."""
    made = Dashboard(
        uid=spec.uid,
        title=literal(spec.title),
        description=literal(spec.about),
        tags=list(spec.tags),
        editable=False,
        graph_tooltip=DashboardCursorSync.CROSSHAIR,
        time=DashboardDashboardTime(f"now-{spec.span}", "now"),
        refresh=_REFRESH,
        panels=list(_panels(spec, known)),
        templating=DashboardDashboardTemplating([variable(each) for each in spec.variables]),
        annotations=AnnotationContainer([]),
        links=links.others(spec, known),
    )
    return orjson.dumps(made, default=_as_json, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _panels(spec: model.Dashboard, known: links.Targets) -> Iterator[Panel | RowPanel]:
    taken: set[int] = set()
    for place in model.placed(spec):
        if place.panel is None:
            heading = number(f"# {place.row.title}", taken)
            where = GridPos(h=place.height, w=place.width, x=place.x, y=place.y)
            yield RowPanel(title=literal(place.row.title), id_val=heading, grid_pos=where, panels=[])
        else:
            yield panel(spec, place, place.panel, number(place.panel.title, taken), known)


def _as_json(value: Any) -> Any:
    """The SDK's types say themselves how they are written."""
    return value.to_json()
