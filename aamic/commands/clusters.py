"""`aamic clusters list`, `status`, `alerts`, `test` and `info`: the registry, and what its clusters say now."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer

from aamic.commands.clusterread import (
    LabelsGiven,
    Names,
    ask,
    ask_all,
    chosen,
    expect_known,
    labels_of,
    open_cluster,
    openers,
    own_cluster,
)
from aamic.commands.options import DEFAULT_SITE, Json, SitePath, checked, colourful, columns
from aamic.errors import OutsideError, RemoteError

if TYPE_CHECKING:
    from pydantic import BaseModel

    from aamic.clients.base import Remote
    from aamic.commands.clusterread import Opener
    from aamic.model.fleet import Fleet, RemoteCluster
    from aamic.model.overview import Details, Tried
    from aamic.ops.clustertest import Answered

EXIT_FAILED: Final = 1
EXIT_DIFFERENT: Final = 16
_PAGE: Final = 1000
_PAGES: Final = 50
_ALERTS: Final = 100
T = TypeVar("T")


class SeverityName(StrEnum):
    """What an alert may count as."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


Name = Annotated[str, typer.Argument(metavar="NAME", help="A cluster of the registry.")]
NoOwn = Annotated[bool, typer.Option("--no-own", help="Leave out this cluster itself.")]
Exit = Annotated[bool, typer.Option("--exit-code", help="Exit 16 unless all are connected and ok.")]
Severity = Annotated[
    SeverityName | None, typer.Option("--severity", help="Only alerts that count as this; any other word is a warning.")
]
Limit = Annotated[int, typer.Option("--limit", min=1, max=_PAGE, help="Most alerts that are listed.")]


def list_clusters(site: SitePath = DEFAULT_SITE, *, json: Json = False) -> None:
    """List the registry: the other clusters that the site names. Nothing is asked of them."""
    from aamic.model.overview import Registry
    from aamic.ops.clusters import listed
    from aamic.views import clusters as view

    registry = Registry(clusters=[listed(each) for each in checked(site).fleet.clusters])
    _tell(registry, view.registry_text(registry), json=json)


def clusters_status(  # noqa: PLR0913  # one argument for each option
    names: Names = None,
    site: SitePath = DEFAULT_SITE,
    *,
    label: LabelsGiven = None,
    no_own: NoOwn = False,
    exit_code: Exit = False,
    json: Json = False,
) -> None:
    """Ask all clusters at once how they are; only those that answer enter sums and averages."""
    from aamic.model.overview import Overview
    from aamic.ops.clusters import absent, connected, missing, told_apart, total
    from aamic.views import clusters as view

    fleet = checked(site).fleet
    asked = ask_all(_wanted(fleet, site, names, label, no_own=no_own), lambda remote: remote.status())
    seen = told_apart(
        [
            absent(cluster, found, own=cluster.name == fleet.cluster)
            if isinstance(found, RemoteError)
            else connected(cluster, found, own=cluster.name == fleet.cluster)
            for cluster, found in asked
        ]
    )
    overview = Overview(at=time.time(), clusters=seen, total=total(seen), missing=missing(seen))
    _tell(overview, view.overview_text(overview, columns(), colour=colourful()), json=json)
    if exit_code and (overview.missing or overview.total.verdict != "ok"):
        raise typer.Exit(EXIT_DIFFERENT)


def _wanted(
    fleet: Fleet, site: Path, names: Names, label: LabelsGiven, *, no_own: bool
) -> list[tuple[RemoteCluster, Opener]]:
    """The clusters that are to be asked, this one first."""
    every = openers(fleet.clusters, site.parent)
    every = every if no_own else [own_cluster(fleet), *every]
    wanted = chosen([cluster for cluster, _ in every], names or (), labels_of(label))
    return [each for each in every if each[0] in wanted]


def clusters_alerts(  # noqa: PLR0913  # one argument for each option
    names: Names = None,
    site: SitePath = DEFAULT_SITE,
    *,
    label: LabelsGiven = None,
    no_own: NoOwn = False,
    severity: Severity = None,
    limit: Limit = _ALERTS,
    json: Json = False,
) -> None:
    """List the alerts of all clusters, the most severe first, then the newest."""
    from aamic.model.overview import FoundAlerts, Same
    from aamic.ops.clusters import absent, added, merged, missing, repeated
    from aamic.views import clusters as view

    wanted = _wanted(checked(site).fleet, site, names, label, no_own=no_own)
    done = ask_all(wanted, lambda remote: remote.alerts(severity and severity.value, limit))
    answers = [(cluster.name, found) for cluster, found in done if not isinstance(found, RemoteError)]
    silent = [absent(cluster, found) for cluster, found in done if isinstance(found, RemoteError)]
    same = repeated((name, each.cluster) for name, each in answers)
    counted = [(name, each) for name, each in answers if name not in same]
    found = FoundAlerts(
        at=time.time(),
        connected=len(answers),
        alerts=merged((name, each.alerts) for name, each in counted)[:limit],
        total=added(each.total for _, each in counted) or 0,
        missing=missing(silent),
        same=[Same(name=name, same_as=before) for name, before in same.items()],
    )
    _tell(found, view.alerts_text(found, columns(), colour=colourful()), json=json)
    if told := view.missing_text(found.missing, len(done), columns()):
        typer.echo(told, nl=False, err=True)
    if done and not answers:
        raise typer.Exit(EXIT_FAILED)


def try_cluster(name: Name, site: SitePath = DEFAULT_SITE, *, json: Json = False) -> None:
    """Try one cluster step by step: credentials, connection, certificate, key, answer, and what it calls itself."""
    from aamic.views import clusters as view

    fleet = checked(site).fleet
    outcome = attempt(_known(fleet, name), site.parent, fleet.cluster)
    _tell(outcome, view.tried_text(outcome, columns(), colour=colourful()), json=json)
    if not outcome.connected:
        raise typer.Exit(EXIT_FAILED)


def clusters_info(name: Name, site: SitePath = DEFAULT_SITE, *, json: Json = False) -> None:
    """Show everything that one cluster tells: version, nodes, GPUs, shards, alerts."""
    from aamic.views import clusters as view

    cluster = _known(checked(site).fleet, name)
    found = ask(partial(open_cluster, cluster, site.parent), lambda remote: _details(cluster, remote))
    details = _unseen(cluster, found) if isinstance(found, RemoteError) else found
    _tell(details, view.details_text(details, columns(), colour=colourful()), json=json)
    if details.seen.status is None:
        raise typer.Exit(EXIT_FAILED)


def attempt(cluster: RemoteCluster, folder: Path, own: str) -> Tried:
    """How a first contact with a cluster goes; `own` is the name of this one."""
    from aamic.ops.clustertest import tried

    return tried(cluster, ask(partial(open_cluster, cluster, folder), _introduced), own)


def _introduced(remote: Remote) -> Answered:
    from aamic.ops.clustertest import Answered

    remote.ping()
    version = remote.version()
    remote.status()  # a server may be there whose Prometheus is not
    return Answered(version, remote.certificate, time.time())


def _known(fleet: Fleet, name: str) -> RemoteCluster:
    expect_known(fleet.clusters, [name])
    return next(each for each in fleet.clusters if each.name == name)


def _unseen(cluster: RemoteCluster, error: RemoteError) -> Details:
    from aamic.model.overview import Details
    from aamic.ops.clusters import absent

    return Details(seen=absent(cluster, error))


def _details(cluster: RemoteCluster, remote: Remote) -> Details:
    """Everything that it answers; what it does not is told, once it has said how it is."""
    from aamic.model.overview import Details
    from aamic.ops.clusters import connected

    seen, missing = connected(cluster, remote.status()), list[str]()
    alerts = _try(lambda: remote.alerts(None, _ALERTS), "alerts", missing)
    nodes = _try(lambda: _nodes(remote), "nodes", missing)
    return Details(
        seen=seen,
        program=_try(remote.version, "version", missing),
        health=_try(remote.health, "health", missing),
        alerts=alerts and alerts.alerts,
        alerts_total=alerts and alerts.total,
        nodes=nodes and list(nodes[0]),
        nodes_total=nodes and nodes[1],
        missing=missing,
    )


def _try(part: Callable[[], T], name: str, missing: list[str]) -> T | None:
    try:
        return part()
    except OutsideError as error:
        missing.append(f"{name}: {error}")
        return None


def _nodes(remote: Remote) -> tuple[Sequence[Any], int]:
    """Its nodes, page by page, and how many there are."""
    nodes: list[Any] = []
    for _ in range(_PAGES):
        page = remote.nodes(_PAGE, len(nodes))
        nodes += page.nodes
        if len(page.nodes) < _PAGE:
            break
    return nodes, page.total


def _tell(document: BaseModel, text: str, *, json: bool) -> None:
    if json:
        typer.echo(document.model_dump_json(indent=2))
    else:
        typer.echo(text, nl=False, color=colourful() or None)
