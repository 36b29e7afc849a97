"""One wave: its hosts are changed at the same time, then the gate is asked, then they are confirmed.

A host that takes much longer than the others must not let their timers run out, so the wave is settled in parts: those
that are done are judged and confirmed while the slow ones go on.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from aamic.deploy.calls import Caller
from aamic.deploy.fanout import fan_out
from aamic.deploy.gate import Verdict
from aamic.deploy.rollout import Wave
from aamic.errors import HostError
from aamic.model.fleet import Rollout
from aamic.model.report import HostReport

_SHORTEST_WAIT: Final = 1.0


class Judge(Protocol):
    """The gate."""

    def judge(self, hosts: Sequence[str], seconds: float) -> Verdict:
        """Wait for these hosts to be seen in good health, at most so long."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What a second gate found: as a verdict, and why nothing further may be done, '' where it may."""

    failed: Mapping[str, str]
    told: str
    halt: str = ""


class Prover(Protocol):
    """A second gate, of hosts whose Slurm hooks change."""

    def begin(self, hosts: Collection[str]) -> str:
        """Look at these hosts before they are changed; returns why they must not be, or ''."""

    def judge(self, hosts: Collection[str], *, canary: bool) -> Proof:
        """What became of jobs since these hosts were changed."""

    def mend(self, hosts: Collection[str]) -> Mapping[str, tuple[str, ...]]:
        """Undo what the hooks of hosts that are as before did meanwhile; what is to be said of each."""


@dataclass(frozen=True, slots=True)
class Means:
    """What waves are made with: calls, the gates, the site's wishes, the clock, and who watches."""

    caller: Caller
    gate: Judge
    rollout: Rollout
    parallel: int
    clock: Callable[[], float]
    on_host: Callable[[HostReport], None]
    prover: Prover | None = None


@dataclass
class WaveRun:
    """A wave under way. `restless` are hosts on which something that runs is touched: they are judged by the gate.

    `hooked` are those whose Slurm hooks change; `halt` says why no further wave may begin, '' where it may.
    """

    wave: Wave
    payloads: Mapping[str, Sequence[bytes]]
    restless: frozenset[str]
    means: Means
    reports: dict[str, HostReport] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    failed: bool = False
    hooked: frozenset[str] = frozenset()
    halt: str = ""

    def run(self) -> None:
        """Bring every host of the wave to an end; `reports` then has all of them."""
        if self.means.prover and self.hooked and (reason := self.means.prover.begin(self.hooked)):
            self.halt = reason
            self.reports = {host: HostReport(host, "refused", reason) for host in self.wave.hosts}
            for report in self.reports.values():
                self.means.on_host(report)
            return
        arrivals = self._start()
        missing = len(self.wave.hosts)
        while missing:
            arrived = self._collect(arrivals, missing)
            missing -= len(arrived)
            self._settle(arrived)

    def _start(self) -> queue.SimpleQueue[HostReport | BaseException]:
        """Work on the hosts in a thread of its own, so that this one can settle what is done."""
        arrivals: queue.SimpleQueue[HostReport | BaseException] = queue.SimpleQueue()

        def work() -> None:
            try:
                fan_out(
                    self.wave.hosts,
                    lambda host: self.means.caller.apply(host, self.payloads[host]),
                    self.means.parallel,
                    lambda host, report: arrivals.put(
                        report if isinstance(report, HostReport) else _lost(host, report)
                    ),
                )
            except BaseException as error:  # noqa: BLE001  # raised again where the wave is run
                arrivals.put(error)

        threading.Thread(target=work, daemon=True).start()
        return arrivals

    def _collect(self, arrivals: queue.SimpleQueue[HostReport | BaseException], missing: int) -> list[HostReport]:
        """Those that are done soon after the first, which must not wait for long."""
        arrived = [_report(arrivals.get())]
        until = self.means.clock() + self._patience()
        while len(arrived) < missing:
            try:
                arrived.append(_report(arrivals.get(timeout=max(0.0, until - self.means.clock()))))
            except queue.Empty:
                break
        return arrived

    def _patience(self) -> float:
        """Seconds that remain of a timer after all that a host and the gate may take."""
        rollout = self.means.rollout
        judged = rollout.gate_timeout + (rollout.job_timeout if self.hooked else 0.0)
        spare = rollout.confirm_timeout - rollout.ready_timeout - rollout.settle - judged
        return max(_SHORTEST_WAIT, spare)

    def _settle(self, arrived: Sequence[HostReport]) -> None:
        changed = [report.host for report in arrived if report.state == "done"]
        reports = {report.host: report for report in arrived}
        reasons = self._judge(changed)
        end = self._undo(reasons) if self.failed else self._confirm
        if changed and (self.failed or self.means.caller.confirm):
            ended = fan_out(changed, end, self.means.parallel)
            notes = {report.host: report.notes for report in arrived}
            reports |= {host: _with_notes(_ended(host, report), notes[host]) for host, report in ended.items()}
        reports |= self._mended(reports)
        self.reports |= reports
        for report in arrived:
            self.means.on_host(self.reports[report.host])

    def _judge(self, changed: Sequence[str]) -> Mapping[str, str]:
        """Why each host goes back again, where the gate does not let them pass."""
        judged = [host for host in changed if host in self.restless]
        reasons: Mapping[str, str] = {}
        if judged and not self.failed:
            verdict = self.means.gate.judge(judged, self.means.rollout.gate_timeout)
            reasons, self.failed = verdict.failed, bool(verdict.failed)
            self.told += [verdict.told] if verdict.told else []
        return reasons if self.failed else self._prove(changed)

    def _prove(self, changed: Sequence[str]) -> Mapping[str, str]:
        hooked = [host for host in changed if host in self.hooked]
        if not hooked or self.means.prover is None:
            return {}
        proof = self.means.prover.judge(hooked, canary=self.wave.canary)
        self.failed, self.halt = bool(proof.failed), proof.halt
        self.told += [proof.told] if proof.told else []
        return proof.failed

    def _mended(self, reports: Mapping[str, HostReport]) -> dict[str, HostReport]:
        """Hosts that are as they were, with what their hooks had done meanwhile."""
        back = [host for host, report in reports.items() if report.state == "restored" and host in self.hooked]
        if not back or self.means.prover is None:
            return {}
        return {host: _with_more(reports[host], notes) for host, notes in self.means.prover.mend(back).items()}

    def _confirm(self, host: str) -> HostReport:
        return self.means.caller.confirm_release(host)

    def _undo(self, reasons: Mapping[str, str]) -> Callable[[str], HostReport]:
        another = "another host of its wave did not pass the gate"
        return lambda host: self.means.caller.undo(host, reasons.get(host, another))

    def gate(self) -> str:
        """What the gate found, in one line; '' where there was nothing to ask."""
        return "; ".join(dict.fromkeys(self.told))


def _report(arrival: HostReport | BaseException) -> HostReport:
    if isinstance(arrival, BaseException):
        raise arrival
    return arrival


def _lost(host: str, error: object) -> HostReport:
    return HostReport(host, "unknown", str(error))


def _ended(host: str, report: HostReport | HostError) -> HostReport:
    return report if isinstance(report, HostReport) else _lost(host, report)


def _with_more(report: HostReport, notes: tuple[str, ...]) -> HostReport:
    return replace(report, notes=(*report.notes, *notes))


def _with_notes(report: HostReport, notes: tuple[str, ...]) -> HostReport:
    return replace(report, notes=(*notes, *report.notes))
