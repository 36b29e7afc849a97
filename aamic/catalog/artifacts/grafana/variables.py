"""What a person chooses from at the top of a dashboard."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    VariableHide,
    VariableModel,
    VariableOption,
    VariableRefresh,
    VariableSort,
    VariableType,
)

from aamic.catalog.artifacts.grafana.sources import DEFAULT
from aamic.catalog.artifacts.grafana.words import literal
from aamic.model.dashboard import EVERYTHING, Variable

_ALL: Final = ("All", "$__all")


def prometheus() -> DataSourceRef:
    """The data source of every query; its uid is the same on every site."""
    return DataSourceRef("prometheus", DEFAULT)


def variable(spec: Variable) -> VariableModel:
    """A variable of the values that a label has in the time that is shown."""
    return VariableModel(
        type_val=VariableType.QUERY,
        name=spec.name,
        label=literal(spec.title),
        hide=VariableHide.DONT_HIDE,
        query=_query(spec),
        datasource=prometheus(),
        current=_chosen(spec) if spec.every else None,
        multi=spec.multi,
        include_all=spec.every,
        all_value=EVERYTHING if spec.every else None,
        options=[],
        refresh=VariableRefresh.ON_TIME_RANGE_CHANGED,
        sort=VariableSort.NATURAL_ASC,
    )


def _chosen(spec: Variable) -> VariableOption:
    """What is chosen when the dashboard opens: everything, or one value. Else Grafana takes the first value."""
    text, value = (spec.opens, spec.opens) if spec.opens else _ALL
    return VariableOption(text=[text], value=[value]) if spec.multi else VariableOption(text=text, value=value)


def _query(spec: Variable) -> dict[str, object]:
    return {
        "query": f"label_values({spec.metric}, {spec.name})",
        "refId": "PrometheusVariableQueryEditor-VariableQuery",
    }
