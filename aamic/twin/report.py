"""What was seen of a twin, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ServerReport:
    """One Prometheus: its targets, and the series in its memory beside those predicted for it."""

    name: str
    host: str
    url: str
    targets_up: int
    targets: int
    series: int
    predicted_series: int


@dataclass(frozen=True, slots=True)
class FederatedReport:
    """What the server above all shards (or the single one) knows: targets up, and `gpu:*` series."""

    server: str
    targets_up: int
    targets: int
    gpu_series: Mapping[str, Mapping[str, int]]
    """Number of series by vendor and metric."""


@dataclass(frozen=True, slots=True)
class AlertReport:
    """An alert that a fault raised, and how many seconds after it was injected Alertmanager held it."""

    injected: str
    labels: Mapping[str, str]
    summary: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Failure:
    """What was waited for in vain, what of it was missing, and the end of the log of a process that ended."""

    step: str
    missing: tuple[str, ...]
    log: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """The whole run; each part is there as soon as it was seen.

    `nodes` of `site_nodes` took part; `real_node` is the one whose node_exporter is this machine's own; `urls` are
    those of every Prometheus and Alertmanager. `left_out` is what the site has and no twin runs.
    """

    cluster: str
    nodes: int
    site_nodes: int
    real_node: str | None = None
    left_out: tuple[str, ...] = ()
    urls: Mapping[str, str] = field(default_factory=dict)
    servers: tuple[ServerReport, ...] = ()
    federated: FederatedReport | None = None
    alerts: tuple[AlertReport, ...] = ()
    failure: Failure | None = None

    @property
    def ok(self) -> bool:
        """Whether everything expected was seen."""
        return self.failure is None


def to_json(report: Report) -> dict[str, Any]:
    """Return the report as JSON-ready data."""
    return {"ok": report.ok, **asdict(report)}
