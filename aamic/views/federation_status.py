"""How the Prometheus servers of a site stand, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeVar

from aamic.model.federation import STATES, FederationStatus, Level, Reading, ServerStatus, Unknown, total
from aamic.views.federation_document import read
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
        _known(read(status), lambda ages: span(ages[1]) if ages else _NOT_KNOWN),
        _lag(status.reading),
        _known(observed.oldest, lambda oldest: _keeps(oldest, status)),
    )  # fmt: skip


def _known(value: T | Unknown, shown: Any) -> str:  # a function of T
    return _NOT_KNOWN if isinstance(value, Unknown) else str(shown(value))


def _targets(status: ServerStatus) -> str:
    if status.jobs is None:
        return f"? of {len(status.expected.targets):,}"
    whole = total(status.jobs)
    return f"{whole.up:,} of {whole.total:,}"


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
         f"{each.lacking:,}", f"{len(each.extra):,}")
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
