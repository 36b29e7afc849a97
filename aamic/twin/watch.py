"""Which alerts the injected faults became."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from aamic.clients.prometheus import Alert
from aamic.model.fleet import AlertRule
from aamic.model.quantities import duration_seconds
from aamic.twin.checks import Seen, World, held_alerts
from aamic.twin.faults import Injection
from aamic.twin.report import AlertReport

_WHOLE_NODE = ("lost", "down")
"""Faults whose GPU is no longer there to carry a `gpu` label."""

Identity = frozenset[tuple[str, str]]


class Watch:
    """Looks for alerts that were not there `before`, from now on; `found` has them by fault and labels."""

    def __init__(self, injections: Iterable[Injection], before: Iterable[Alert]) -> None:
        self.found: dict[tuple[str, Identity], AlertReport] = {}
        self._injections = tuple(injections)
        self._before = {_identity(alert) for alert in before}
        self._since = time.monotonic()

    def look(self, world: World) -> Seen:
        """Every fault has become an alert; one that must hold for a while first gets that while beyond the deadline."""
        seconds = round(time.monotonic() - self._since, 1)
        for alert in held_alerts(world):
            for injection in self._injections:
                if _identity(alert) not in self._before and is_about(alert.labels, injection):
                    summary = alert.annotations.get("summary", "")
                    report = AlertReport(injection.text, alert.labels, summary, seconds)
                    self.found.setdefault((injection.text, _identity(alert)), report)
        told = {text for text, _ in self.found}
        absent = [injection for injection in self._injections if injection.text not in told]
        holds = {name: hold for injection in absent for name, hold in pending(world, injection).items()}
        note = ", ".join(f"`{name}` fires once it has held for {hold}" for name, hold in holds.items())
        return Seen(
            done=len(self._injections) - len(absent),
            total=len(self._injections),
            missing=tuple(f"no alert about `{injection.text}`" for injection in absent),
            patience=max(map(duration_seconds, holds.values()), default=0.0),
            note=note,
        )


def _identity(alert: Alert) -> Identity:
    return frozenset(alert.labels.items())


def is_about(labels: Mapping[str, str], injection: Injection) -> bool:
    """Say whether an alert is about the node of a fault, and about its GPU where the fault has one.

    >>> from aamic.catalog.base import Fault
    >>> is_about({"node": "gpu-1", "gpu": "3"}, Injection("", "gpu-1", Fault("xid", "79", 0)))
    False
    """
    if labels.get("node") != injection.node:
        return False
    gpu = injection.fault.gpu
    return injection.fault.kind in _WHOLE_NODE or ("gpu" in labels if gpu is None else labels.get("gpu") == str(gpu))


def pending(world: World, injection: Injection) -> dict[str, str]:
    """Return name and `for:` of the alerts about a fault that Prometheus holds back until they have held so long."""
    holds = {rule.name: rule.for_ for group in world.fleet.rules for rule in group.rules if isinstance(rule, AlertRule)}
    names = {
        alert.labels["alertname"]
        for _, client in world.servers.values()
        for alert in client.alerts()
        if alert.state == "pending" and is_about(alert.labels, injection)
    }
    return {name: hold for name in sorted(names) if (hold := holds.get(name))}
