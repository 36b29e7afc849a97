"""One call of a verb that changes a host, and what its answer, or the lack of one, means for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from aamic.clients.base import Hosts
from aamic.deploy import wire
from aamic.deploy.transaction import one_field
from aamic.errors import FailureKind, HostError
from aamic.model.report import HostReport, HostState, Origin

_NEVER_STARTED: frozenset[FailureKind] = frozenset({"unreachable", "unknown-key", "wrong-key", "refused", "no-right"})
_STATES: dict[str, HostState] = {"done": "done", "refused": "refused", "moved": "refused", "busy": "refused"}


@dataclass(frozen=True, slots=True)
class Caller:
    """Calls the verbs of one change; `confirm` are the seconds of its timer, 0 where none is armed."""

    hosts: Hosts
    origin: Origin
    timeout: float
    confirm: int

    def apply(self, host: str, payload: Sequence[bytes]) -> HostReport:
        """Make the change; the host is then unconfirmed, if a timer is armed."""
        try:
            result = self._call(host, payload, "apply", self.origin.release)
        except HostError as error:
            return self._failed(host, error)
        return _reported(host, result)

    def confirm_release(self, host: str) -> HostReport:
        """Let the host keep the change."""
        try:
            result = self._call(host, (wire.program("confirm"),), "confirm", self.origin.release)
        except HostError as error:
            return HostReport(host, "unknown", f"changed, but not confirmed: {_said(error)}{self._alone()}")
        if result.state == "gone":
            return HostReport(host, "restored", f"it was not confirmed in time: {result.message}", result.notes)
        return _reported(host, result)

    def roll_back(self, host: str, release: str) -> HostReport:
        """Bring back what was before a release; where that worked, the host is `done`."""
        try:
            who = one_field(self.origin.who)
            result = self._call(host, (wire.program("rollback"),), "rollback", release, who)
        except HostError as error:
            return self._failed(host, error)
        return _reported(host, result)

    def undo(self, host: str, why: str) -> HostReport:
        """Bring back what was before this change; where that worked, the host is `restored`."""
        report = self.roll_back(host, self.origin.release)
        if report.state == "done":
            return replace(report, state="restored", message=why)
        alone = "" if report.state == "unknown" else self._alone()
        return replace(report, state="unknown", message=f"{why}; not rolled back: {report.message}{alone}")

    def recover(self, host: str) -> HostReport:
        """End what a dead controller or a power cut left half done."""
        try:
            result = self._call(host, (wire.program("recover"),), "recover")
        except HostError as error:
            return HostReport(host, "unknown", _said(error))
        return _reported(host, result)

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
    return HostReport(host, _STATES.get(result.state, _other(result.state)), message, result.notes)


def _other(state: str) -> HostState:
    return "restored" if state == "restored" else "refused" if state == "waiting" else "unknown"


def _said(error: HostError) -> str:
    return f"{error} ({error.hint})" if error.hint else str(error)
