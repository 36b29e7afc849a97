"""What `aamic serve` needs to know, as JSON on its host: the compiler renders it, and the server reads it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from aamic.model.clusters import ServeKey
from aamic.model.types import Model


class Tls(Model):
    """Paths of PEM files on the host; `client_authorities` makes client certificates a must."""

    certificate: str
    key: str
    client_authorities: str | None = None


class ShardEntry(Model):
    """One Prometheus server that scrapes nodes; `nodes` is how many."""

    name: str
    replica: str | None
    host: str
    nodes: int
    predicted_series: int


class RemoteEntry(Model):
    """Another cluster of the site."""

    name: str
    endpoint: str
    kind: Literal["aami", "prometheus"]
    labels: dict[str, str]
    federate: bool


class NodeEntry(Model):
    """One node as the site has it; those without GPUs have neither vendor nor model.

    `checked` tells whether the node judges itself where `node_checks` are on; one without GPUs never does.
    """

    name: str
    rack: str | None = None
    vendor: str | None = None
    model: str | None = None
    gpus: int = 0
    checked: bool = True


class ServeConfig(Model):
    """Everything but the nodes, which stand in a file of their own (`Inventory`), so that a new node is a new line.

    `prometheus` is the URL of the central or single server, `alertmanagers` those of all Alertmanagers. `node_checks`
    tells whether nodes judge themselves; `staleness` is for how many seconds a sample that central has counts.
    `address` null listens on every address.
    """

    cluster: str
    labels: dict[str, str] = Field(default={})
    address: str | None
    port: int
    tls: Tls | None
    keys: list[ServeKey]
    rate: int
    timeout: float
    prometheus: str
    alertmanagers: list[str]
    node_checks: bool
    staleness: float
    federated: bool = Field(description="Whether `prometheus` is a central server that reads shards.")
    shards: list[ShardEntry]
    clusters: list[RemoteEntry]


class Inventory(Model):
    """The nodes of the cluster, one on each line of their file."""

    nodes: list[NodeEntry]
