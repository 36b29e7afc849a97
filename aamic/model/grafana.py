"""Grafana, as the user writes it: one server that shows what Prometheus or Thanos has."""

from __future__ import annotations

from pydantic import Field

from aamic.model.secret import Secret
from aamic.model.source import PackageSource
from aamic.model.types import AbsolutePath, HttpUrl, Line, Model, NodeName, Port, UserName


class Grafana(Model):
    """A Grafana with its data sources and dashboards; what people save in it by themselves stays theirs."""

    enabled: bool = Field(default=True, description="False: no Grafana is set up.")
    node: NodeName | None = Field(default=None, description="Host it runs on; that of central if absent.")
    port: Port = Field(default=3000, description="Port it listens on.")
    root_url: HttpUrl | None = Field(
        default=None, description="URL at which people reach it, where that is not the host's own address and port."
    )
    folder: Line | None = Field(default=None, description="Folder of the dashboards; the cluster's name if absent.")
    admin_user: UserName = Field(default="admin", description="Name of the first administrator.")
    admin_password: Secret = Field(
        description="Reference to the first administrator's password; Grafana reads it at its first start."
    )
    anonymous: bool = Field(default=False, description="True: whoever reaches it may look, without a login.")
    tls_cert: Line | None = Field(default=None, description="Certificate with its chain (PEM), relative to the site.")
    tls_key: Secret | None = Field(default=None, description="Reference to the private key of `tls_cert`.")
    source: PackageSource = Field(
        default=PackageSource(package="grafana", binary="/usr/share/grafana/bin/grafana"),
        description="The package it comes from, 11.6 or newer; Grafana Labs' repository has it, Debian has not.",
    )
    home: AbsolutePath = Field(
        default="/usr/share/grafana", description="Folder of Grafana's own files, which the package brings."
    )
