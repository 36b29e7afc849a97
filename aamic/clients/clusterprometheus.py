"""Another cluster, by its Prometheus or Thanos Query: metrics and alerts over an authenticated connection."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

from pydantic import ValidationError

from aamic.clients.base import Sample
from aamic.clients.clusterhttp import ClusterHttp
from aamic.clients.prometheus import Alert, PartError, Prometheus
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
        return self._asked(lambda: self._prometheus.query(expr))

    def version(self) -> str:
        """Return the version of the program that answers, such as `2.42.0`."""
        return self._asked(self._prometheus.version)

    def firing(self) -> tuple[api.Alert, ...]:
        """Return the alerts that fire. It knows nothing of silences, which are Alertmanager's."""
        try:
            found = self._asked(self._prometheus.alerts)
        except RemoteError as error:
            if error.state not in {"not found", "foreign"}:
                raise
            return self._firing_by_series()
        return self._documents(_alert(each) for each in found if each.state == "firing")

    def _firing_by_series(self) -> tuple[api.Alert, ...]:
        return self._documents(map(_alert_of_series, self.query(_FIRING)))

    def _documents(self, alerts: Iterable[api.Alert]) -> tuple[api.Alert, ...]:
        with suppress(ValidationError, ValueError, AttributeError, TypeError, OverflowError):
            return tuple(alerts)
        told = f"`{self._http.url}` answers, but its alerts are not those of Prometheus"
        raise RemoteError("foreign", told, "is it the address of another server?")

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


def _alert(found: Alert) -> api.Alert:
    return _document(dict(found.labels), datetime.fromisoformat(found.since).astimezone(UTC).timestamp(), found)


def _alert_of_series(found: Sample) -> api.Alert:
    labels = {name: value for name, value in found.labels.items() if name not in {"__name__", "alertstate"}}
    return _document(labels, found.value, None)


def _document(labels: dict[str, str], since: float, found: Alert | None) -> api.Alert:
    said = {} if found is None else dict(found.annotations)
    return api.Alert(
        name=labels.get("alertname", ""),
        severity=labels.get("severity", ""),
        state="firing",
        since=since,
        labels=labels,
        summary=said.get("summary", ""),
        runbook_url=said.get("runbook_url"),
    )
