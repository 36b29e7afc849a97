"""`aamic serve`: the read-only API and status page of this cluster."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from aamic.commands.options import DEFAULT_SITE, SitePath, checked
from aamic.errors import InputError, Problem

if TYPE_CHECKING:
    from ssl import SSLContext

    from starlette.types import ASGIApp

    from aamic.model.fleet import Serve
    from aamic.model.serveconfig import Inventory, ServeConfig
    from aamic.ops.clusterview import View

ConfigPath = Annotated[
    Path | None,
    typer.Option("--config", help="Rendered configuration, as on its host; without it the site is compiled."),
]
Address = Annotated[str | None, typer.Option("--address", help="Listen on this address instead of the one given.")]
Port = Annotated[
    int | None, typer.Option("--port", min=0, max=65535, help="Listen on this port instead; 0 for any free one.")
]
LogLevel = Annotated[
    Literal["info", "warning", "error"], typer.Option("--log-level", help="Least of what is logged to standard error.")
]


def serve(
    config: ConfigPath = None,
    site: SitePath = DEFAULT_SITE,
    *,
    address: Address = None,
    port: Port = None,
    log_level: LogLevel = "info",
) -> None:
    """Answer what this cluster's Prometheus knows of it, as JSON and as a page, until SIGTERM or Ctrl-C."""
    from aamic.serve.settings import expect_safe

    start = _from_site(site) if config is None else _from_config(config)
    given = {"address": address or start.settings.address, "port": start.settings.port if port is None else port}
    start = replace(start, settings=start.settings.model_copy(update=given))
    expect_safe(start.settings)
    _run(start, log_level)


@dataclass(frozen=True, slots=True)
class _Start:
    """What a server starts with."""

    settings: ServeConfig
    inventory: Inventory
    tls: SSLContext | None


def _from_config(path: Path) -> _Start:
    """What was rendered for its host."""
    from aamic.serve.settings import read
    from aamic.serve.tls import context

    settings, inventory = read(path)
    return _Start(settings, inventory, context(settings.tls) if settings.tls else None)


def _from_site(site: Path) -> _Start:
    """What would be rendered, but with the servers at their addresses, as this machine may be any."""
    from aamic.catalog.artifacts.serve.artifact import config_of, inventory
    from aamic.model.serveconfig import Inventory

    fleet = checked(site).fleet
    if fleet.serve is None:
        hint = "add `serve` to it: docs/clusters.md"
        raise InputError([Problem("this site has nothing to serve", hint=hint)])
    settings = config_of(fleet, replace(fleet.serve, host=""))
    nodes = Inventory.model_validate_json(inventory(fleet))
    return _Start(settings, nodes, _tls_of(fleet.serve, site.parent))


def _tls_of(serve: Serve, folder: Path) -> SSLContext | None:
    """TLS with the site's certificate and the key that its reference leads to; ssl reads both from files only."""
    from tempfile import TemporaryDirectory

    from aamic.clients.secrets import read_secret
    from aamic.model.serveconfig import Tls
    from aamic.serve.tls import context

    if serve.certificate is None or serve.tls_key is None:
        return None
    with TemporaryDirectory(prefix="aamic-serve-") as private:
        key = read_secret(serve.tls_key.model_dump(), folder)
        paths = _written(Path(private), serve.certificate, key, serve.client_authorities)
        return context(Tls(certificate=paths[0], key=paths[1], client_authorities=paths[2]))


def _written(folder: Path, *contents: bytes | None) -> list[Any]:
    """The paths of files in a folder, None for those without content."""
    paths = [None if content is None else folder / str(number) for number, content in enumerate(contents)]
    for path, content in zip(paths, contents, strict=True):
        if path is not None and content is not None:
            path.write_bytes(content)
    return [None if path is None else str(path) for path in paths]


def _run(start: _Start, log_level: str) -> None:
    from aamic.serve import log
    from aamic.serve.server import PATIENCE, Server, Terms
    from aamic.serve.settings import listen

    settings = start.settings
    sockets = listen(settings.address, settings.port)
    log.start(log_level)
    port = sockets[0].getsockname()[1]
    where = f"{'https' if start.tls else 'http'}://{_host(settings.address)}:{port}"
    terms = Terms(patience=settings.timeout + PATIENCE)
    server = Server(_guarded(settings, start.inventory), sockets, start.tls, terms)
    log.LOGGER.info("serving %s at %s", settings.cluster, where)
    server.run()
    if server.interrupted:
        raise KeyboardInterrupt


def _host(address: str | None) -> str:
    return "*" if address is None else f"[{address}]" if ":" in address else address


def _guarded(settings: ServeConfig, inventory: Inventory) -> ASGIApp:
    """The application behind its guard."""
    from importlib.metadata import version

    from aamic.serve.app import Source, application, paths_of
    from aamic.serve.gate import Gate, Guard
    from aamic.serve.keyring import Keyring
    from aamic.serve.limiting import Limiter
    from aamic.serve.settings import is_guarded
    from aamic.serve.snapshot import Snapshot
    from aamic.views.statuspage import CSP, page

    snapshot = Snapshot(lambda: _look(settings, inventory), settings.timeout)
    racks = frozenset(node.rack for node in inventory.nodes if node.rack)
    app = application(Source(settings.cluster, racks, version("aamic"), snapshot.view, page, CSP))
    guard = Guard(Keyring.of(settings.keys), Limiter(settings.rate), open=not is_guarded(settings))
    return Gate(app, guard, paths_of(app))


def _look(settings: ServeConfig, inventory: Inventory) -> View:
    """The cluster at this moment."""
    from time import time

    from aamic.clients.alarms import alarms_of
    from aamic.clients.prometheus import Prometheus
    from aamic.ops.clusterview import look
    from aamic.serve.snapshot import Ahead, Hurried, share

    prometheus = Prometheus(settings.prometheus, settings.timeout)
    alarms = alarms_of(settings.alertmanagers, prometheus, share(settings.timeout))
    metrics = Hurried(prometheus, settings.timeout)
    return look(settings, inventory, metrics, Ahead(alarms, settings.timeout), time())
