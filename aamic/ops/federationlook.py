"""Ask one Prometheus server all there is to know of it, within one deadline."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Final, TypeVar

from aamic.clients.base import Inspected, Sample
from aamic.errors import OutsideError, SilentError
from aamic.model.federation import Expected, Observed, Unknown

T = TypeVar("T")
Open = Callable[[float], Inspected]
"""From the seconds that are left for an answer to the server."""
_LEAST: Final = 0.05
_RELOADED: Final = "prometheus_config_last_reload_successful"
_LOWEST: Final = "prometheus_tsdb_lowest_timestamp_seconds"
_LONGEST: Final = 240
_CENTURY: Final = 4e9
"""Seconds since 1970 beyond which no sample lies: without any, the lowest time is the highest number there is."""


def look(open_: Open, expected: Expected, cluster: str, seconds: float) -> Observed:
    """What a server says of itself; whatever it does not say in `seconds` is unknown, with the reason."""
    asker = _Asker(open_, seconds)
    version = asker.first(lambda server: server.version())
    ready = asker.ask(_ready)
    sent = time.time()
    clock = asker.ask(lambda server: _only(server.query("vector(time())")))
    received = time.time()
    own = asker.ask(lambda server: _by_name(server.query(_own(expected.address))))
    return Observed(
        ready=ready,
        clock=clock,
        version=version,
        scrapes=asker.ask(lambda server: tuple(server.scrapes())),
        series=asker.ask(lambda server: server.series()),
        groups=asker.ask(lambda server: tuple(server.groups())),
        reloaded=own if isinstance(own, Unknown) else _reloaded(own),
        oldest=own if isinstance(own, Unknown) else _oldest(own),
        ages=asker.ask(lambda server: _ages(server, cluster)) if expected.role == "central" else {},
        ahead=0.0 if isinstance(clock, Unknown) else clock - (sent + received) / 2,
        vague=(received - sent) / 2,
    )


class _Asker:
    """Asks one question after the other until time is up or the server falls silent."""

    def __init__(self, open_: Open, seconds: float) -> None:
        self._open = open_
        self._until = time.monotonic() + seconds
        self._late = Unknown(f"it did not answer everything within {seconds:g} s")
        self._silent: Unknown | None = None

    def ask(self, question: Callable[[Inspected], T]) -> T | Unknown:
        """The answer, or why there is none; a silent server is not asked again."""
        left = self._until - time.monotonic()
        if self._silent is None and left <= 0:
            self._silent = self._late
        if self._silent is not None:
            return self._silent
        try:
            return question(self._open(max(left, _LEAST)))
        except SilentError as error:
            self._silent = _unknown(error)
            return self._silent
        except OutsideError as error:
            return _unknown(error)

    def first(self, question: Callable[[Inspected], T]) -> T | Unknown:
        """The answer to what every such server knows; one that does not is none, and is asked nothing else."""
        answer = self.ask(question)
        if isinstance(answer, Unknown):
            self._silent = answer
        return answer


def _unknown(error: OutsideError) -> Unknown:
    """Why there is no answer, on one line: some servers answer with whole pages."""
    return Unknown(" ".join(str(error).split())[:_LONGEST])


def _ready(server: Inspected) -> bool:
    server.ready()
    return True


def _only(samples: Sequence[Sample]) -> float:
    """The value of the one series of an answer; OutsideError where there is none, or it is no number."""
    if len(samples) != 1 or not isfinite(samples[0].value):
        raise OutsideError("it answers, but does not say what time it is")
    return samples[0].value


def _own(address: str) -> str:
    """What a server has scraped of itself: central may have the same of others."""
    # JSON's quoting of a text is PromQL's.
    return f'{{__name__=~"{_RELOADED}|{_LOWEST}", job="prometheus", instance={json.dumps(address)}}}'


def _by_name(samples: Sequence[Sample]) -> Mapping[str, float]:
    return {sample.labels.get("__name__", ""): sample.value for sample in samples}


def _reloaded(own: Mapping[str, float]) -> bool | Unknown:
    value = own.get(_RELOADED)
    return Unknown("it has no sample of itself of the last 5 minutes") if value is None else value == 1


def _oldest(own: Mapping[str, float]) -> float | None:
    value = own.get(_LOWEST)
    return value if value is not None and 0 < value < _CENTURY else None


def _ages(server: Inspected, cluster: str) -> dict[tuple[str, str], float]:
    return {
        (sample.labels.get("shard", ""), sample.labels.get("replica", "")): sample.value
        for sample in server.query(ages_query(cluster))
        if isfinite(sample.value)
    }


def ages_query(cluster: str) -> str:
    """The PromQL that gives the age of the newest sample that central has of each shard and replica.

    Federated samples keep the time that the shard gave them. They are seen for five minutes, so what is older is looked
    for over an hour; what is older still is as good as gone.
    """
    newest = f"timestamp(shard:head_series{{cluster={json.dumps(cluster)}}})"
    return f"time() - max by (shard, replica) ({newest} or max_over_time({newest}[1h:1m]))"
