"""A twin from start to end: started, seen complete, a fault seen as an alert, and nothing left behind."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from aamic.clients.processes import Processes, vanishing_folder
from aamic.compile.compiler import Checked, Compiled, shipped_catalog
from aamic.errors import OutsideError
from aamic.twin import checks
from aamic.twin.checks import Seen, World
from aamic.twin.exporters import SyntheticExporters
from aamic.twin.faults import Injection
from aamic.twin.interrupts import Interrupts
from aamic.twin.pages import pages
from aamic.twin.progress import Steps
from aamic.twin.report import Failure, Report
from aamic.twin.stage import NODE_JOB, Launch, launches, node_exporter_unit, staged, write_hosts

_PAUSE = 0.25
_STARTED = "start the servers"


@dataclass(frozen=True, slots=True)
class Wish:
    """What to run: how many nodes at most, the faults, and the seconds that each step may take."""

    nodes: int = 24
    injections: tuple[Injection, ...] = ()
    deadline: float = 120.0


class _NotSeenError(Exception):
    """A step did not get what it waited for."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(failure.step)


@dataclass
class _Run:
    """A twin while it runs."""

    twin: Compiled
    world: World
    processes: Processes
    exporters: SyntheticExporters
    interrupts: Interrupts
    steps: Steps
    wish: Wish

    def wait(self, title: str, check: Callable[[World], Seen]) -> None:
        """Ask until nothing is missing, a process ends, or time is up. A server that does not answer is missing."""
        until = time.monotonic() + self.wish.deadline
        with self.steps.step(title) as tell:
            while (seen := self._ask(check)).missing:
                tell(seen.done, seen.total)
                self._look_after(title)
                if time.monotonic() > until:
                    raise _NotSeenError(Failure(title, seen.missing))
                time.sleep(_PAUSE)
            tell(seen.done, seen.total)

    def _ask(self, check: Callable[[World], Seen]) -> Seen:
        try:
            return check(self.world)
        except OutsideError as error:
            return Seen(0, 1, (str(error),))

    def _look_after(self, title: str) -> None:
        self.interrupts.check()
        for process in self.processes.ended():
            code = process.child.returncode
            raise _NotSeenError(Failure(title, (f"{process.name} ended with {code}",), process.log_tail()))

    def inject(self, report: Report) -> Report:
        """Show the faults, and wait until each of them is an alert."""
        before = checks.held_alerts(self.world)
        since = time.monotonic()
        faults = {injection.node: () for injection in self.wish.injections}
        self.exporters.faults = {
            node: tuple(each.fault for each in self.wish.injections if each.node == node) for node in faults
        }

        def alerted(world: World) -> Seen:
            nonlocal report
            found = checks.raised(world, self.wish.injections, before, time.monotonic() - since)
            known = {(alert.injected, *sorted(alert.labels.items())) for alert in report.alerts}
            new = (alert for alert in found if (alert.injected, *sorted(alert.labels.items())) not in known)
            report = replace(report, alerts=(*report.alerts, *new))
            absent = [each for each in self.wish.injections if each.text not in {a.injected for a in report.alerts}]
            missing = tuple(
                line for each in absent for line in (f"no alert about `{each.text}`", *checks.pending(world, each))
            )
            return Seen(len(self.wish.injections) - len(absent), len(self.wish.injections), missing)

        try:
            self.wait("see the alert", alerted)
        except _NotSeenError as error:
            return replace(report, failure=error.failure)
        return report


def run_twin(checked: Checked, wish: Wish, steps: Steps, told: Callable[[Report], None], *, keep: bool) -> Report:
    """Run the twin of a checked site and return what was seen; no process, port or folder is left.

    With `keep`, `told` gets the report, and then the twin stays until Ctrl-C.

    Raises:
        OutsideError: A program is missing, or there are no free ports.
        KeyboardInterrupt: Ctrl-C was pressed before everything was seen.
        SystemExit: Another signal asked to end.
    """
    with ExitStack() as stack:
        interrupts = stack.enter_context(Interrupts())
        folder = stack.enter_context(vanishing_folder("aamic-twin-"))
        with steps.step("compile for loopback"):
            twin = stack.enter_context(staged(checked, wish.nodes, wish.injections, folder))
        report = Report(checked.fleet.cluster, len(twin.fleet.nodes), len(checked.fleet.nodes))
        with _running(twin, folder, interrupts, steps, wish) as run:
            report = _observe(run, report)
            if keep and report.ok:
                told(report)
                _stay(run)
            return report


@contextmanager
def _running(twin: Compiled, folder: Path, interrupts: Interrupts, steps: Steps, wish: Wish) -> Iterator[_Run]:
    """Write the hosts' folders, start everything, and stop everything in the end."""
    node_host = _node_host(twin, wish)
    write_hosts(twin, folder / "hosts")
    commands = launches(twin, folder / "hosts", node_host)
    real = frozenset({(NODE_JOB, node_host)} if node_host else ())
    with (
        SyntheticExporters(pages(twin.site, twin.fleet, shipped_catalog(), real)) as exporters,
        Processes() as processes,
    ):
        _start(processes, commands, folder)
        yield _Run(twin, checks.world(twin.fleet), processes, exporters, interrupts, steps, wish)


def _node_host(twin: Compiled, wish: Wish) -> str | None:
    """Return the host whose node_exporter is real: central's, unless a fault is to be shown there."""
    faulty = {injection.node for injection in wish.injections}
    hosts = [server.host for server in reversed(twin.fleet.servers)]
    names = (name for name in (*hosts, *twin.fleet.nodes) if name not in faulty)
    return next((name for name in names if node_exporter_unit(twin.fleet, name)), None)


def _start(processes: Processes, commands: tuple[Launch, ...], folder: Path) -> None:
    logs = folder / "logs"
    logs.mkdir()
    for launch in commands:
        log = logs / f"{launch.host}-{launch.unit}.log"
        processes.start(launch.name, launch.command, launch.folder, log, launch.environment)


def _observe(run: _Run, report: Report) -> Report:
    """Go through the steps; the report of a run that fails says at which step."""
    try:
        run.wait("all servers ready", checks.ready)
        report = replace(report, alertmanagers=tuple(client.url for client in run.world.alertmanagers.values()))
        run.wait("all targets up", checks.targets_up)
        run.wait("central has everything", checks.federated)
        run.wait("all rules evaluated", checks.rules_evaluated)
        report = replace(
            report,
            servers=checks.server_reports(run.world),
            federated=checks.federated_report(run.world),
        )
    except _NotSeenError as error:
        return replace(report, failure=error.failure)
    return run.inject(report) if run.wish.injections else report


def _stay(run: _Run) -> None:
    while run.interrupts.received is None:
        time.sleep(_PAUSE)
