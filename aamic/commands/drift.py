"""`aamic drift`: which hosts differ from what was applied, by one query."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from aamic.commands.options import DEFAULT_SITE, Json, SitePath, checked, print_json
from aamic.errors import InputError, OutsideError, Problem

if TYPE_CHECKING:
    from aamic.model.drift import Drift
    from aamic.model.fleet import Fleet

EXIT_DIFFERENT: Final = 16
_TIMEOUT: Final = 60.0

Url = Annotated[
    str | None,
    typer.Option("--prometheus", metavar="URL", help="The server to ask; central, or the only one, if not given."),
]


def drift(site: SitePath = DEFAULT_SITE, *, prometheus: Url = None, json: Json = False) -> None:
    """Ask Prometheus which hosts differ from what was applied; exit 16 unless all are known to be in sync."""
    from aamic.views.drift import text, to_json

    if prometheus is not None and not prometheus.startswith(("http://", "https://")):
        raise typer.BadParameter("write a URL such as `http://mon-01:9090`", param_hint="--prometheus")
    fleet = checked(site).fleet
    _check_read(fleet)
    url = prometheus or _top(fleet)
    found = _ask(fleet, url)
    if json:
        print_json(to_json(found, url))
    else:
        typer.echo(text(found, url))
    if not found.in_sync:
        raise typer.Exit(EXIT_DIFFERENT)


def _check_read(fleet: Fleet) -> None:
    """Whether anything reads the check's metrics in this site; InputError if not."""
    if not any(service.textfiles for service in fleet.services):
        hint = "let `exporters.node` run, with its collector `textfile`; or ask the hosts by `aamic plan`"
        raise InputError([Problem("no exporter of this site reads what its hosts say of drift", hint=hint)])


def _ask(fleet: Fleet, url: str) -> Drift:
    """What the server at `url` says of every node; OutsideError if it does not."""
    from aamic.clients.prometheus import Prometheus
    from aamic.ops.drift import classify, query

    try:
        samples = Prometheus(url, _TIMEOUT).query(query(fleet.cluster))
    except OutsideError as error:
        hint = error.hint or "`--prometheus URL` asks another server, such as one behind a tunnel"
        raise OutsideError(f"Prometheus cannot be asked for drift: {error}", hint) from error
    return classify(fleet.cluster, fleet.nodes, samples)


def _top(fleet: Fleet) -> str:
    """The URL of the server that sees the whole site."""
    server = next(server for server in fleet.servers if server.role != "shard")
    return f"http://{fleet.address(server.host, server.port)}"
