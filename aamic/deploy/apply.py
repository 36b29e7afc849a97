"""Plan -> Report: the hosts of a plan are changed, wave by wave, until all are done or too many failed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from aamic.compile.hostlist import fold
from aamic.deploy.desired import Desired
from aamic.deploy.record import new_record
from aamic.deploy.rollout import Wave, touches_hooks
from aamic.deploy.transaction import Sender
from aamic.deploy.units import unit_work
from aamic.deploy.wave import Means, WaveRun
from aamic.model.host import Release
from aamic.model.plan import Change
from aamic.model.report import GOOD, HostReport, Report, WaveReport


@dataclass(frozen=True, slots=True)
class HostWork:
    """What one host needs: its changes, what it should have, and the record that it carries now."""

    changes: tuple[Change, ...]
    desired: Desired
    old: Release | None


@dataclass(frozen=True, slots=True)
class Task:
    """An apply: the waves, what each of their hosts needs, what is known of other hosts, and who sends.

    `bundle` is the one that the plan is limited to, or ''. `after` maps hosts to those that must have what is planned
    for them first; one that was not `seen` counts as one that has not. `left` are bundles of which somebody has to be
    told that they do not get what the site wants.
    """

    waves: tuple[Wave, ...]
    work: Mapping[str, HostWork]
    settled: tuple[HostReport, ...]
    sender: Sender
    bundle: str = ""
    notes: tuple[str, ...] = ()
    after: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    left: tuple[str, ...] = ()
    seen: frozenset[str] = frozenset()


class Onlooker(Protocol):
    """Is told how an apply goes on."""

    def begins(self, number: int, total: int, wave: Wave) -> None:
        """A wave begins; numbers count from 1."""

    def host(self, report: HostReport) -> None:
        """A host is done with."""

    def ended(self, report: WaveReport) -> None:
        """A wave has ended."""


Keep = Callable[[Report], None]
_WAITS: Final = (
    "`scontrol reconfigure` waits until every node has its hooks, and these have not, or were not looked at: {} (hint: "
    "apply to all of them, bring them back, or take them out of `slurm.nodes`)"
)
ENDED_EARLY: Final = "aamic itself ended before the host did"


def forget(_: Report) -> None:
    """Keeps no report."""


def apply(task: Task, means: Means, onlooker: Onlooker, stopped: Callable[[], bool], keep: Keep = forget) -> Report:
    """Change the hosts and say what became of each.

    `stopped` is asked before each wave; a wave that has begun is brought to its end. `keep` gets the report however
    this ends, so that no change goes unrecorded.
    """
    run = _Run(task, means, onlooker)
    interrupted = True
    try:
        interrupted = run.all(stopped)
    finally:
        report = run.report(interrupted=interrupted)
        keep(report)
    return report


@dataclass
class _Run:
    task: Task
    means: Means
    onlooker: Onlooker
    done: dict[str, HostReport] = field(default_factory=dict)
    waves: list[WaveReport] = field(default_factory=list)
    stopped: str = ""
    _payloads: dict[object, Sequence[bytes]] = field(default_factory=dict)

    def all(self, stopped: Callable[[], bool]) -> bool:
        """Run wave after wave, and return whether somebody stopped it."""
        total = len(self.task.waves)
        for number, wave in enumerate(self.task.waves, 1):
            if stopped():
                return True
            ready = self._ready(wave)
            if ready.hosts:
                self.onlooker.begins(number, total, ready)
                self._wave(ready)
            self._count(number, total)
            if self.stopped:
                return False
        return False

    def _ready(self, wave: Wave) -> Wave:
        """The wave without hosts that wait for others which did not come to have what was planned."""
        states = {each.host: each.state for each in (*self.task.settled, *self.done.values())}
        known: dict[str, str] = {**dict.fromkeys(self.task.seen, "already"), **dict.fromkeys(self.task.work, "")}
        waiting = known | states
        for host in wave.hosts:
            after = self.task.after.get(host, ())
            missing = [each for each in after if waiting.get(each, "") not in GOOD]
            if missing:
                self.done[host] = HostReport(host, "refused", _WAITS.format(fold(missing)))
                self.means.on_host(self.done[host])
        return replace(wave, hosts=tuple(host for host in wave.hosts if host not in self.done))

    def _wave(self, wave: Wave) -> None:
        since = self.means.clock()
        payloads = {host: self._payload(host) for host in wave.hosts}
        run = WaveRun(wave, payloads, self._restless(wave), self.means, hooked=self._hooked(wave))
        self.done |= {host: HostReport(host, "unknown", ENDED_EARLY) for host in wave.hosts}
        try:
            run.run()
        finally:
            self.done |= run.reports
        self.stopped = self.stopped or run.halt
        failed = sum(1 for report in run.reports.values() if report.state not in GOOD)
        report = WaveReport(wave.stage, wave.canary, wave.hosts, failed, self.means.clock() - since, run.gate())
        self.waves.append(report)
        self.onlooker.ended(report)

    def _count(self, number: int, total: int) -> None:
        failures = sum(wave.failed for wave in self.waves)
        if self.stopped:
            return
        allowed = self.means.rollout.max_failures
        if failures > allowed and number < total:
            self.stopped = f"{failures} failed, and `max_failures` is {allowed}: nothing further was started"

    def _restless(self, wave: Wave) -> frozenset[str]:
        """Hosts on which a unit is touched; where only targets change, nothing can come to harm."""
        known: dict[tuple[int, int], bool] = {}
        restless = set()
        for host in wave.hosts:
            work = self.task.work[host]
            key = (id(work.changes), id(work.desired))
            if key not in known:
                does = unit_work(work.changes, work.desired)
                known[key] = bool(does.watch or does.stop or does.reconfigure)
            if known[key]:
                restless.add(host)
        return frozenset(restless)

    def _hooked(self, wave: Wave) -> frozenset[str]:
        """Hosts whose Slurm hooks change."""
        return frozenset(host for host in wave.hosts if touches_hooks(self.task.work[host].changes))

    def _payload(self, host: str) -> Sequence[bytes]:
        """Built once for hosts with the same changes and the same record."""
        work = self.task.work[host]
        before = work.old.name if work.old else ""
        key = (id(work.changes), id(work.desired), before, *(self._own(host, work)))
        if key not in self._payloads:
            sender, sent = self.task.sender, self._sent(work)
            name = sender.origin.release
            record = new_record(name, work.desired, sent, work.old, self.task.bundle)
            self._payloads[key] = sender.payload(work.changes, record, work.desired, before)
        return self._payloads[key]

    def _own(self, host: str, work: HostWork) -> Iterator[str]:
        """What of a host's old record its new one takes over."""
        if self.task.bundle:
            yield host
        elif work.old:
            yield from (
                work.old.entries[path].entry.content for path in work.desired.programs if path in work.old.entries
            )

    def _sent(self, work: HostWork) -> dict[str, str]:
        material = self.task.sender.material
        return {
            change.name: material.program(work.desired.programs[change.name]).sha256
            for change in work.changes
            if change.what == "program" and change.action != "remove"
        }

    def report(self, *, interrupted: bool) -> Report:
        """What became of it so far."""
        return Report(
            action="apply",
            origin=self.task.sender.origin,
            hosts=(*self._reports(), *self.task.settled),
            waves=tuple(self.waves),
            stopped=self.stopped,
            interrupted=interrupted,
            notes=self.task.notes,
            held=self.task.left,
        )

    def _reports(self) -> Iterator[HostReport]:
        """Of every host of the waves, in their order."""
        for wave in self.task.waves:
            for host in wave.hosts:
                yield self.done.get(host) or HostReport(host, "not started")
