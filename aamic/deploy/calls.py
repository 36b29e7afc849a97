"""One call of a verb that changes a host, and what its answer, or the lack of one, means for people."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from aamic.clients.base import Hosts
from aamic.deploy import wire
from aamic.deploy.transaction import one_field
from aamic.errors import FailureKind, HostError
from aamic.model.report import HostReport, HostState, Origin

_NEVER_STARTED: frozenset[FailureKind] = frozenset({"unreachable", "unknown-key", "wrong-key", "refused", "no-right"})
_ASKED_AGAIN: Final[frozenset[FailureKind]] = frozenset({"unreachable", "timeout", "lost"})
"""After these a confirmation is asked for again: repeating it does no harm, and its answer may be all that is lost."""
_CONFIRMS: Final = 3
_BUSY: Final = 10
"""How often an undo is asked for while the host's own timer is at it."""
_PAUSE: Final = 1.0
_STATES: dict[str, HostState] = {
    "done": "done",
    "refused": "refused",
    "moved": "refused",
    "busy": "refused",
    "waiting": "refused",
}
_STATES |= {"restored": "restored", "half": "half restored"}


@dataclass(frozen=True, slots=True)
class Caller:
    """Calls the verbs of one change.

    `confirm` are the seconds of its timer, 0 where none is armed; `pause` waits so many seconds before a call
    is repeated.
    """

    hosts: Hosts
    origin: Origin
    timeout: float
    confirm: int
    pause: Callable[[float], None] = field(default=time.sleep, compare=False)

    def apply(self, host: str, payload: Sequence[bytes]) -> HostReport:
        """Make the change; the host is then unconfirmed, if a timer is armed."""
        try:
            result = self._call(host, payload, "apply", self.origin.release)
        except HostError as error:
            return self._failed(host, error)
        return _reported(host, result)

    def confirm_release(self, host: str) -> HostReport:
        """Let the host keep the change; asked for again where the answer is lost."""
        doubtful, until = False, time.monotonic() + self.confirm
        for left in reversed(range(_CONFIRMS)):
            try:
                result = self._call(host, (wire.program("confirm"),), "confirm", self.origin.release)
                break
            except HostError as error:
                doubtful = doubtful or error.kind not in _NEVER_STARTED
                if not left or error.kind not in _ASKED_AGAIN or time.monotonic() + _PAUSE >= until:
                    return self._unconfirmed(host, error, doubtful=doubtful)
            self.pause(_PAUSE)
        if result.state == "gone":
            return HostReport(host, "restored", f"it was not confirmed in time: {result.message}", result.notes)
        return _reported(host, result)

    def _unconfirmed(self, host: str, error: HostError, *, doubtful: bool) -> HostReport:
        if doubtful:
            end = f"it keeps the change, or goes back by itself within {self.confirm} s: `aamic status` tells"
            return HostReport(
                host, "unknown", f"changed, and asked to keep that, without an answer: {_said(error)}; {end}"
            )
        return HostReport(host, "unknown", f"changed, but not confirmed: {_said(error)}{self._alone()}")

    def roll_back(self, host: str, release: str) -> HostReport:
        """Bring back what was before a release; where that worked, the host is `done`."""
        try:
            return _reported(host, self._rollback(host, release))
        except HostError as error:
            return self._failed(host, error)

    def undo(self, host: str, why: str) -> HostReport:
        """Bring back what was before this change; where that worked, the host is `restored`."""
        try:
            result = self._rolled_back(host)
        except HostError as error:
            report = self._failed(host, error)
            alone = "" if report.state == "unknown" else self._alone()
            return replace(report, state="unknown", message=f"{why}; not rolled back: {report.message}{alone}")
        if result.state in {"done", "moved"}:  # it no longer has this release: its own timer was quicker
            return HostReport(host, "restored", why, result.notes)
        if result.state == "half":
            return replace(_reported(host, result), message=f"{why}; {result.message}")
        return HostReport(host, "unknown", f"{why}; not rolled back: {result.message}{self._alone()}", result.notes)

    def _rolled_back(self, host: str) -> wire.Result:
        """What the host says once nobody else is at it, or after some seconds."""
        result = self._rollback(host, self.origin.release)
        for _ in range(_BUSY):
            if result.state != "busy":
                break
            self.pause(_PAUSE)
            result = self._rollback(host, self.origin.release)
        return result

    def recover(self, host: str) -> HostReport:
        """End what a dead controller or a power cut left half done."""
        try:
            result = self._call(host, (wire.program("recover"),), "recover")
        except HostError as error:
            return HostReport(host, "unknown", _said(error))
        return _reported(host, result)

    def _rollback(self, host: str, release: str) -> wire.Result:
        return self._call(host, (wire.program("rollback"),), "rollback", release, one_field(self.origin.who))

    def _call(self, host: str, payload: Sequence[bytes], verb: str, *words: str) -> wire.Result:
        answer = self.hosts.run(host, wire.command(verb, *words), payload, self.timeout)
        return wire.result(host, answer, verb)

    def _failed(self, host: str, error: HostError) -> HostReport:
        if error.kind in _NEVER_STARTED:
            return HostReport(host, "not reached", _said(error))
        return HostReport(host, "unknown", f"{_said(error)}{self._alone()}")

    def _alone(self) -> str:
        """What such a host does by itself."""
        if self.confirm:
            return f"; it goes back by itself within {self.confirm} s unless confirmed"
        return "; no timer is armed: look at it with `aamic status`"


def _reported(host: str, result: wire.Result) -> HostReport:
    message = "" if result.state == "done" else result.message
    return HostReport(host, _STATES.get(result.state, "unknown"), message, result.notes)


def _said(error: HostError) -> str:
    return f"{error} ({error.hint})" if error.hint else str(error)
