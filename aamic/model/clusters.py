"""Other clusters that a site reads, and `aamic serve`, by which others read this one: as the user writes them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from aamic.model.secret import Secret
from aamic.model.source import Source
from aamic.model.types import (
    AbsolutePath,
    Address,
    Duration,
    Endpoint,
    Labels,
    Line,
    Model,
    Name,
    NodeName,
    Port,
    Sha256,
    Whole,
)


class RemoteCluster(Model):
    """Another cluster that is read from here."""

    name: Name = Field(description="What it is called here; value of the `cluster` label on what is read from it.")
    endpoint: Endpoint = Field(description="URL at which it answers, `https://` unless it is on this machine.")
    kind: Literal["aami", "prometheus"] = Field(
        default="aami",
        description="`aami`: `aamic serve` answers; `prometheus`: a Prometheus or Thanos Query.",
    )
    api_key: Secret | None = Field(default=None, description="Reference to the bearer key that it wants.")
    tls_cert: Line | None = Field(
        default=None, description="Our client certificate (PEM), relative to the site, where it wants one."
    )
    tls_key: Secret | None = Field(default=None, description="Reference to the private key of `tls_cert`.")
    tls_ca_cert: Line | None = Field(
        default=None,
        description="Certificates (PEM) of the authorities that its certificate may come from, relative to the site; "
        "those of the system if absent.",
    )
    labels: Labels = Field(default={}, description="What people say of it, such as a region; shown and filtered by.")
    timeout: Duration = Field(default="10s", description="Longest wait for one answer, from first to last byte.")
    federate: bool = Field(
        default=False,
        description="True: central reads its `cluster:*` aggregates, and alerts where it is gone or stale. Of "
        "`kind: prometheus` it reads `/federate`, which Thanos Query does not have.",
    )


class ServeKey(Model):
    """One key that `aamic serve` accepts; `aamic keys create` makes one."""

    name: Name = Field(description="Who has it; stands in the log in place of the key.")
    sha256: Sha256 = Field(description="Digest of the key, which itself is written nowhere.")


class Serve(Model):
    """The read-only API and status page of this cluster."""

    enabled: bool = Field(default=True, description="False: nothing is served.")
    node: NodeName | None = Field(default=None, description="Host it runs on; that of central if absent.")
    address: Address | None = Field(default=None, description="Address to listen on; every one of the host if absent.")
    port: Port = Field(default=9443, description="Port to listen on.")
    source: Source | None = Field(
        default=None, description="Where the program comes from; absent: `program` is there already."
    )
    program: AbsolutePath = Field(
        default="/opt/aami/venv/bin/aamic", description="Path of aamic on that host, where `source` does not bring it."
    )
    tls_cert: Line | None = Field(
        default=None, description="Certificate with its chain (PEM), relative to the site. Only loopback goes without."
    )
    tls_key: Secret | None = Field(default=None, description="Reference to the private key of `tls_cert`.")
    tls_client_ca: Line | None = Field(
        default=None,
        description="Certificates (PEM) of the authorities of client certificates; nobody is let in without one.",
    )
    keys: list[ServeKey] = Field(default=[], description="Keys that are let in; taking one out revokes it.")
    rate: Annotated[int, Whole(1, 1_000_000)] = Field(
        default=600, description="Requests a minute that one key, or one address without a key, may make."
    )
    timeout: Duration = Field(default="5s", description="Longest wait for this cluster's Prometheus; then 503.")
