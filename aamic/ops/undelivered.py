"""Alerts that fire in Prometheus and that no Alertmanager holds: what an empty list does not say. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from aamic.clients.base import Sample
from aamic.model.api import LAST, Alert
from aamic.ops.plausible import LONGEST
from aamic.ops.selectors import quoted

PATIENCE: Final = "2m"
"""How long an alert may take from Prometheus to Alertmanager; each is sent anew every minute (our policy)."""
_DROPPED: Final = frozenset({"__name__", "alertstate", "replica"})
"""Labels that Alertmanager does not get: the two servers of a pair send the same alert."""
_KEY: Final = 256

Labels = Mapping[str, str]


def query(cluster: str) -> str:
    """What asks for own alerts that fire for longer than that, each with the time from which on it was there."""
    own = f"cluster=~{quoted(f'{re.escape(cluster)}|')}"
    firing = f'ALERTS{{alertstate="firing",{own}}}'
    return f"ALERTS_FOR_STATE{{{own}}} and ignoring(alertstate) ({firing} and {firing} offset {PATIENCE})"


def undelivered(samples: Iterable[Sample], held: Sequence[Alert]) -> tuple[Alert, ...]:
    """The alerts of an answer to the query that are none of those that Alertmanager holds.

    Alertmanager's have labels that Prometheus adds on the way, so that an alert is held where all of its own are there.
    """
    found = {tuple(sorted(labels.items())): each for each in samples if (labels := _labels(each.labels))}
    names = {tuple(name for name, _ in labels) for labels in found}
    known = set(_projections([each.labels for each in held], names))
    return tuple(_alert(dict(labels), each.value) for labels, each in sorted(found.items()) if labels not in known)


def _labels(labels: Labels) -> dict[str, str]:
    """As far as documents of the API have them."""
    return {name[:_KEY]: value[:LONGEST] for name, value in labels.items() if name not in _DROPPED}


def _projections(held: Sequence[Labels], names: Iterable[tuple[str, ...]]) -> Iterator[tuple[tuple[str, str], ...]]:
    for wanted in names:
        for labels in held:
            if all(name in labels for name in wanted):
                yield tuple((name, labels[name]) for name in wanted)


def _alert(labels: dict[str, str], since: float) -> Alert:
    return Alert(
        name=labels.get("alertname", ""),
        severity=labels.get("severity", ""),
        state="firing",
        since=since if 0 <= since <= LAST else 0,
        labels=labels,
    )
