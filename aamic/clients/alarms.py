"""Who knows which alerts of a cluster there are: its Alertmanagers, or Prometheus where there are none."""

from __future__ import annotations

from collections.abc import Sequence

from aamic.clients.base import Alarms
from aamic.clients.prometheus import Alertmanager, Prometheus
from aamic.errors import OutsideError
from aamic.model.api import Alert


class Alertmanagers:
    """The Alertmanagers of a cluster, which all hold the same alerts: the first that answers does.

    `timeout` is in seconds for each of them.
    """

    def __init__(self, urls: Sequence[str], timeout: float = 5.0) -> None:
        self._servers = tuple(Alertmanager(url, timeout) for url in urls)

    def firing(self) -> tuple[Alert, ...]:
        """Return the alerts that fire or are suppressed.

        Raises:
            OutsideError: None answers as it should; it says why of each.
        """
        faults = []
        for server in self._servers:
            try:
                return server.firing()
            except OutsideError as error:
                faults.append(str(error))
        raise OutsideError("; ".join(faults) or "there is no Alertmanager to ask")


def alarms_of(alertmanagers: Sequence[str], prometheus: Prometheus, timeout: float = 5.0) -> Alarms:
    """Who knows the alerts; a Prometheus without an Alertmanager knows what fires by its own rules."""
    return Alertmanagers(alertmanagers, timeout) if alertmanagers else prometheus
