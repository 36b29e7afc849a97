"""A cluster of which only a Prometheus or a Thanos Query is known, asked as if it had aamic's API."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property
from typing import Protocol

from aamic.clients.base import Alarms, Metrics
from aamic.model.api import Alerts, Health, Nodes, Ping, Status, Version
from aamic.ops.clusterview import View, look_from_outside


class Server(Metrics, Alarms, Protocol):
    """What answers there. Every method raises RemoteError where it gives no answer that counts."""

    def version(self) -> str:
        """Return the version of the program."""

    def close(self) -> None:
        """Close every connection."""


class Outside:
    """A `Remote` over a server of Prometheus' API; it looks once, when it is first asked."""

    def __init__(self, name: str, server: Server, clock: Callable[[], float] = time.time) -> None:
        self._name = name
        self._server = server
        self._clock = clock

    @cached_property
    def _view(self) -> View:
        return look_from_outside(self._name, self._server, self._server, self._clock())

    def ping(self) -> Ping:
        """Return the name that its series have, if it is there and lets us in."""
        return Ping(cluster=self._view.status.cluster)

    def version(self) -> Version:
        """Return what answers there; of aamic it has no version."""
        return Version(aamic="", api=f"Prometheus {self._server.version()}", cluster=self._view.status.cluster)

    def status(self) -> Status:
        """Return the cluster at one look."""
        return self._view.status

    def health(self) -> Health:
        """Return how well its nodes are."""
        return self._view.health

    def alerts(self, severity: str | None, limit: int) -> Alerts:
        """Return its alerts, the most severe first."""
        status = self._view.status
        found = [alert for alert in self._view.alerts if severity in (None, alert.severity)]
        return Alerts(cluster=status.cluster, at=status.at, alerts=found[:limit], total=len(found))

    def nodes(self, limit: int, offset: int) -> Nodes:
        """Return some of its nodes, in natural order."""
        status, nodes = self._view.status, self._view.nodes
        page = list(nodes[offset : offset + limit])
        return Nodes(cluster=status.cluster, at=status.at, nodes=page, total=len(nodes), offset=offset)

    def close(self) -> None:
        """Close every connection."""
        self._server.close()
