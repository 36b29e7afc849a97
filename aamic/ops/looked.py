"""A cluster that is asked through its Prometheus, as if it had aamic's API."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Protocol

from aamic.clients.base import Shown
from aamic.errors import RemoteError
from aamic.model.api import Alerts, Health, Nodes, Ping, Status, Version
from aamic.ops.clusterview import View
from aamic.ops.nodeverdicts import counted_as
from aamic.ops.plausible import clip


class Server(Protocol):
    """A server of Prometheus' API."""

    def version(self) -> str:
        """Return the version of the program that answers."""


class Connected(Server, Protocol):
    """A server with connections that are kept."""

    @property
    def certificate(self) -> Shown | None:
        """The certificate that it showed with its last answer."""

    def close(self) -> None:
        """Close every connection."""


class Looked:
    """A `Remote` over one look, which is taken when it is first asked for; of this cluster itself."""

    def __init__(self, look: Callable[[], View], server: Server) -> None:
        self._look = look
        self._server = server

    @property
    def certificate(self) -> Shown | None:
        """Nothing: this cluster's own servers are asked without TLS."""
        return None

    def close(self) -> None:
        """Do nothing: every answer ends its connection."""

    @cached_property
    def _view(self) -> View:
        return self._look()

    def ping(self) -> Ping:
        """Return the name that its series have, if it is there and lets us in."""
        return Ping(cluster=self._view.status.cluster)

    def version(self) -> Version:
        """Return what answers there; of aamic it has no version."""
        return Version(aamic="", api=clip(f"Prometheus {self._server.version()}"), cluster=self._view.status.cluster)

    def status(self) -> Status:
        """Return the cluster at one look."""
        return self._view.status

    def health(self) -> Health:
        """Return how well its nodes are."""
        return self._view.health

    def alerts(self, severity: str | None, limit: int) -> Alerts:
        """Return its alerts, the most severe first. Raises OutsideError where nobody could be asked for them."""
        status, alerts = self._view.status, self._view.alerts
        if alerts is None:
            raise RemoteError("unavailable", f"nobody of `{status.cluster}` could be asked for its alerts")
        found = [alert for alert in alerts if severity in (None, counted_as(alert.severity))]
        return Alerts(cluster=status.cluster, at=status.at, alerts=found[:limit], total=len(found))

    def nodes(self, limit: int, offset: int) -> Nodes:
        """Return some of its nodes, in natural order."""
        status, nodes = self._view.status, self._view.nodes
        page = list(nodes[offset : offset + limit])
        return Nodes(cluster=status.cluster, at=status.at, nodes=page, total=len(nodes), offset=offset)


class LookedFromOutside(Looked):
    """The same of a cluster elsewhere."""

    def __init__(self, look: Callable[[], View], server: Connected) -> None:
        super().__init__(look, server)
        self._connected = server

    @property
    def certificate(self) -> Shown | None:
        """The certificate that its server showed with its last answer; None without TLS."""
        return self._connected.certificate

    def close(self) -> None:
        """Close every connection."""
        self._connected.close()
