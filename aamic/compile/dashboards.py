"""The dashboards of a site: what the catalog has, as far as this site feeds it, with the bounds of its alerts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from math import ceil
from string import ascii_uppercase
from typing import Final

from aamic.catalog.artifacts.rules import presets
from aamic.catalog.dashboards import BUILDERS
from aamic.catalog.dashboards.ground import Ground
from aamic.catalog.vendors import NAMES
from aamic.compile.advice import Notes
from aamic.compile.alertbounds import bounds, by_name, severity_of
from aamic.compile.readable import Server
from aamic.compile.ruleset import Rules
from aamic.model.dashboard import EVERYTHING, Bound, Dashboard, Panel, Query, Row, Variable, filled
from aamic.model.fleet import AlertRule, Endpoint, Node
from aamic.model.fleet import Server as PrometheusServer
from aamic.model.quantities import duration_seconds
from aamic.model.site import Federation, Site

_SAMPLES: Final = 4
"""So many samples a range of central should hold, so that a lost one makes no gap."""
_MATCHER: Final = r'\w+\s*=~\s*"\$(?:{name}|\{{{name}\}})"'


def resolve_dashboards(
    site: Site,
    rules: Rules,
    nodes: Mapping[str, Node],
    endpoints: Iterable[Endpoint],
    servers: Iterable[PrometheusServer] = (),
) -> tuple[Dashboard, ...]:
    """The dashboards of a site, those last of which it feeds nothing, without rows.

    Empty where its rules are wrong, of which others tell.
    """
    if rules.servers is None or rules.ground is None:
        return ()
    ground = ground_of(site, rules.ground, nodes, endpoints, servers)
    server = rules.servers.widest
    alerts = by_name(rules.groups)
    fed = [fed_part(build(ground), server, ground, alerts) for build in BUILDERS]
    return (*linked([each for each in fed if each.rows]), *(each for each in fed if not each.rows))


def ground_of(
    site: Site,
    known: presets.Ground,
    nodes: Mapping[str, Node],
    endpoints: Iterable[Endpoint],
    servers: Iterable[PrometheusServer] = (),
) -> Ground:
    """What dashboards may know of a site, of which the rules know the rest."""
    federated = site.federation is not None and site.federation.enabled
    more = {
        "slurm": site.slurm is not None and site.slurm.enabled,
        "serve": site.serve is not None and site.serve.enabled,
        "thanos": federated and site.federation is not None and site.federation.type == "thanos",
        "raw": federated and site.federation is not None and site.federation.match == "raw",
    }
    gpus = Counter[str]()
    for node in nodes.values():
        if node.gpu is not None:
            gpus[node.gpu.vendor] += node.gpu.count
    return Ground(
        cluster=site.cluster.name,
        nodes=len(frozenset().union(*(endpoint.hosts for endpoint in endpoints))),
        gpus=tuple((name, gpus[name]) for name in NAMES if known.vendors is not None and name in known.vendors),
        gpu_jobs=tuple(known.gpu_jobs),
        features=known.features | {name for name, here in more.items() if here},
        rate=_rate(site, federated=federated),
        predicted={server.name: server.load.series for server in servers if server.role != "central"},
    )


def _rate(site: Site, *, federated: bool) -> str:
    interval = max(map(duration_seconds, (site.prometheus.scrape_interval, site.prometheus.evaluation_interval)))
    if federated:
        interval = max(interval, duration_seconds((site.federation or Federation()).central.federate_interval))
    seconds = max(300, ceil(_SAMPLES * interval))
    return f"{seconds}s" if seconds % 60 else f"{seconds // 60}m"


def fed_part(dashboard: Dashboard, server: Server, ground: Ground, alerts: Mapping[str, AlertRule]) -> Dashboard:
    """A dashboard without what `server` cannot feed, with the bounds of these alerts.

    A variable that nothing feeds is left out, and with it the matchers that name it; a query that lacks a series, and
    with the last of them its panel; a row without panels.
    """
    variables: list[Variable] = []
    for each in dashboard.variables:
        choice = replace(each, metric=_unmatched(each.metric, _gone(dashboard, variables)))
        if not _errors(of_variable(choice, dashboard, ground, server)):
            variables.append(choice)
    gone = _gone(dashboard, variables)
    rows = (_row(row, gone, dashboard, ground, server, alerts) for row in dashboard.rows)
    fed = replace(dashboard, variables=tuple(variables), rows=tuple(row for row in rows if row is not None))
    return replace(fed, omitted=tuple(_omitted(dashboard, fed, ground, server)))


def _omitted(dashboard: Dashboard, fed: Dashboard, ground: Ground, server: Server) -> Iterator[tuple[str, str]]:
    """The panels that lost a query, and why, each reason once."""
    gone = _gone(dashboard, fed.variables)
    kept = {panel.title: len(panel.queries) for panel in fed.panels}
    for panel in dashboard.panels:
        if kept.get(panel.title, 0) < len(panel.queries):
            asked = [replace(query, expr=_unmatched(query.expr, gone)) for query in panel.queries]
            why = [error for query in asked for error in _errors(of_query(query, dashboard, ground, server))]
            yield panel.title, "; ".join(dict.fromkeys(why))


def of_variable(variable: Variable, dashboard: Dashboard, ground: Ground, server: Server) -> Notes:
    """What is wrong with a variable: its metric must be there, and have its label."""
    return server.query(f"group by ({variable.name}) ({whole(variable.metric, dashboard, ground)})")


def of_query(query: Query, dashboard: Dashboard, ground: Ground, server: Server) -> Notes:
    """What is wrong with a panel's query when everything is chosen."""
    return server.query(whole(query.expr, dashboard, ground))


def whole(text: str, dashboard: Dashboard, ground: Ground) -> str:
    """A query as it is asked when everything is chosen, over what the page shows when it opens."""
    spans = {"__range": dashboard.span, "__rate_interval": ground.rate, "__interval": ground.rate}
    return filled(text, {**{each.name: EVERYTHING for each in dashboard.variables}, **spans})


def _gone(dashboard: Dashboard, kept: Iterable[Variable]) -> list[str]:
    names = {each.name for each in kept}
    return [each.name for each in dashboard.variables if each.name not in names]


def _unmatched(text: str, names: Iterable[str]) -> str:
    """A query without the matchers that name a variable.

    >>> _unmatched('sum(up{job="node",rack=~"$rack",node=~"$node"})', ["rack"])
    'sum(up{job="node",node=~"$node"})'
    >>> _unmatched('up{rack=~"$rack"}', ["rack"])
    'up{}'
    """
    for name in names:
        matcher = _MATCHER.format(name=re.escape(name))
        text = re.sub(rf"\s*,\s*{matcher}|{matcher}\s*,\s*|{matcher}", "", text)
    return text


def _row(  # noqa: PLR0913, PLR0917  # what a panel is held against
    row: Row,
    gone: Collection[str],
    dashboard: Dashboard,
    ground: Ground,
    server: Server,
    alerts: Mapping[str, AlertRule],
) -> Row | None:
    panels = []
    for panel in row.panels:
        asked = [replace(query, expr=_unmatched(query.expr, gone)) for query in panel.queries]
        fed = [not _errors(of_query(query, dashboard, ground, server)) for query in asked]
        if any(fed) or not asked:
            panels.append(_bounded(_kept(panel, asked, fed), alerts))
    told = any(panel.queries for panel in row.panels) and not any(panel.queries for panel in panels)
    return None if told or not panels else replace(row, panels=tuple(panels))


def _bounded(panel: Panel, alerts: Mapping[str, AlertRule]) -> Panel:
    """A panel with the bounds of the alerts that it wants and with its own, and columns with theirs."""
    every = {*_own(panel.bounds, alerts), *bounds(panel.wanted, alerts)}
    columns = tuple(replace(column, bounds=tuple(_own(column.bounds, alerts))) for column in panel.columns)
    ordered = tuple(sorted(every, key=lambda bound: bound.value))
    return replace(
        panel, bounds=ordered, columns=columns, alerts=tuple(each for each in panel.alerts if each in alerts)
    )


def _own(given: Iterable[Bound], alerts: Mapping[str, AlertRule]) -> Iterator[Bound]:
    """Bounds as severe as the alerts that they name; they name none that this site has not."""
    for bound in given:
        alert = alerts.get(bound.alert)
        yield replace(bound, alert="") if alert is None else replace(bound, severity=severity_of(alert))


def _kept(panel: Panel, asked: list[Query], fed: list[bool]) -> Panel:
    """A panel with those of its queries that are fed; columns of the others go, and the letters move up."""
    letters = iter(ascii_uppercase)
    now = {f"Value #{old}": f"Value #{next(letters)}" for old, here in zip(ascii_uppercase, fed, strict=False) if here}
    gone = {f"Value #{old}" for old, here in zip(ascii_uppercase, fed, strict=False) if not here}
    columns = tuple(
        replace(column, field=now.get(column.field, column.field))
        for column in panel.columns
        if column.field not in gone
    )
    kept = tuple(query for query, here in zip(asked, fed, strict=True) if here)
    return replace(panel, queries=kept, columns=columns)


def _errors(notes: Notes) -> list[str]:
    return [message for message, (_, severity) in notes.items() if severity == "error"]


def linked(dashboards: Iterable[Dashboard]) -> tuple[Dashboard, ...]:
    """Dashboards without links to those that are not among them, or that lack the variable that a link fills."""
    every = tuple(dashboards)
    known = {each.uid: {variable.name for variable in each.variables} for each in every}
    return tuple(
        replace(
            each,
            others=tuple(uid for uid in each.others if uid in known),
            rows=tuple(replace(row, panels=tuple(_leading(panel, known) for panel in row.panels)) for row in each.rows),
        )
        for each in every
    )


def _leading(panel: Panel, known: Mapping[str, Collection[str]]) -> Panel:
    columns = tuple(
        column if column.variable in known.get(column.link, ()) else replace(column, link="", variable="")
        for column in panel.columns
    )
    there = panel.link in known and (not panel.link_label or panel.link_label in known[panel.link])
    return replace(panel, columns=columns) if there else replace(panel, columns=columns, link="", link_label="")
