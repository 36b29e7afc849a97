"""Tables: the labels and values of instant queries, joined by the labels that they share, as named columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from grafana_foundation_sdk.models.common import TableSortByFieldState
from grafana_foundation_sdk.models.dashboard import (
    DashboardFieldConfigSourceOverrides,
    DataTransformerConfig,
    DynamicConfigValue,
    MatcherConfig,
    ValueMap,
)

from aamic.catalog.artifacts.grafana import links
from aamic.catalog.artifacts.grafana.cells import PLAIN
from aamic.catalog.artifacts.grafana.thresholds import mappings, thresholds
from aamic.catalog.artifacts.grafana.words import literal
from aamic.model.dashboard import Bound, Column, Dashboard, Panel

_VALUE: Final = "Value"
_NOTHING: Final = "-"
_COLOURED: Final = {"type": "color-text"}


def transformations(panel: Panel) -> list[DataTransformerConfig]:
    """One row for what has the same labels, then the columns alone, then order and titles.

    Labels that are no column are taken away last: they tell rows of two clusters apart.
    """
    names = {name: column.title for column in panel.columns for name in _names(panel, column)}
    return [
        DataTransformerConfig("merge", options={}),
        DataTransformerConfig("filterFieldsByName", options={"include": {"names": list(names)}}),
        DataTransformerConfig(
            "organize",
            options={
                "indexByName": {name: index for index, name in enumerate(names)},
                "renameByName": {name: literal(title) for name, title in names.items()},
            },
        ),
    ]


def order(panel: Panel) -> list[TableSortByFieldState]:
    """The worst first: by the columns that have bounds, from left to right."""
    return [TableSortByFieldState(literal(each.title), desc=True) for each in panel.columns if each.bounds]


def _names(panel: Panel, column: Column) -> Iterator[str]:
    """How Grafana calls a field: the values of a query that is the only one lack its letter."""
    yield column.field
    if column.field == f"{_VALUE} #A" and len(panel.queries) == 1:
        yield _VALUE


def overrides(dashboard: Dashboard, panel: Panel, known: links.Targets) -> list[DashboardFieldConfigSourceOverrides]:
    """Unit, link and colours of each column."""
    return [
        DashboardFieldConfigSourceOverrides(MatcherConfig("byName", literal(column.title)), properties)
        for column in panel.columns
        if (properties := list(_properties(dashboard, panel, column, known)))
    ]


def _properties(
    dashboard: Dashboard, panel: Panel, column: Column, known: links.Targets
) -> Iterator[DynamicConfigValue]:
    if not column.field.startswith(_VALUE):
        yield from PLAIN
    else:
        yield DynamicConfigValue("unit", column.unit)
        # Else what the panel says where it is empty would stand in each cell without a value.
        yield DynamicConfigValue("noValue", _NOTHING)
    if found := links.of_column(dashboard, column, known):
        yield DynamicConfigValue("links", found)
    bounds, mapped = _judging(panel, column)
    if bounds or mapped:
        yield DynamicConfigValue("mappings", mapped)
        yield DynamicConfigValue("thresholds", thresholds(bounds))
        yield DynamicConfigValue("custom.cellOptions", _COLOURED)


def _judging(panel: Panel, column: Column) -> tuple[tuple[Bound, ...], list[ValueMap]]:
    """By what the values of a column are coloured: its bounds and, for those of the first query, what the panel has."""
    if column.field == f"{_VALUE} #A":
        return (*panel.bounds, *column.bounds), mappings(panel)
    return column.bounds, []
