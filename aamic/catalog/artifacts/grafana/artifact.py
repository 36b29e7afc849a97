"""Grafana on its host: unit, settings, data sources, dashboards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from aamic.catalog.artifacts.grafana.links import targets
from aamic.catalog.artifacts.grafana.pages import page
from aamic.catalog.artifacts.grafana.settings import (
    CERTIFICATE,
    DASHBOARDS,
    FOLDER,
    PASSWORD,
    PROVISIONING,
    STORAGE,
    TLS_KEY,
    grafana_ini,
)
from aamic.catalog.artifacts.grafana.sources import folders_file, sources_file
from aamic.catalog.units import account_files, install_entry, unit_file
from aamic.model.fleet import Fleet, Grafana, Unit
from aamic.model.tree import File, OnChange, Part

NAME: Final = "aami-grafana"
_PACKAGED: Final = "grafana-server.service"
"""The unit of the package, which would listen on the same port."""
_RESTART: Final = OnChange("restart", f"{NAME}.service")


def render(fleet: Fleet) -> Iterable[Part]:
    """One bundle on one host; none without Grafana."""
    if fleet.grafana is None:
        return
    grafana = fleet.grafana
    unit = unit_of(fleet, grafana)
    yield Part(
        bundle="grafana",
        hosts=(grafana.host,),
        files=(
            unit_file(unit),
            *account_files(NAME, NAME, unit.writable),
            *_settings(fleet, grafana),
            *_dashboards(fleet),
        ),
        services={unit.file_name: "started", _PACKAGED: "masked"},
        installs=(install_entry(grafana.install),),
        secrets=_secrets(grafana),
        ports={unit.file_name: (grafana.port,)},
        stage="central",
    )


def unit_of(fleet: Fleet, grafana: Grafana) -> Unit:
    """The systemd service, as that of the package but for what ours are hardened by.

    Memory that is written and run stays allowed, as the package's own unit allows it.
    """
    return Unit(
        name=NAME,
        description=f"Dashboards of cluster {fleet.cluster}",
        command=(grafana.binary, "server", f"--homepath={grafana.home}", f"--config={FOLDER}/grafana.ini"),
        user=NAME,
        writable=(STORAGE,),
        memory_deny_write_execute=False,
    )


def _settings(fleet: Fleet, grafana: Grafana) -> Iterator[File]:
    """What Grafana reads at its start alone."""
    yield File(f"{FOLDER}/grafana.ini", grafana_ini(fleet, grafana), on_change=_RESTART)
    yield File(f"{PROVISIONING}/datasources/aamic.yaml", sources_file(fleet, grafana), on_change=_RESTART)
    yield File(f"{PROVISIONING}/dashboards/aamic.yaml", folders_file(grafana), on_change=_RESTART)
    if grafana.certificate is not None:
        yield File(CERTIFICATE, grafana.certificate, on_change=_RESTART)


def _dashboards(fleet: Fleet) -> Iterator[File]:
    """The dashboards, which Grafana reads again by itself."""
    known = targets(fleet)
    for dashboard in fleet.dashboards:
        yield File(f"{DASHBOARDS}/{dashboard.uid}.json", page(dashboard, known))


def _secrets(grafana: Grafana) -> Mapping[str, Mapping[str, Any]]:
    """The references to the password and the private key; a new one restarts Grafana, as its files do."""
    named = {PASSWORD: grafana.admin_password, TLS_KEY: grafana.tls_key}
    return {path: {**secret.model_dump(), "owner": NAME} for path, secret in named.items() if secret is not None}
