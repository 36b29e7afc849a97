"""Cells: a stat panel of the rows of one table, as rows can be put in order; series come in the order of the server."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.models.dashboard import (
    DashboardFieldConfigSourceOverrides,
    DataTransformerConfig,
    DynamicConfigValue,
    MatcherConfig,
)

from aamic.model.dashboard import Panel, labels_of

MOST: Final = 100_000
"""Grafana shows 25 rows unless it is told how many."""
_VALUE: Final = "Value"
PLAIN: Final = (DynamicConfigValue("unit", "string"), DynamicConfigValue("mappings", []))
"""What keeps a text such as `01` from being shown as a number, or as what the number is mapped to."""


def rows(panel: Panel) -> tuple[str, ...]:
    """The labels by which the cells of a panel are ordered and called; none where they are series."""
    return labels_of(panel.queries[0].legend) if panel.kind == "heatmap" and len(panel.queries) == 1 else ()


def transformations(panel: Panel) -> list[DataTransformerConfig]:
    """The rows in order of the first label, those alike in it in order of the next; Grafana calls a row by its texts.

    It sorts by one field at a time, and keeps the order of rows that are alike.
    """
    labels = rows(panel)
    if not labels:
        return []
    fields = [*labels, _VALUE]
    return [
        *(DataTransformerConfig("sortBy", options={"sort": [{"field": name}]}) for name in reversed(labels)),
        DataTransformerConfig("filterFieldsByName", options={"include": {"names": fields}}),
        DataTransformerConfig(
            "organize", options={"indexByName": {name: at for at, name in enumerate(fields)}, "renameByName": {}}
        ),
    ]


def overrides(panel: Panel) -> list[DashboardFieldConfigSourceOverrides]:
    """Texts stay as they are."""
    matcher = MatcherConfig("byType", "string")
    return [DashboardFieldConfigSourceOverrides(matcher, list(PLAIN))] if rows(panel) else []
