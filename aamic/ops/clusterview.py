"""One cluster at one look: what its Prometheus and its Alertmanager say of it, as documents of the API. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aamic.clients.base import Alarms, Metrics, Sample
from aamic.model.api import Alert, Health, Node, Status
from aamic.model.serveconfig import Inventory, ServeConfig


@dataclass(frozen=True, slots=True)
class View:
    """A cluster at one look.

    `nodes` are in natural order, `alerts` the most severe and then the newest first, firing and suppressed ones.
    `aggregates` are the samples of its own `cluster:*` series, with their names in the label `__name__`.
    """

    status: Status
    health: Health
    nodes: tuple[Node, ...]
    alerts: tuple[Alert, ...]
    aggregates: Sequence[Sample]


def look(config: ServeConfig, inventory: Inventory, metrics: Metrics, alarms: Alarms | None, now: float) -> View:
    """Look at the cluster of a site once; `now` is in seconds since 1970 and stands in the documents.

    `metrics` is its central or single Prometheus. `alarms` is who knows its alerts, Prometheus itself where it has no
    Alertmanager; None where nobody does, and then no node is ok. What cannot be asked is null and told in `missing`.

    Raises:
        OutsideError: Prometheus does not answer, or not whether nodes are up, without which nothing is known.
    """
    raise NotImplementedError


def look_from_outside(name: str, metrics: Metrics, alarms: Alarms | None, now: float) -> View:
    """Look at a cluster of which only a Prometheus or Thanos is known; `name` is what it is called here.

    Where it has `cluster:*` aggregates it is read as the central server of aamic: of the one cluster that it has, or
    of the one called `name` where it has several. Of any other Prometheus only `up` and its alerts are read: how many
    nodes there should be is null, and a node of which nothing is wrong is unknown, as nothing says that it is well.

    Raises:
        OutsideError: It does not answer, or for several clusters of which none is called `name`.
    """
    raise NotImplementedError
