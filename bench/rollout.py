"""Rehearses `aamic apply` on 10,000 hosts in memory, of which some fail: does it stop in time, and is its report right?

Run: .venv/bin/python bench/rollout.py [--hosts 10000] [--quick]

Every host has what the site said before; then the flags of node_exporter change, which is a file and a restart on each.
What a host answers is as strict as on a real one (tests/deploy/fakeapply.py): digests, records, locks, timers. The gate
is a judge in memory. Of each shape of failure is checked, against the hosts themselves: each host is told of once, what
it is said to have it has; no wave begins once more failed than `max_failures` allows; and hosts whose turn never came
are as they were. Seconds are those of aamic alone: what hosts and gates take is not in them.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[1]))

from measure import cost_of
from sites import RACK_SIZE, racks
from tables import machine, table

from aamic.clients.base import Answer
from aamic.commands import planning
from aamic.commands.apply import Run
from aamic.commands.applying import Reach
from aamic.compile.compiler import Compiled, compile_site
from aamic.compile.hostlist import fold
from aamic.deploy.admission import admit
from aamic.deploy.apply import apply
from aamic.deploy.calls import Caller
from aamic.deploy.wave import Means
from aamic.model.report import GOOD, Origin, Report
from aamic.views import report as view
from tests.deploy.controller import Judge, Watcher
from tests.deploy.fakeapply import Fleet
from tests.deploy.fakehosts import FakeHost, FakeHosts, synced  # found beside the package only

HERE: Final = Path(__file__).parent
CHANGE: Final = "exporters: {node: {collectors: {disable: [arp]}}}\n"
BROKEN: Final = "aami-node-exporter.service failed"
GONE: Final = "the connection broke"
SEED: Final = 7
PARALLEL: Final = 50


@dataclass
class Shape:
    """What goes wrong, and how much of it is allowed."""

    allowed: int = 0
    broken: Sequence[str] = ()
    gone: Sequence[str] = ()
    unseen: Sequence[str] = ()


def shapes(hosts: Sequence[str]) -> Mapping[str, Shape]:
    """Every shape by its name. The first host of all is a canary; others come at random, always the same ones."""
    chance = random.Random(SEED)  # noqa: S311  # nothing is secret
    some = chance.sample(hosts[1:], max(1, len(hosts) // 100))
    middle = len(hosts) // 2 // RACK_SIZE * RACK_SIZE
    return {
        "all is well": Shape(),
        "a canary does not come up": Shape(broken=hosts[:1]),
        "1 % at random do not come up": Shape(broken=some),
        "the same, of which 2 % are allowed": Shape(allowed=len(hosts) // 50, broken=some),
        "a rack loses its power": Shape(gone=hosts[middle : middle + RACK_SIZE]),
        "the gate does not see a host": Shape(unseen=[hosts[middle]]),
    }


class Crew(Fleet):
    """Hosts in memory that know their names; `own` are the seconds of processor time that they cost."""

    def prepare(self) -> None:
        """Get ready to answer as clients.base.Hosts."""
        self._names = {id(host): name for name, host in self.hosts.items()}
        self._client: FakeHosts = self.client()
        self._pristine: dict[int, Answer] = {}
        self._lock = threading.Lock()
        self.own = 0.0

    def name(self, host: FakeHost) -> str:
        return self._names[id(host)]

    def run(self, host: str, command: Sequence[str], payload: Sequence[bytes], timeout: float) -> Answer:
        start = time.thread_time()
        try:
            return self._answer(host, command, payload, timeout)
        finally:
            with self._lock:
                self.own += time.thread_time() - start

    def _answer(self, host: str, command: Sequence[str], payload: Sequence[bytes], timeout: float) -> Answer:
        """What the host says; before the apply, hosts with the same things say the same."""
        if command[4] != "observe":
            return self._client.run(host, command, payload, timeout)
        key = id(self.hosts[host].record)
        if key not in self._pristine:
            self._pristine[key] = self._client.run(host, command, payload, timeout)
        return self._pristine[key]

    def close(self) -> None:
        """There is nothing to close."""


@dataclass(frozen=True, slots=True)
class Rehearsal(Run):
    """An apply whose gate is in memory, and that leaves no copy of the site anywhere."""

    judge: Judge = field(default_factory=Judge)
    watcher: Watcher = field(default_factory=Watcher)

    def rehearse(self) -> Report:
        """What `aamic apply --yes` does."""
        planned = self._look()
        admission = admit(planned.plan, None)
        origin = self._origin(planned.plan)
        task = self._task(origin, self._work(planned, admission), admission, (), planned, None)
        return apply(task, self._means(origin), self.watcher, lambda: False)

    def _means(self, origin: Origin) -> Means:
        confirm = round(self.rollout.confirm_timeout)
        caller = Caller(self.reach.hosts, origin, self.reach.timeout, confirm, lambda _: None)
        return Means(caller, self.judge, self.rollout, self.reach.parallel, time.monotonic, self.watcher.host)


def main() -> None:
    asked = _asked()
    if asked.measure:
        print(json.dumps(_measure(asked.measure, asked.hosts)))
        return
    print(f"{machine()}\n")
    print(f"an apply to {asked.hosts:,} hosts with GPUs and those that watch them, {PARALLEL} at once (checked):\n")
    rows = [_row(name, asked.hosts) for name in shapes([str(number) for number in range(asked.hosts)])]
    head = ("", "waves", "done", "failed", "not started", "s cpu", "s wall", "MB", "kB of report")
    print(table(head, rows))


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=10_000)
    parser.add_argument("--quick", action="store_true", help="500 hosts")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.quick:
        asked.hosts = 500
    return asked


def _row(name: str, hosts: int) -> tuple[str, ...]:
    cost, printed = cost_of(
        [sys.executable, Path(__file__), "--hosts", str(hosts), "--measure", name],
        variables={"PYTHONPATH": os.pathsep.join((str(HERE.parent), os.environ.get("PYTHONPATH", "")))},
    )
    found: dict[str, Any] = json.loads(printed)
    counts = (f"{found[key]:,}" for key in ("waves", "done", "failed", "not started"))
    times = (f"{found['cpu']:.1f}", f"{found['wall']:.1f}")
    return name, *counts, *times, f"{cost.peak / 1e6:.0f}", f"{found['report'] / 1e3:.1f}"


def _measure(name: str, count: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="aamic-bench-") as folder:
        site = Path(folder) / "site.yaml"
        racks(Path(folder), count)
        before = compile_site(site)
        site.write_text(site.read_text(encoding="utf-8") + CHANGE, encoding="utf-8")
        after = compile_site(site)
        shape = shapes([node.name for node in after.fleet.nodes.values() if node.gpu])[name]
        crew = _crew(before, shape)
        rehearsal = _rehearsal(after, site, crew, shape)
        wall, cpu = time.perf_counter(), time.process_time()
        report = rehearsal.rehearse()
        wall, cpu = time.perf_counter() - wall - crew.own, time.process_time() - cpu - crew.own
    _check(report, crew, shape)
    states = Counter(report.counts())
    text = view.text(report, fold).encode()
    failed = sum(wave.failed for wave in report.waves)
    told = {"waves": len(report.waves), "done": states["done"], "failed": failed, "not started": states["not started"]}
    return {**told, "cpu": cpu, "wall": wall, "report": len(text)}


def _crew(before: Compiled, shape: Shape) -> Crew:
    """Hosts that have what the site said before."""
    same: dict[int, FakeHost] = {}
    hosts = {}
    for name, desired in planning.scope(before, planning.Wish()).desired.items():
        if id(desired) not in same:
            same[id(desired)] = synced(desired)
        hosts[name] = _like(same[id(desired)])
    crew = Crew(hosts, breaks=dict.fromkeys(shape.broken, BROKEN), cuts=dict.fromkeys(shape.gone, "before"))
    crew.prepare()
    return crew


def _like(host: FakeHost) -> FakeHost:
    return replace(host, things=dict(host.things), units=dict(host.units), packages=dict(host.packages))


def _rehearsal(after: Compiled, site: Path, crew: Crew, shape: Shape) -> Rehearsal:
    rollout = replace(after.fleet.rollout, max_failures=shape.allowed)
    judge = Judge(dict.fromkeys(shape.unseen, "job `node` is down"))
    reach = Reach(crew, PARALLEL, 60.0, timer=True)
    return Rehearsal(planning.scope(after, planning.Wish()), site, reach, rollout, live=False, judge=judge)


def _check(report: Report, crew: Crew, shape: Shape) -> None:
    """Stop unless the report is what the hosts are, and no wave began that should not have."""
    told = {each.host: each.state for each in report.hosts}
    begun = {host for wave in report.waves for host in wave.hosts}
    failures = [wave.failed for wave in report.waves]
    new = {name for name, host in crew.hosts.items() if report.origin.release.encode() in host.record}
    laws = {
        "each host is told of once": len(report.hosts) == len(told) == len(crew.hosts),
        "those that are done have it": new == {host for host, state in told.items() if state == "done"},
        "nothing waits to be confirmed": not [host for host in crew.hosts.values() if host.pending],
        "those of no wave are not started": {host for host in told if told[host] == "not started"}
        == told.keys() - begun,
        "failures are counted": sum(failures) == sum(told[host] not in GOOD for host in begun),
        "no wave began after too many failures": sum(failures[:-1]) <= shape.allowed,
        "it says that it stopped if it did": bool(report.stopped)
        == (sum(failures) > shape.allowed and begun < set(told)),
        "what failed is what was broken": _failed(told) <= _expected(report, shape),
    }
    if broken := [law for law, holds in laws.items() if not holds]:
        raise SystemExit(f"{shape.allowed} allowed, {failures[-3:]} failed last, {report.counts()}: not so: {broken}")


def _failed(told: Mapping[str, str]) -> set[str]:
    return {host for host, state in told.items() if state not in {*GOOD, "not started"}}


def _expected(report: Report, shape: Shape) -> set[str]:
    """Hosts that may fail: those that break, and those of the wave in which one does not pass the gate."""
    with_unseen = {host for wave in report.waves if {*wave.hosts} & {*shape.unseen} for host in wave.hosts}
    return {*shape.broken, *shape.gone, *with_unseen}


if __name__ == "__main__":
    main()
