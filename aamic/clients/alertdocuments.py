"""Alerts, as Alertmanager and Prometheus answer them, as documents of the API. Pure.

Their labels and texts are made of what anybody wrote into a rule, so an odd one is shortened or left out. An alert is
never left out: one of which little is understood may be the one that matters.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal

from aamic.model.api import LAST, Alert

_TEXT: Final = 4096
_KEY: Final = 256
"""Characters of the longest text, and of the longest name of a label, of the API."""
_NAMELESS: Final = "(nameless)"
_State = Literal["firing", "suppressed", "pending"]


def of_alertmanager(answer: Any) -> tuple[Alert, ...]:
    """Return the alerts of an answer of `/api/v2/alerts`, decoded.

    Raises:
        ValueError: It is no list of alerts.
    """
    return tuple(_alert(each, _status(each), "startsAt") for each in _list(answer))


def of_prometheus(answer: Any) -> tuple[Alert, ...]:
    """Return the firing alerts of the `data` of `/api/v1/alerts`, decoded.

    Raises:
        ValueError: It has no list of alerts.
    """
    alerts = answer.get("alerts") if isinstance(answer, dict) else None
    return tuple(
        _alert(each, "firing", "activeAt")
        for each in _list(alerts)
        if not (isinstance(each, dict) and each.get("state") in {"pending", "inactive"})
    )


def _list(found: Any) -> list[Any]:
    if isinstance(found, list):
        return found
    raise ValueError("no list of alerts")


def _status(found: Any) -> _State:
    """One that Alertmanager has not looked at yet is `unprocessed`, and fires until it has."""
    status = found.get("status") if isinstance(found, dict) else None
    return "suppressed" if isinstance(status, dict) and status.get("state") == "suppressed" else "firing"


def _alert(found: Any, state: _State, since: str) -> Alert:
    if not isinstance(found, dict):
        raise ValueError("an alert is none")  # noqa: TRY004  # one kind of fault of an answer
    labels, said = _texts(found.get("labels")), _texts(found.get("annotations"))
    return Alert(
        name=labels.get("alertname") or _NAMELESS,
        severity=labels.get("severity", ""),
        state=state,
        since=seconds(found.get(since)),
        labels=labels,
        summary=said.get("summary") or said.get("description", ""),
        runbook_url=said.get("runbook_url"),
    )


def _texts(found: Any) -> Mapping[str, str]:
    pairs = found.items() if isinstance(found, dict) else ()
    return {str(key)[:_KEY]: value[:_TEXT] for key, value in pairs if isinstance(value, str)}


def seconds(text: Any) -> float:
    """Seconds since 1970 of a time as Go writes it; 0 where it is none, or before.

    >>> seconds("2025-01-01T00:00:00.123456789Z"), seconds("0001-01-01T00:00:00Z"), seconds("now")
    (1735689600.123456, 0.0, 0.0)
    """
    try:
        found = datetime.fromisoformat(text)
        return min(max(0.0, (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()), LAST)
    except (TypeError, ValueError, OverflowError):
        return 0.0
