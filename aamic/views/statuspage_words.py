"""Numbers and words of the status page; what is not known is called so, never 0."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

UNKNOWN: Final = "unknown"
MARKS: Final[Mapping[str, str]] = {"ok": "✓", "warning": "!", "critical": "✕", "unknown": "?", "info": "i"}
_BADNESS: Final[Mapping[str, int]] = {"critical": 0, "unknown": 1, "warning": 2, "ok": 3}
_INFO: Final = frozenset({"info", "informational", "notice", "none", "debug"})
STATES: Final[Mapping[str, str]] = {"connected": "ok", "stale": "warning", "gone": "critical", "not read": "unknown"}
_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86400
_KILO: Final = 1000


def whole(value: int | None) -> str:
    """A count.

    >>> whole(12345), whole(0), whole(None)
    ('12,345', '0', 'unknown')
    """
    return UNKNOWN if value is None else f"{value:,}"


def percent(value: float | None) -> str:
    """A percentage; it is rounded down, so that 100 % means all.

    >>> percent(99.97), percent(75.0), percent(None)
    ('99.9 %', '75 %', 'unknown')
    """
    if value is None:
        return UNKNOWN
    tenths = int(value * 10 + 1e-6) / 10
    return f"{tenths:g} %"


def power(watts: float | None) -> str:
    """Power.

    >>> power(700.4), power(1234567), power(None)
    ('700 W', '1,234.6 kW', 'unknown')
    """
    if watts is None:
        return UNKNOWN
    return f"{watts:,.0f} W" if watts < _KILO else f"{watts / _KILO:,.1f} kW"


def span(seconds: float | None) -> str:
    """A length of time, in its largest unit.

    >>> span(0.4), span(61), span(7300), span(200000), span(None)
    ('0 s', '1 min', '2 h', '2 d', 'unknown')
    """
    if seconds is None:
        return UNKNOWN
    units = ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min"), (1, "s"))
    size, unit = next((each for each in units if seconds >= each[0]), units[-1])
    return f"{int(max(0.0, seconds) // size):,} {unit}"


def moment(at: float) -> str:
    """A point of time, for people.

    >>> moment(0), moment(1e300)
    ('1970-01-01 00:00:00 UTC', 'at an unknown time')
    """
    try:
        return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, ValueError, OSError):
        return "at an unknown time"


def link(url: str | None) -> str | None:
    """The URL if it is one that a person may be led to.

    >>> link("https://runbooks.example.com/a?b=c#d"), link("javascript:alert(1)"), link("https:evil"), link(None)
    ('https://runbooks.example.com/a?b=c#d', None, None, None)
    """
    if url is None or not url.isprintable() or " " in url:
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme in {"http", "https"} and parts.hostname else None


def kind_of(severity: str) -> str:
    """How an alert of this severity is shown.

    >>> kind_of("critical"), kind_of("page"), kind_of("info")
    ('critical', 'warning', 'info')
    """
    word = severity.strip().lower()
    return "critical" if word == "critical" else "info" if word in _INFO else "warning"


def badness(verdict: str) -> int:
    """What sorts verdicts, the worst first."""
    return _BADNESS.get(verdict, 0)
