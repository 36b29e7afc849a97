"""Holds what is predicted of a Prometheus server against a real one that scrapes the twin's exporters.

Run: .venv/bin/python bench/load.py [--nodes 500] [--minutes 5] [--interval 30] [--lapse 1] [--quick]

One shard, central and Alertmanager of a complete site (bench/sites.py) run on loopback, with every rule, and scrape
nodes with 8 GPUs and 192 CPU threads. Where the twin's node_exporter is a choice of families, it is filled up to the
size that is predicted of a real one; so what exporters emit is checked elsewhere (see docs/scale.md), and what servers
make of it here.

With `--lapse N` time runs N times as fast: the interval and the length of blocks are divided by N, and values change as
they would in the whole interval. So blocks are cut, and memory is steady, in minutes. Needs prometheus, alertmanager.
"""

from __future__ import annotations

import argparse
import math
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import orjson
from sites import whole
from tables import machine, table

from aamic.catalog.base import Fault
from aamic.clients.processes import Process, Processes
from aamic.clients.prometheus import Prometheus
from aamic.compile.capacity import ALERTMANAGER_SERIES, BYTES_PER_SAMPLE, SELF_SERIES
from aamic.compile.compiler import Checked, Compiled, check_site, shipped_catalog
from aamic.compile.render import render
from aamic.errors import OutsideError
from aamic.model.fleet import Server
from aamic.twin import checks, stage
from aamic.twin.exporters import Page, SyntheticExporters
from aamic.twin.loopback import Stage, loopback_addresses, ports_needed, twin_document
from aamic.twin.pages import pages
from aamic.twin.ports import reserved_ports

RULES: Final = '{__name__=~".+:.+"}'
UP: Final = 'up{node!="",job!="prometheus"}'
SCRAPES: Final = '{__name__=~"scrape_.+"}'
OWN: Final = "prometheus"
"""The job by which a server scrapes itself."""
BLOCK: Final = 7200
"""Seconds that a block of Prometheus spans."""
STARTING: Final = 900.0
"""Seconds until everything must be up."""
CHECKS: Final = (checks.ready, checks.targets_up, checks.rules_evaluated)
_OF_A_THREAD: Final = 14
"""Series of a CPU thread that the twin's node_exporter leaves out: guest, softnet, schedstat, frequency."""
_CHANGING: Final = 5
"""Those of them that do not stand still: softnet's packets, schedstat's three, the frequency."""


@dataclass(frozen=True, slots=True)
class Wish:
    """How many nodes, for how many seconds, scraped each so many seconds, with time running so many times as fast."""

    nodes: int
    seconds: float
    interval: int
    lapse: int


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process used: seconds of processor time; bytes of RAM, and those of them that are no file's."""

    cpu: float
    memory: int
    own: int


def main() -> None:
    wish = _wish()
    print(f"{machine()}\n")
    with tempfile.TemporaryDirectory(prefix="aamic-bench-") as folder, _running(wish, Path(folder)) as running:
        print("\n".join(running.report()), flush=True)


def _wish() -> Wish:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=500)
    parser.add_argument("--minutes", type=float, default=5.0, help="how long the servers run")
    parser.add_argument("--interval", type=int, default=30, help="seconds between scrapes that are meant")
    parser.add_argument("--lapse", type=int, default=1, help="how many times as fast time runs")
    parser.add_argument("--quick", action="store_true", help="4 nodes for a third of a minute, each 2 seconds")
    asked = parser.parse_args()
    if asked.quick:
        return Wish(4, 20.0, 2, 1)
    return Wish(asked.nodes, asked.minutes * 60, asked.interval, asked.lapse)


@contextmanager
def _running(wish: Wish, folder: Path) -> Iterator[Running]:
    """The servers and their exporters, until the block ends."""
    (folder / "whole").mkdir()
    (folder / "logs").mkdir()
    checked = check_site(whole(folder / "whole", wish.nodes, shards=1, replicas=1))
    addresses = loopback_addresses(tuple(checked.fleet.nodes))
    with reserved_ports(ports_needed(checked.site, checked.fleet), addresses.values()) as ports:
        twin = _twin(checked, Stage(addresses, ports, max(1, wish.interval // wish.lapse)), folder)
        stage.write_hosts(twin, folder / "hosts")
        with SyntheticExporters(_pages(twin, wish.lapse)) as _, Processes() as processes:
            yield Running(wish, twin, dict(_started(twin, folder, processes, wish.lapse)))


def _twin(checked: Checked, where: Stage, folder: Path) -> Compiled:
    path = folder / "site.yaml"
    path.write_bytes(orjson.dumps(twin_document(checked.site, checked.fleet, where)))
    twin = check_site(path)
    return Compiled(twin.site, twin.fleet, render(twin.fleet, shipped_catalog().artifacts), twin.warnings)


def _pages(twin: Compiled, lapse: int) -> Iterator[Page]:
    """The twin's exporters; those of nodes with as many series as a real one is predicted to have."""
    node = next(each for each in shipped_catalog().exporters if each.name == "node")
    options: Any = twin.site.exporters.node
    for page in pages(twin.site, twin.fleet, shipped_catalog(), frozenset()):
        sample: Callable[[tuple[Fault, ...], float], str] = page.sample
        if page.port == options.port:
            host = twin.fleet.nodes[page.node]
            sample = partial(_filled, sample, host.threads, node.series(options, host))
        yield replace(page, sample=partial(_lapsed, sample, lapse))


def _lapsed(
    sample: Callable[[tuple[Fault, ...], float], str], lapse: int, faults: tuple[Fault, ...], now: float
) -> str:
    return sample(faults, now * lapse)


def _filled(
    sample: Callable[[tuple[Fault, ...], float], str], threads: int, wanted: int, faults: tuple[Fault, ...], now: float
) -> str:
    """The answer with more series: of each thread, some of which change at each scrape; the rest stand still."""
    text = sample(faults, now)
    missing = wanted - sum(1 for line in text.splitlines() if line and not line.startswith("#"))
    of_threads = [
        f'node_more_{number}_total{{cpu="{cpu}"}} {now * (cpu + 1) * (number < _CHANGING):.2f}\n'
        for number in range(_OF_A_THREAD)
        for cpu in range(threads)
    ][:missing]
    others = [f'node_more_info{{device="device-{number}"}} 1\n' for number in range(missing - len(of_threads))]
    return text + "".join(of_threads) + "".join(others)


def _started(twin: Compiled, folder: Path, processes: Processes, lapse: int) -> Iterator[tuple[str, Process]]:
    """The processes by the name of the host that each is for."""
    for launch in stage.launches(twin, folder / "hosts", None):
        command = launch.command
        if lapse > 1 and Path(command[0]).name == "prometheus":
            command = (*command, f"--storage.tsdb.min-block-duration={BLOCK // lapse}s")
        log = folder / "logs" / f"{launch.host}.log"
        yield launch.host, processes.start(launch.name, command, launch.folder, log, launch.environment)


@dataclass
class Running:
    """The servers while they run."""

    wish: Wish
    twin: Compiled
    processes: Mapping[str, Process]

    def report(self) -> Iterator[str]:
        """What was predicted and what is there, at the end of the time, which begins when all targets are up."""
        self._until(lambda: not any(check(self._world()).missing for check in CHECKS), STARTING)
        before, started = self._usages(), time.monotonic()
        self._until(lambda: time.monotonic() > started + self.wish.seconds, math.inf)
        passed, after = time.monotonic() - started, self._usages()
        yield self._title(passed)
        for server in self.twin.fleet.servers:
            used = after[server.host]
            yield f"\n{server.name}:\n"
            cpu = (used.cpu - before[server.host].cpu) / passed
            yield table(("", "predicted", "real", "off"), self._rows(server, replace(used, cpu=cpu)))

    def _until(self, done: Callable[[], bool], seconds: float) -> None:
        """Look once a second, for so long at most; raises SystemExit when a server ends, or it takes longer."""
        until = time.monotonic() + seconds
        while not self._answers(done):
            time.sleep(1.0)
            if ended := [each for each in self.processes.values() if each.child.poll() is not None]:
                raise SystemExit("\n".join((f"{ended[0].name} ended:", *ended[0].log_tail())))
            if time.monotonic() > until:
                raise SystemExit(f"not all was up within {seconds:.0f} s")

    def _answers(self, done: Callable[[], bool]) -> bool:
        try:
            return done()
        except OutsideError:
            return False

    def _world(self) -> checks.World:
        return checks.world(self.twin.fleet, 60.0)

    def _title(self, passed: float) -> str:
        wish = self.wish
        lapse = f", with time {wish.lapse} times as fast" if wish.lapse > 1 else ""
        return f"{wish.nodes:,} nodes with 8 GPUs, scraped each {wish.interval} s, for {passed / 60:.1f} minutes{lapse}"

    def _usages(self) -> dict[str, Usage]:
        return {host: _usage(process.child.pid) for host, process in self.processes.items()}

    def _rows(self, server: Server, used: Usage) -> Iterator[tuple[str, ...]]:
        client = Prometheus(f"http://{self.twin.fleet.address(server.host, server.port)}", 60.0)
        load = server.load
        head = _value(client, f'prometheus_tsdb_head_series{{job="{OWN}"}}')
        yield from self._parts(server, client)
        yield _compared("series in all", load.series, head)
        span = max(8, 4 * self.wish.interval // self.wish.lapse)
        rate = f'rate(prometheus_tsdb_head_samples_appended_total{{job="{OWN}"}}[{span}s])'
        yield _compared("samples a second", load.samples_per_second, _value(client, rate))
        yield _compared("RAM, MiB", load.memory / 1024**2, used.memory / 1024**2)
        yield _compared("RAM, bytes a series", load.memory / load.series, used.memory / head)
        yield "of it not mapped from files", "", f"{used.own / head:,.0f}", ""
        yield "processors", "", f"{used.cpu:.2f}", ""
        yield from _blocks(client)

    def _parts(self, server: Server, client: Prometheus) -> Iterator[tuple[str, ...]]:
        """The series by where they come from."""
        by_job = {
            sample.labels["job"]: sample.value
            for sample in client.query("sum by (job) (scrape_samples_post_metric_relabeling)")
        }
        own, federated = by_job.pop(OWN), by_job.pop("federate", 0.0)
        weights = sum(self.twin.fleet.weights[name] for name in server.nodes)
        rest = server.load.series - SELF_SERIES - weights
        if server.role == "shard":
            yield _compared("from exporters", weights, sum(by_job.values()))
            yield _compared("`up` and what rules record", rest, _value(client, f"count({UP} or {RULES})"))
            yield _compared("about itself", SELF_SERIES, own)
        else:
            watched = ALERTMANAGER_SERIES * len(self.twin.fleet.alertmanagers)
            yield _compared("from shards", rest - watched, federated)
            yield _compared("about itself and Alertmanager", SELF_SERIES + watched, own + sum(by_job.values()))
        yield "about scrapes", "0", f"{_value(client, f'count({SCRAPES})'):,.0f}", ""


def _blocks(client: Prometheus) -> Iterator[tuple[str, ...]]:
    """What the blocks on disk take, where any was cut."""
    size = _value(client, f'prometheus_tsdb_storage_blocks_bytes{{job="{OWN}"}}')
    samples = _value(client, f'prometheus_tsdb_compaction_chunk_samples_sum{{job="{OWN}"}}')
    if size and samples:
        yield "samples in blocks", "", f"{samples:,.0f}", ""
        off = f"{(size / samples / BYTES_PER_SAMPLE - 1) * 100:+.1f} %"
        yield "disk, bytes a sample", f"{BYTES_PER_SAMPLE:.2f}", f"{size / samples:.2f}", off


def _compared(name: str, predicted: float, real: float) -> tuple[str, ...]:
    return name, f"{predicted:,.0f}", f"{real:,.0f}", f"{(real / predicted - 1) * 100:+.1f} %"


def _value(client: Prometheus, query: str) -> float:
    try:
        return next((sample.value for sample in client.query(query)), 0.0)
    except OutsideError as error:
        raise SystemExit(f"{query}: {error}") from error


def _usage(pid: int) -> Usage:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    memory, own = (int(status.partition(name)[2].split()[0]) * 1024 for name in ("VmRSS:", "RssAnon:"))
    return Usage(ticks / os.sysconf("SC_CLK_TCK"), memory, own)


if __name__ == "__main__":
    main()
