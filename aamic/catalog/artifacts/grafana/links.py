"""Where a click leads: another dashboard with the same variables and time, or what to do about an alert."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from grafana_foundation_sdk.models.dashboard import DashboardLink, DashboardLinkType

from aamic.catalog.artifacts.grafana import cells
from aamic.catalog.artifacts.grafana.words import address, literal, parameter
from aamic.model.dashboard import Column, Dashboard, Panel
from aamic.model.fleet import AlertRule, Fleet

_SAME_TIME: Final = "${__url_time_range}"


@dataclass(frozen=True, slots=True)
class Targets:
    """What links of a fleet can lead to: dashboards by uid, and the URLs of runbooks by alert."""

    dashboards: Mapping[str, Dashboard]
    runbooks: Mapping[str, str]


def targets(fleet: Fleet) -> Targets:
    """Everything that there is; the runbook of an alert that stands twice is that of the first."""
    rules = [rule for group in fleet.rules for rule in group.rules if isinstance(rule, AlertRule)]
    return Targets(
        {dashboard.uid: dashboard for dashboard in fleet.dashboards},
        {rule.name: rule.runbook_url for rule in reversed(rules) if rule.runbook_url},
    )


def others(dashboard: Dashboard, known: Targets) -> list[DashboardLink]:
    """The links at the top of a dashboard, to those others that there are."""
    return [
        DashboardLink(
            title=literal(known.dashboards[uid].title),
            type_val=DashboardLinkType.LINK,
            icon="dashboard",
            tooltip=literal(known.dashboards[uid].about),
            url=_page(uid),
            tags=[],
            include_vars=True,
            keep_time=True,
        )
        for uid in dashboard.others
        if uid in known.dashboards and uid != dashboard.uid
    ]


def runbooks(panel: Panel, known: Targets) -> list[DashboardLink]:
    """The runbooks of the alerts about what a panel shows."""
    alerts = [alert for alert in panel.every_alert if alert in known.runbooks]
    return [
        DashboardLink(
            title=f"Runbook of {literal(alert)}",
            type_val=DashboardLinkType.LINK,
            icon="doc",
            url=address(known.runbooks[alert]),
            tags=[],
            target_blank=True,
        )
        for alert in alerts
    ]


def of_series(dashboard: Dashboard, panel: Panel, known: Targets) -> list[DashboardLink]:
    """What a click on a series opens; nothing where that dashboard is not there."""
    target = known.dashboards.get(panel.link)
    if target is None:
        return []
    place = "__data.fields" if cells.rows(panel) else "__field.labels"
    chosen = f"${{{place}.{panel.link_label}:percentencode}}" if panel.link_label else ""
    url = _address(dashboard, target, panel.link_label, chosen)
    return [DashboardLink(title=literal(target.title), type_val=DashboardLinkType.LINK, url=url, tags=[])]


def of_column(dashboard: Dashboard, column: Column, known: Targets) -> list[dict[str, str]]:
    """What a click on a cell of a table opens."""
    target = known.dashboards.get(column.link)
    if target is None:
        return []
    url = _address(dashboard, target, column.variable, "${__value.raw:percentencode}" if column.variable else "")
    return [{"title": literal(target.title), "url": url}]


def _address(source: Dashboard, target: Dashboard, variable: str, value: str) -> str:
    """The address of another dashboard. `queryparam` writes every chosen value of a variable as `var-name=value`."""
    query = [*_kept(source, target, variable), _SAME_TIME]
    if variable:
        query.insert(0, f"var-{parameter(variable)}={value}")
    return f"{_page(target.uid)}?{'&'.join(query)}"


def _kept(source: Dashboard, target: Dashboard, variable: str) -> Iterator[str]:
    """The variables that both dashboards have, but for the one that the click says."""
    there = {each.name for each in target.variables} - {variable}
    return (f"${{{each.name}:queryparam}}" for each in source.variables if each.name in there)


def _page(uid: str) -> str:
    return f"/d/{parameter(uid)}"
