"""One look at the cluster for all who ask at the same time, and never one that nobody waits for any longer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Event, Thread
from time import monotonic
from typing import Final

from aamic.clients.base import Alarms, Metrics, Sample
from aamic.errors import OutsideError, SilentError
from aamic.model.api import Alert
from aamic.ops.clusterview import View
from aamic.serve import log

FRESH: Final = 3.0
"""Seconds for which a look counts; Prometheus learns nothing new more often than that."""
SORE: Final = 1.5
"""Seconds for which a failure is told without trying again."""
_GRACE: Final = 0.25
"""Seconds that a look may take on top of the longest wait, so that what it says of its failure is told."""
_SHARE: Final = 0.9
"""The part of the longest wait after which no further question is asked, so that the rest is still told."""


@dataclass(frozen=True, slots=True)
class _Kept:
    outcome: View | Exception
    until: float


class Snapshot:
    """What `look` said last; it is called in a thread, by one caller at a time, at most every few seconds."""

    def __init__(self, look: Callable[[], View], timeout: float, fresh: float = FRESH, sore: float = SORE) -> None:
        self._look = look
        self._timeout = timeout
        self._lasts = fresh, sore
        self._kept: _Kept | None = None
        self._running: asyncio.Task[View | Exception] | None = None
        self._late = 0.0

    async def view(self) -> View:
        """Return the newest look.

        Raises:
            OutsideError: There is none; known within the longest wait, or at once where that was so a moment ago.
        """
        kept = self._kept
        outcome = kept.outcome if kept and monotonic() < kept.until else await self._next()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def _next(self) -> View | Exception:
        if self._running is None:
            self._late = monotonic() + self._timeout + _GRACE
            self._running = asyncio.create_task(self._take())
        done, _ = await asyncio.wait({self._running}, timeout=max(0.0, self._late - monotonic()))
        if not done:
            return SilentError(f"this cluster's Prometheus gave no whole answer in {self._timeout:g} s")
        return done.pop().result()

    async def _take(self) -> View | Exception:
        outcome = await _in_thread(self._look)
        fresh, sore = self._lasts
        self._kept = _Kept(outcome, monotonic() + (sore if isinstance(outcome, Exception) else fresh))
        self._running = None
        return outcome


def _in_thread(look: Callable[[], View]) -> asyncio.Future[View | Exception]:
    """What a call comes to in a thread of its own, which does not keep the process from ending."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[View | Exception] = loop.create_future()

    def settle(outcome: View | Exception) -> None:
        if not future.done():
            future.set_result(outcome)

    def run() -> None:
        outcome = _outcome(look)
        with suppress(RuntimeError):  # the server has ended meanwhile
            loop.call_soon_threadsafe(settle, outcome)

    Thread(target=run, name="look", daemon=True).start()
    return future


def _outcome(look: Callable[[], View]) -> View | Exception:
    try:
        return look()
    except Exception as error:  # noqa: BLE001  # each of those who wait is told, and the next look may find nothing odd
        return _told(error, "what Prometheus says")


def _told(error: Exception, what: str) -> OutsideError:
    """The reason for which there is no answer; of a bug the log has more."""
    if isinstance(error, OutsideError):
        return error
    log.LOGGER.error("%s was not understood: aamic has a bug", what, exc_info=error)
    return OutsideError(f"{what} was not understood", "the server's log has more")


def share(timeout: float) -> float:
    """The seconds for each Alertmanager, so that what others say is still told where one hangs."""
    return timeout * _SHARE * _SHARE


class Hurried:
    """Metrics that are asked only within a time, and no longer once they were silent."""

    def __init__(self, metrics: Metrics, timeout: float) -> None:
        self._metrics = metrics
        self._end = monotonic() + timeout * _SHARE
        self._silent: SilentError | None = None

    def query(self, expr: str) -> Sequence[Sample]:
        """Return what the metrics answer. Raises SilentError where there is no time left."""
        if self._silent is not None:
            raise self._silent
        if monotonic() > self._end:
            raise SilentError("this cluster's Prometheus answers so slowly that not everything could be asked")
        try:
            return self._metrics.query(expr)
        except SilentError as error:
            self._silent = error
            raise


class Ahead:
    """Alarms that are fetched beside everything else, so that an Alertmanager that hangs delays nothing."""

    def __init__(self, alarms: Alarms, timeout: float) -> None:
        self._end = monotonic() + timeout * _SHARE
        self._timeout = timeout
        self._done = Event()
        self._found: Sequence[Alert] | OutsideError = ()
        Thread(target=self._fetch, args=(alarms,), name="alarms", daemon=True).start()

    def firing(self) -> Sequence[Alert]:
        """Return the alerts. Raises OutsideError where they are not there in time."""
        if not self._done.wait(max(0.0, self._end - monotonic())):
            raise SilentError(f"no Alertmanager answered within {self._timeout:g} s")
        if isinstance(self._found, OutsideError):
            raise self._found
        return self._found

    def _fetch(self, alarms: Alarms) -> None:
        try:
            self._found = alarms.firing()
        except Exception as error:  # noqa: BLE001  # raised where it is asked for
            self._found = _told(error, "what Alertmanager says")
        finally:
            self._done.set()
