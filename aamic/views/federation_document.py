"""How the Prometheus servers of a site stand, for a machine."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from aamic.model.federation import FederationStatus, Reading, Scrape, ServerStatus, Unknown, total


def to_json(found: FederationStatus) -> dict[str, Any]:
    """Everything; what is not known is null, and `reasons` say why."""
    return {
        "version": 1,
        "cluster": found.cluster,
        "at": datetime.fromtimestamp(found.at, UTC).isoformat(),
        "state": found.state,
        "answered": found.answered,
        "servers": [_server(each) for each in found.servers],
        "reasons": [{"level": each.level, "text": each.text} for each in found.reasons],
    }


def _server(status: ServerStatus) -> dict[str, Any]:
    expected, observed = status.expected, status.observed
    return {
        "name": status.name,
        "role": expected.role,
        "shard": expected.shard or None,
        "replica": expected.replica,
        "host": expected.host,
        "address": expected.address,
        "state": status.state,
        "reasons": [{"level": each.level, "text": each.text} for each in status.reasons],
        "ready": _or_null(observed.ready),
        "version": _or_null(observed.version),
        "clock_ahead_seconds": None if isinstance(observed.clock, Unknown) else round(observed.ahead, 3),
        "targets": _targets_json(status),
        "last_scrape": _scrapes_json(status),
        "series": _series_json(status),
        "rules": _rules_json(status),
        "reloaded": _or_null(observed.reloaded),
        "storage": _storage_json(status),
        "federation": _reading_json(status.reading) if status.reading else None,
    }


def _or_null(value: Any) -> Any:  # JSON
    return None if isinstance(value, Unknown) else value


def _targets_json(status: ServerStatus) -> dict[str, Any]:
    desired = {"desired": len(status.expected.targets)}
    if status.jobs is None:
        return {**desired, "up": None, "down": None, "unknown": None, "jobs": None, "down_because": None}
    whole = total(status.jobs)
    scrapes: tuple[Scrape, ...] = () if isinstance(status.observed.scrapes, Unknown) else status.observed.scrapes
    return {
        **desired,
        "up": whole.up,
        "down": whole.down,
        "unknown": whole.unknown,
        "jobs": {
            job: {
                "up": each.up,
                "down": each.down,
                "unknown": each.unknown,
                "missing": list(each.missing),
                "extra": list(each.extra),
            }
            for job, each in status.jobs.items()
        },
        "down_because": [
            {"job": each.job, "address": each.address, "node": each.labels.get("node"), "error": each.error}
            for each in scrapes
            if each.health == "down" and each.job in status.jobs
        ],
    }


def _scrapes_json(status: ServerStatus) -> dict[str, Any]:
    ages = read(status)
    newest, oldest = ages if isinstance(ages, tuple) else (None, None)
    return {"newest_seconds_ago": newest, "oldest_seconds_ago": oldest}


def _series_json(status: ServerStatus) -> dict[str, Any]:
    series, predicted = _or_null(status.observed.series), status.expected.series
    share = round(100 * series / predicted, 1) if series is not None and predicted else None
    return {"head": series, "predicted": predicted, "percent": share}


def _rules_json(status: ServerStatus) -> dict[str, Any] | None:
    groups = status.observed.groups
    if isinstance(groups, Unknown):
        return None
    return {
        "rules": sum(each.rules for each in groups),
        "waiting": sum(each.waiting for each in groups),
        "failing": [
            {"group": each.name, "rule": rule, "error": error} for each in groups for rule, error in each.failing
        ],
        "groups": {
            each.name: {"rules": each.rules, "seconds": each.seconds, "interval_seconds": each.interval}
            for each in groups
        },
    }


def _storage_json(status: ServerStatus) -> dict[str, Any]:
    oldest, clock = status.observed.oldest, status.observed.clock
    ago = clock - oldest if isinstance(oldest, float) and isinstance(clock, float) else None
    return {
        "oldest_seconds_ago": ago,
        "retention_seconds": status.expected.retention,
    }


def _reading_json(reading: Reading) -> dict[str, Any]:
    return {
        "health": _or_null(reading.health),
        "error": reading.error or None,
        "seconds_ago": reading.ago,
        "seconds": reading.seconds,
        "interval_seconds": reading.interval,
        "newest_sample_seconds_ago": _or_null(reading.age),
    }


def read(status: ServerStatus) -> tuple[float, float] | Unknown | None:
    """How long ago the newest and the oldest of the reads that went well were."""
    scrapes, clock = status.observed.scrapes, status.observed.clock
    if isinstance(scrapes, Unknown) or isinstance(clock, Unknown):
        return scrapes if isinstance(scrapes, Unknown) else Unknown("its time is not known")
    ages = [clock - each.at for each in scrapes if each.health == "up" and each.at is not None]
    return (max(min(ages), 0.0), max(0.0, *ages)) if ages else None
