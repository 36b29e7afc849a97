"""`aamic serve`: the read-only API and status page of this cluster."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from aamic.commands.options import DEFAULT_SITE, SitePath

if TYPE_CHECKING:
    from starlette.types import ASGIApp

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

    settings, inventory = _settings(config, site)
    given = {"address": address or settings.address, "port": settings.port if port is None else port}
    settings = settings.model_copy(update=given)
    expect_safe(settings)
    _run(settings, inventory, log_level)


def _settings(config: Path | None, site: Path) -> tuple[ServeConfig, Inventory]:
    from aamic.serve.settings import read

    if config is None:
        return _compiled(site)
    return read(config)


def _run(settings: ServeConfig, inventory: Inventory, log_level: str) -> None:
    from aamic.serve import log
    from aamic.serve.server import PATIENCE, Server, Terms
    from aamic.serve.settings import listen
    from aamic.serve.tls import context

    tls = context(settings.tls) if settings.tls else None
    sockets = listen(settings.address, settings.port)
    log.start(log_level)
    port = sockets[0].getsockname()[1]
    where = f"{'https' if tls else 'http'}://{_host(settings.address)}:{port}"
    server = Server(_guarded(settings, inventory), sockets, tls, Terms(patience=settings.timeout + PATIENCE))
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
    app = application(Source(settings.cluster, version("aamic"), racks, snapshot.view, page, CSP))
    guard = Guard(Keyring.of(settings.keys), Limiter(settings.rate), open=not is_guarded(settings))
    return Gate(app, guard, paths_of(app))


def _look(settings: ServeConfig, inventory: Inventory) -> View:
    """The cluster at this moment."""
    from time import time

    from aamic.clients.alarms import Alertmanagers
    from aamic.clients.prometheus import Prometheus
    from aamic.ops.clusterview import look
    from aamic.serve.snapshot import Ahead, Hurried

    alarms = Ahead(Alertmanagers(settings.alertmanagers, settings.timeout), settings.timeout)
    metrics = Hurried(Prometheus(settings.prometheus, settings.timeout), settings.timeout)
    return look(settings, inventory, metrics, alarms, time())
