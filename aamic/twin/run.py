"""A twin from start to end: started, seen complete, a fault seen as an alert, and nothing left behind."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from aamic.clients.interrupts import Interrupts
from aamic.clients.processes import Processes, vanishing_folder
from aamic.compile.compiler import Checked, Compiled, shipped_catalog
from aamic.errors import OutsideError
from aamic.model.fleet import Fleet
from aamic.twin import checks
from aamic.twin.checks import Seen, World
from aamic.twin.exporters import SyntheticExporters
from aamic.twin.faults import Injection, by_node
from aamic.twin.pages import pages
from aamic.twin.progress import Steps
from aamic.twin.report import Failure, Report
from aamic.twin.stage import (
    NODE_JOB,
    Launch,
    launches,
    node_exporter_unit,
    staged,
    thanos_launches,
    write_check,
    write_hosts,
)
from aamic.twin.thanos import is_here
from aamic.twin.watch import Watch

_PAUSE = 0.25


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

    world: World
    processes: Processes
    exporters: SyntheticExporters
    interrupts: Interrupts
    steps: Steps
    wish: Wish
    start_thanos: Callable[[], None]

    def wait(self, title: str, check: Callable[[World], Seen]) -> None:
        """Ask until nothing is missing, a process ends, or time is up. A server that does not answer is missing."""
        until = time.monotonic() + self.wish.deadline
        with self.steps.step(title) as tell:
            while (seen := self._ask(check)).missing:
                tell(seen.done, seen.total, seen.note)
                self._look_after(title)
                if time.monotonic() > until + seen.patience:
                    raise _NotSeenError(Failure(title, tuple(filter(None, (*seen.missing, seen.note)))))
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
        """Show the faults, wait until each of them is an alert, and add these to the report."""
        watch = Watch(self.wish.injections, checks.held_alerts(self.world))
        self.exporters.faults = by_node(self.wish.injections)
        try:
            self.wait("see the alert", watch.look)
        except _NotSeenError as error:
            report = replace(report, failure=error.failure)
        return replace(report, alerts=tuple(watch.found.values()))


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
        node_host = _node_host(twin, wish)
        report = Report(
            checked.fleet.cluster, len(twin.fleet.nodes), len(checked.fleet.nodes), node_host, _left_out(checked.fleet)
        )
        with _running(twin, folder, node_host) as (processes, exporters):
            thanos = partial(_start, processes, thanos_launches(twin, folder / "hosts"), folder)
            run = _Run(checks.world(twin.fleet), processes, exporters, interrupts, steps, wish, thanos)
            report = _observe(run, replace(report, urls=run.world.urls))
            if keep:
                told(report)
                _stay(run)
            return report


def _left_out(fleet: Fleet) -> tuple[str, ...]:
    """What of a site would reach beyond this machine, or let others reach it, and what cannot be run here."""
    read = [remote.name for remote in fleet.clusters if remote.federate]
    others = f"other clusters ({', '.join(read)}), which are asked by nobody" if read else ""
    served = "`aamic serve`" if fleet.serve else ""
    grafana = "Grafana" if fleet.grafana else ""
    thanos = "Thanos, as this machine has no program `thanos`" if fleet.thanos and not is_here(fleet) else ""
    return tuple(filter(None, (others, served, grafana, thanos)))


@contextmanager
def _running(twin: Compiled, folder: Path, node_host: str | None) -> Iterator[tuple[Processes, SyntheticExporters]]:
    """Write the hosts' folders, start everything, and stop everything in the end."""
    write_hosts(twin, folder / "hosts")
    write_check(twin, folder / "hosts", node_host)
    commands = launches(twin, folder / "hosts", node_host)
    real = frozenset({(NODE_JOB, node_host)} if node_host else ())
    with (
        SyntheticExporters(pages(twin.site, twin.fleet, shipped_catalog(), real)) as exporters,
        Processes() as processes,
    ):
        _start(processes, commands, folder)
        yield processes, exporters


def _node_host(twin: Compiled, wish: Wish) -> str | None:
    """Return the host whose node_exporter is real: central's, unless a fault is to be shown there."""
    faulty = {injection.node for injection in wish.injections}
    hosts = [server.host for server in reversed(twin.fleet.servers)]
    names = (name for name in (*hosts, *twin.fleet.nodes) if name not in faulty)
    return next((name for name in names if node_exporter_unit(twin.fleet, name)), None)


def _start(processes: Processes, commands: tuple[Launch, ...], folder: Path) -> None:
    logs = folder / "logs"
    logs.mkdir(exist_ok=True)
    for launch in commands:
        log = logs / f"{launch.host}-{launch.unit}.log"
        processes.start(launch.name, launch.command, launch.folder, log, launch.environment)


def _observe(run: _Run, report: Report) -> Report:
    """Go through the steps; the report of a run that fails says at which step."""
    try:
        run.wait("all servers ready", checks.ready)
        run.start_thanos()
        run.wait("all targets up", checks.targets_up)
        run.wait("all rules evaluated", checks.rules_evaluated)
        run.wait("every GPU recorded", checks.recorded)
        run.wait("central has everything", checks.federated)
        if run.world.queries:
            run.wait("Thanos has everything", checks.queried)
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
