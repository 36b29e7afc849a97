"""Who knows which alerts of a cluster there are: its Alertmanagers, or Prometheus where there are none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from aamic.clients.base import Alarms, Heard
from aamic.clients.prometheus import Alertmanager, Prometheus
from aamic.errors import OutsideError
from aamic.model.api import Alert

Answer = tuple[Alert, ...] | OutsideError


class Alertmanagers:
    """The Alertmanagers of a cluster, asked all at once: one that was just started has not heard of every alert yet.

    `timeout` is in seconds for each of them.
    """

    def __init__(self, urls: Sequence[str], timeout: float = 5.0) -> None:
        self._servers = tuple(Alertmanager(url, timeout) for url in urls)

    def firing(self) -> Heard:
        """Return the alerts that fire or are suppressed in any of them.

        Raises:
            OutsideError: None answers as it should; it says why of each.
        """
        with ThreadPoolExecutor(max_workers=len(self._servers) or 1) as pool:
            answers = list(pool.map(_asked, self._servers))
        faults = tuple(str(each) for each in answers if isinstance(each, OutsideError))
        if len(faults) == len(answers):
            raise OutsideError("; ".join(faults) or "there is no Alertmanager to ask")
        found = Heard(_together(each for each in answers if not isinstance(each, OutsideError)))
        found.silent = faults
        return found


def _asked(server: Alertmanager) -> Answer:
    try:
        return server.firing()
    except OutsideError as error:
        return error


def _together(answers: Iterable[tuple[Alert, ...]]) -> Iterable[Alert]:
    """Each alert once; what one of them knows to be silenced is."""
    found: dict[tuple[tuple[str, str], ...], Alert] = {}
    for alert in (each for answer in answers for each in answer):
        key = tuple(sorted(alert.labels.items()))
        if key not in found or alert.state == "suppressed":
            found[key] = alert
    return found.values()


def alarms_of(alertmanagers: Sequence[str], prometheus: Prometheus, timeout: float = 5.0) -> Alarms:
    """Who knows the alerts; a Prometheus without an Alertmanager knows what fires by its own rules."""
    return Alertmanagers(alertmanagers, timeout) if alertmanagers else prometheus
