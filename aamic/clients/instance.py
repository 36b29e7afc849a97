"""What a Prometheus server says of itself: its targets with their times, its rule groups, its version."""

from __future__ import annotations

from datetime import UTC, datetime
from math import isfinite
from typing import Any, Final, get_args
from urllib.parse import urlsplit

from aamic.clients.base import Sample
from aamic.clients.prometheus import Prometheus
from aamic.model.federation import Group, Scrape, TargetHealth
from aamic.model.quantities import duration_seconds

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Instance(Prometheus):
    """A Prometheus server that is asked about itself."""

    def scrapes(self) -> tuple[Scrape, ...]:
        """Return every target that it scrapes now, with its last scrape."""
        with self._understood():
            return tuple(_scrape(each) for each in self._data("targets?state=active")["activeTargets"])

    def groups(self) -> tuple[Group, ...]:
        """Return every rule group that it has loaded."""
        with self._understood():
            return tuple(_group(each) for each in self._data("rules")["groups"])

    def query(self, expr: str) -> tuple[Sample, ...]:
        """Return the series of an instant query that gives a vector, with labels that are texts."""
        found = super().query(expr)
        with self._understood():
            return tuple(Sample(_texts(each.labels), each.value) for each in found)


def _scrape(found: Any) -> Scrape:
    labels = _texts(found["labels"])
    return Scrape(
        job=labels["job"],
        address=urlsplit(str(found["scrapeUrl"])).netloc,
        labels=labels,
        health=_health(found["health"]),
        error=str(found["lastError"]),
        at=_moment(found["lastScrape"]),
        seconds=_number(found["lastScrapeDuration"]),
        interval=_number(duration_seconds(str(found["scrapeInterval"]))),
    )


def _group(found: Any) -> Group:
    rules = [
        (str(rule["name"]), _rule_health(rule["health"]), str(rule.get("lastError", ""))) for rule in found["rules"]
    ]
    return Group(
        name=str(found["name"]),
        interval=_number(found["interval"]),
        seconds=_number(found["evaluationTime"]),
        rules=len(rules),
        waiting=sum(health == "unknown" for _, health, _ in rules),
        failing=tuple((name, error) for name, health, error in rules if health == "err"),
    )


def _texts(labels: Any) -> dict[str, str]:
    return {str(name): str(value) for name, value in dict(labels).items()}


def _health(text: Any) -> TargetHealth:
    if text not in get_args(TargetHealth):
        raise ValueError(text)
    found: TargetHealth = text
    return found


def _rule_health(text: Any) -> str:
    if text not in {"ok", "err", "unknown"}:
        raise ValueError(text)
    return str(text)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise ValueError(value)
    return float(value)


def _moment(text: Any) -> float | None:
    """Seconds since 1970; Go's zero time, which stands for never, is None."""
    moment = datetime.fromisoformat(text)
    return moment.timestamp() if moment > _EPOCH else None
