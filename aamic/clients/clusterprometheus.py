"""Another cluster, by its Prometheus or Thanos Query: metrics and alerts over an authenticated connection."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from aamic.clients.alertdocuments import of_prometheus
from aamic.clients.base import Sample, Shown
from aamic.clients.clusterhttp import ClusterHttp
from aamic.clients.prometheus import PartError, Prometheus
from aamic.errors import OutsideError, RemoteError, RemoteState
from aamic.model import api
from aamic.model.fleet import RemoteCluster

_T = TypeVar("_T")
_FIRING: Final = 'ALERTS_FOR_STATE and ignoring(alertstate) ALERTS{alertstate="firing"}'
"""Firing alerts with the time from which on each was there as their value, where no rules are evaluated."""


def open_prometheus(cluster: RemoteCluster, folder: Path) -> PrometheusCluster:
    """Return a cluster of kind `prometheus`, without asking it; secrets and PEM are relative to the site's folder.

    Raises:
        RemoteError: A key or certificate cannot be read: `no credentials`.
    """
    return PrometheusCluster(ClusterHttp(cluster, folder))


class PrometheusCluster:
    """`Metrics` and `Alarms` of another cluster; safe to use from many threads. Every method raises RemoteError."""

    def __init__(self, http: ClusterHttp) -> None:
        self._http = http
        self._prometheus = Prometheus(http.url, read=http.get)

    def query(self, expr: str) -> tuple[Sample, ...]:
        """Return the series of an instant query that gives a vector."""
        found = self._asked(lambda: self._prometheus.query(expr))
        if all(isinstance(each, str) for sample in found for each in dict(sample.labels).values()):
            return found
        told = f"`{self._http.url}` answers, but its series are not those of Prometheus"
        raise RemoteError("foreign", told, "is it the address of another server?")

    def version(self) -> str:
        """Return the version of the program that answers, such as `2.42.0`."""
        return self._asked(self._prometheus.version)

    def firing(self) -> tuple[api.Alert, ...]:
        """Return the alerts that fire. It knows nothing of silences, which are Alertmanager's."""
        try:
            return self._asked(self._prometheus.firing)
        except RemoteError as error:
            if error.state not in {"not found", "foreign"}:
                raise
        return of_prometheus({"alerts": [_alert(each) for each in self.query(_FIRING)]})

    @property
    def certificate(self) -> Shown | None:
        """What the server showed when it last answered; None before that, and for plain HTTP."""
        return self._http.certificate

    def close(self) -> None:
        """Close every connection."""
        self._http.close()

    def _asked(self, ask: Callable[[], _T]) -> _T:
        try:
            return ask()
        except RemoteError:
            raise
        except OutsideError as error:
            state: RemoteState = "unavailable" if isinstance(error, PartError) else "foreign"
            found = RemoteError(state, self._http.shown(str(error), 400), error.hint)
        raise found


def _alert(found: Sample) -> dict[str, Any]:
    """A series of an alert, as the alert stands in `/api/v1/alerts`."""
    labels = {name: value for name, value in found.labels.items() if name not in {"__name__", "alertstate"}}
    return {"labels": labels, "activeAt": _moment(found.value)}


def _moment(seconds: float) -> str | None:
    with suppress(ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(seconds, UTC).isoformat()
    return None
