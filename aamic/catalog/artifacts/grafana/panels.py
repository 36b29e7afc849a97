"""Panels: each kind as Grafana's own panel of that kind."""

from __future__ import annotations

import string
import zlib
from collections.abc import Callable, Mapping
from typing import Final

from grafana_foundation_sdk.models import bargauge, common, stat, table, text
from grafana_foundation_sdk.models import timeseries as lines
from grafana_foundation_sdk.models.dashboard import (
    DataTransformerConfig,
    FieldColor,
    FieldColorModeId,
    FieldConfig,
    FieldConfigSource,
    GridPos,
    Panel,
)
from grafana_foundation_sdk.models.prometheus import Dataquery, PromQueryFormat

from aamic.catalog.artifacts.grafana import cells, links, tables
from aamic.catalog.artifacts.grafana.thresholds import mappings, thresholds
from aamic.catalog.artifacts.grafana.variables import prometheus
from aamic.catalog.artifacts.grafana.words import literal
from aamic.model import dashboard as model

_IDS: Final = 1_000_000
_MOST_ALERTS: Final = 100
_BY_IMPORTANCE: Final = 3
_TYPES: Final[Mapping[model.Kind, str]] = {
    "stat": "stat",
    "timeseries": "timeseries",
    "heatmap": "stat",
    "table": "table",
    "bars": "bargauge",
    "alerts": "alertlist",
    "text": "text",
}
_UNQUERIED: Final = frozenset({"alerts", "text"})


def number(title: str, taken: set[int]) -> int:
    """The id of a panel, by its title: links to a panel stay right when others come and go. It is then `taken`."""
    found = zlib.crc32(title.encode()) % _IDS + 1
    while found in taken:
        found += 1
    taken.add(found)
    return found


def panel(dashboard: model.Dashboard, place: model.Placed, spec: model.Panel, id_: int, known: links.Targets) -> Panel:
    """One panel at its place."""
    queried = spec.kind not in _UNQUERIED
    return Panel(
        type_val=_TYPES[spec.kind],
        id_val=id_,
        title=literal(spec.title),
        description=literal(spec.about) or None,
        datasource=prometheus() if queried else None,
        targets=[_target(spec, index, query) for index, query in enumerate(spec.queries)] if queried else [],
        grid_pos=GridPos(h=place.height, w=place.width, x=place.x, y=place.y),
        links=links.runbooks(spec, known),
        transformations=_transformations(spec),
        options=_OPTIONS[spec.kind](spec),
        field_config=_fields(dashboard, spec, known) if queried else None,
    )


def _transformations(spec: model.Panel) -> list[DataTransformerConfig] | None:
    return (tables.transformations(spec) if spec.kind == "table" else cells.transformations(spec)) or None


def _target(spec: model.Panel, index: int, query: model.Query) -> Dataquery:
    """A query. What shows one value asks for the newest alone where the panel says so."""
    now = query.instant or spec.kind in {"table", "heatmap", "bars"}
    return Dataquery(
        expr=query.expr,
        instant=now,
        range_val=not now,
        format_val=PromQueryFormat.TABLE if spec.kind == "table" or cells.rows(spec) else PromQueryFormat.TIME_SERIES,
        legend_format=literal(query.legend) or "__auto",
        ref_id=string.ascii_uppercase[index],
        datasource=prometheus(),
    )


def _fields(dashboard: model.Dashboard, spec: model.Panel, known: links.Targets) -> FieldConfigSource:
    config = FieldConfig(
        unit=spec.unit,
        min_val=spec.least,
        max_val=spec.most,
        mappings=list(mappings(spec)),
        thresholds=thresholds(spec.bounds),
        color=FieldColor(_colour(spec)),
        links=links.of_series(dashboard, spec, known),
        no_value=literal(spec.empty),
        custom=_CUSTOM[spec.kind](spec) if spec.kind in _CUSTOM else None,
    )
    overrides = tables.overrides(dashboard, spec, known) if spec.kind == "table" else cells.overrides(spec)
    return FieldConfigSource(config, overrides)


def _colour(spec: model.Panel) -> FieldColorModeId:
    """Of cells and bars of which no value is bad, more is a darker blue."""
    if spec.kind == "timeseries":
        return FieldColorModeId.PALETTE_CLASSIC_BY_NAME
    if spec.kind in {"heatmap", "bars"} and not (spec.bounds or spec.mappings):
        return FieldColorModeId.CONTINUOUS_BLUES
    return FieldColorModeId.THRESHOLDS


def _stat(spec: model.Panel) -> stat.Options:
    coloured = bool(spec.bounds or spec.mappings)
    instant = all(query.instant for query in spec.queries)
    return stat.Options(
        graph_mode=common.BigValueGraphMode.NONE if instant else common.BigValueGraphMode.AREA,
        color_mode=common.BigValueColorMode.BACKGROUND if coloured else common.BigValueColorMode.VALUE,
        reduce_options=_last(),
    )


def _cells(spec: model.Panel) -> stat.Options:
    """One cell for each row, or series; a chart of many would be slower, and not be readable."""
    each_row = common.ReduceDataOptions(values=True, limit=cells.MOST, calcs=["lastNotNull"], fields="")
    return stat.Options(
        graph_mode=common.BigValueGraphMode.NONE,
        color_mode=common.BigValueColorMode.BACKGROUND_SOLID,
        justify_mode=common.BigValueJustifyMode.CENTER,
        text_mode=common.BigValueTextMode.VALUE_AND_NAME,
        reduce_options=each_row if cells.rows(spec) else _last(),
    )


def _bars(_spec: model.Panel) -> bargauge.Options:
    return bargauge.Options(
        display_mode=common.BarGaugeDisplayMode.BASIC,
        value_mode=common.BarGaugeValueMode.TEXT,
        orientation=common.VizOrientation.HORIZONTAL,
        reduce_options=_last(),
    )


def _last() -> common.ReduceDataOptions:
    return common.ReduceDataOptions(values=False, calcs=["lastNotNull"], fields="")


def _lines(_spec: model.Panel) -> lines.Options:
    return lines.Options(
        legend=common.VizLegendOptions(
            display_mode=common.LegendDisplayMode.LIST,
            placement=common.LegendPlacement.BOTTOM,
            show_legend=True,
            calcs=[],
        ),
        tooltip=common.VizTooltipOptions(common.TooltipDisplayMode.MULTI, common.SortOrder.DESCENDING),
    )


def _line(spec: model.Panel) -> common.GraphFieldConfig:
    """How lines are drawn: bounds as dashed lines, gaps as gaps."""
    drawn = common.GraphThresholdsStyleMode.DASHED if spec.bounds else common.GraphThresholdsStyleMode.OFF
    return common.GraphFieldConfig(
        line_width=1,
        fill_opacity=30 if spec.stacked else 0,
        show_points=common.VisibilityMode.AUTO,
        span_nulls=False,
        stacking=common.StackingConfig(common.StackingMode.NORMAL if spec.stacked else common.StackingMode.NONE, "A"),
        thresholds_style=common.GraphThresholdsStyleConfig(drawn),
    )


def _table(spec: model.Panel) -> table.Options:
    return table.Options(cell_height=common.TableCellHeight.SM, sort_by=tables.order(spec) or None)


def _alerts(_spec: model.Panel) -> dict[str, object]:
    """Alerts of all data sources that list theirs, the worst first; the SDK has no type of this panel."""
    return {
        "viewMode": "list",
        "groupMode": "default",
        "groupBy": [],
        "maxItems": _MOST_ALERTS,
        "sortOrder": _BY_IMPORTANCE,
        "dashboardAlerts": False,
        "alertName": "",
        "alertInstanceLabelFilter": "",
        "stateFilter": {"firing": True, "pending": False, "noData": False, "normal": False, "error": True},
    }


def _text(spec: model.Panel) -> text.Options:
    return text.Options(text.TextMode.MARKDOWN, content=literal(spec.content))


_OPTIONS: Final[Mapping[model.Kind, Callable[[model.Panel], object]]] = {
    "stat": _stat,
    "timeseries": _lines,
    "heatmap": _cells,
    "table": _table,
    "bars": _bars,
    "alerts": _alerts,
    "text": _text,
}
_CUSTOM: Final[Mapping[model.Kind, Callable[[model.Panel], object]]] = {
    "timeseries": _line,
    "table": lambda _: common.TableFieldOptions(),
}
