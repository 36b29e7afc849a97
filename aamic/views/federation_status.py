"""How the Prometheus servers of a site stand, for a terminal and for a machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from aamic.model.federation import STATES, FederationStatus, Level, Reading, Scrape, ServerStatus, Tally, Unknown
from aamic.views.table import short, table
from aamic.views.terminal import safe, wrapped

T = TypeVar("T")
_HEAD: Final = ("server", "host", "state", "targets up", "series", "rules ok", "read", "lag", "keeps")
_LEVELS: Final[tuple[Level, ...]] = ("unknown", "failing", "warning", "note")
_NAME: Final = 12
_DAY: Final = 86_400
_SPANS: Final = ((2 * _DAY, _DAY, "d"), (2 * 3600, 3600, "h"), (120, 60, "m"))
_NOT_KNOWN: Final = "?"


def text(found: FederationStatus, *, width: int = 100, jobs: bool = False) -> str:
    """A line for each server, then everything that is not as it should be, worst first, and what it sums up to."""
    lines = [table([_HEAD, *map(_cells, found.servers)])] if found.servers else []
    lines += [_jobs(found.servers)] if jobs else []
    told = "".join(f"{line}\n" for each in _told(found) for line in wrapped(safe(each), width, "", "  "))
    return "\n".join([*lines, *([told] if told else []), f"{safe(_summary(found))}\n"])


def _cells(status: ServerStatus) -> tuple[str, ...]:
    expected, observed = status.expected, status.observed
    return (
        short(status.name, _NAME),
        short(expected.host, _NAME),
        status.state,
        _targets(status),
        _known(observed.series, lambda series: _series(series, expected.series)),
        _known(observed.groups, lambda groups: _rules(sum(each.rules for each in groups),
                                                      sum(each.waiting + len(each.failing) for each in groups))),
        _known(_read(status), lambda ages: span(ages[1]) if ages else _NOT_KNOWN),
        _lag(status.reading),
        _known(observed.oldest, lambda oldest: _keeps(oldest, status)),
    )  # fmt: skip


def _known(value: T | Unknown, shown: Any) -> str:  # a function of T
    return _NOT_KNOWN if isinstance(value, Unknown) else str(shown(value))


def _targets(status: ServerStatus) -> str:
    if status.jobs is None:
        return f"? of {len(status.expected.targets):,}"
    whole = _whole(status.jobs)
    return f"{whole.up:,} of {whole.total:,}"


def _whole(jobs: Mapping[str, Tally]) -> Tally:
    return Tally(
        sum(each.up for each in jobs.values()),
        sum(each.down for each in jobs.values()),
        sum(each.unknown for each in jobs.values()),
        tuple(node for each in jobs.values() for node in each.missing),
    )


def _series(series: int, predicted: int) -> str:
    share = f" {100 * series / predicted:.0f}%" if predicted else ""
    return f"{_compact(series)}{share}"


def _compact(number: int) -> str:
    """A number in four characters or so: `950`, `6.9k`, `1.2M`."""
    for power, sign in ((1_000_000, "M"), (1_000, "k")):
        if number >= power:
            return f"{number / power:.1f}{sign}"
    return str(number)


def _rules(rules: int, bad: int) -> str:
    return f"{rules - bad:,}" if not bad else f"{rules - bad:,} of {rules:,}"


def _read(status: ServerStatus) -> tuple[float, float] | Unknown | None:
    """How long ago the newest and the oldest of the reads that went well were."""
    scrapes, clock = status.observed.scrapes, status.observed.clock
    if isinstance(scrapes, Unknown) or isinstance(clock, Unknown):
        return scrapes if isinstance(scrapes, Unknown) else Unknown("its time is not known")
    ages = [clock - each.at for each in scrapes if each.health == "up" and each.at is not None]
    return (max(min(ages), 0.0), max(0.0, *ages)) if ages else None


def _lag(reading: Reading | None) -> str:
    if reading is None:
        return ""
    if isinstance(reading.health, Unknown) or isinstance(reading.age, Unknown):
        return _NOT_KNOWN
    if reading.health == "down":
        return "down"
    return _NOT_KNOWN if reading.age is None else span(reading.age)


def _keeps(oldest: float | None, status: ServerStatus) -> str:
    clock, retention = status.observed.clock, status.expected.retention
    if isinstance(clock, Unknown) or oldest is None:
        return _NOT_KNOWN
    return f"{span(clock - oldest)} of {span(retention)}"


def span(seconds: float) -> str:
    """A time in its largest unit that says enough.

    >>> span(8.4), span(200), span(3 * 86_400), span(-7)
    ('8s', '3m', '3d', '-7s')
    """
    for least, unit, sign in _SPANS:
        if abs(seconds) >= least:
            return f"{seconds / unit:.0f}{sign}"
    return f"{seconds:.0f}s"


def _jobs(servers: Sequence[ServerStatus]) -> str:
    """The targets of each server by job."""
    rows = [
        (short(status.name, _NAME), short(job, 24), *(f"{n:,}" for n in (each.up, each.down, each.unknown)),
         f"{len(each.missing):,}", f"{len(each.extra):,}")
        for status in servers
        for job, each in (status.jobs or {}).items()
    ]  # fmt: skip
    return table([("server", "job", "up", "down", "unread", "missing", "extra"), *rows])


def _told(found: FederationStatus) -> Iterator[str]:
    """Each reason once, with the servers that it is about; what several are part of comes first of its level."""
    for level in _LEVELS:
        yield from (f"{level} · {each.text}" for each in found.reasons if each.level == level)
        about: dict[str, list[str]] = {}
        for status in found.servers:
            for reason in status.reasons:
                if reason.level == level:
                    about.setdefault(reason.text, []).append(status.name)
        yield from (f"{level} · {', '.join(names)}: {why}" for why, names in about.items())


def _summary(found: FederationStatus) -> str:
    counts = {state: sum(each.state == state for each in found.servers) for state in STATES}
    rest = "".join(f", {counts[state]:,} {state}" for state in STATES[1:] if counts[state])
    noun = "server is" if len(found.servers) == 1 else "servers are"
    return f"{found.cluster}: {counts['ok']:,} of {len(found.servers):,} {noun} ok{rest}"


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
    whole = _whole(status.jobs)
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
            if each.health == "down"
        ],
    }


def _scrapes_json(status: ServerStatus) -> dict[str, Any]:
    ages = _read(status)
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
