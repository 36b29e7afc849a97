"""Who knows which alerts there are: Alertmanagers, or a Prometheus server without one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aamic.clients.prometheus import Prometheus
from aamic.model.api import Alert


class Alertmanagers:
    """The Alertmanagers of a cluster, which all hold the same alerts: the first that answers does.

    `timeout` is in seconds for each of them.
    """

    def __init__(self, urls: Sequence[str], timeout: float = 5.0) -> None:
        self._urls = tuple(urls)
        self._timeout = timeout

    def firing(self) -> tuple[Alert, ...]:
        """Return the alerts that fire or are suppressed."""
        raise NotImplementedError


class PrometheusAlarms:
    """A Prometheus server that has no Alertmanager: it knows what fires by its own rules."""

    def __init__(self, prometheus: Prometheus) -> None:
        self._prometheus = prometheus

    def firing(self) -> tuple[Alert, ...]:
        """Return the alerts that fire."""
        raise NotImplementedError


def of_alertmanager(answer: Any) -> tuple[Alert, ...]:  # noqa: ANN401  # JSON
    """Return the alerts of an answer of `/api/v2/alerts`, decoded; ValueError if it is no list of alerts."""
    raise NotImplementedError


def of_prometheus(answer: Any) -> tuple[Alert, ...]:  # noqa: ANN401  # JSON
    """Return the firing alerts of the `data` of `/api/v1/alerts`, decoded; ValueError if it is none."""
    raise NotImplementedError
