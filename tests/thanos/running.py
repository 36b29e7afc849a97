"""A site with Thanos on this machine: the command lines of its rendered units, as real processes on loopback."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode
from urllib.request import urlopen

from aamic.clients.processes import Processes
from aamic.clients.prometheus import Alertmanager, Prometheus
from aamic.compile.compiler import Compiled, check_site, shipped_catalog
from aamic.errors import OutsideError
from aamic.model.fleet import Fleet, Server, ThanosComponent
from aamic.twin import checks
from aamic.twin.checks import Seen, World
from aamic.twin.exporters import SyntheticExporters
from aamic.twin.pages import pages
from aamic.twin.stage import Launch, launches, staged, thanos_launches, write_hosts

HOUR: Final = 3600
BLOCK: Final = 2 * HOUR
ARCHIVED: Final = 13 * HOUR
"""Seconds of samples that were stored long ago: four blocks which the compactor makes one of, and three newer ones."""
WATTS: Final = 123.0


@dataclass(frozen=True)
class Running:
    """A site while it runs; its processes are named as in a twin, `aami-thanos-query on mon-01`."""

    folder: Path
    twin: Compiled
    world: World
    processes: Processes
    commands: dict[str, Launch]

    @property
    def fleet(self) -> Fleet:
        """The site on this machine."""
        return self.twin.fleet

    @property
    def query(self) -> Prometheus:
        """Thanos Query."""
        return next(iter(self.world.queries.values()))

    @property
    def central(self) -> Prometheus:
        """Central."""
        return self.world.top[1]

    @property
    def alertmanager(self) -> Alertmanager:
        """The one Alertmanager."""
        return next(iter(self.world.alertmanagers.values()))

    def server(self, title: str) -> Server:
        """A server of Prometheus, such as `shard-1/a`."""
        return next(each for each in self.fleet.servers if each.title == title)

    def data(self, title: str) -> Path:
        """The data folder of a server."""
        server = self.server(title)
        return self.folder / "hosts" / server.host / server.storage_path.lstrip("/")

    def sidecars(self, name: str) -> list[ThanosComponent]:
        """Those of a shard."""
        found = self.fleet.thanos.of("sidecar") if self.fleet.thanos else ()
        return [each for each in found if each.server is not None and each.server.name == name]

    def named(self, unit: str) -> list[str]:
        """The processes of a unit: both of a pair."""
        return [name for name in self.commands if name.startswith(f"{unit} on ")]

    def raw(self, expr: str, **options: str) -> dict[str, Any]:
        """The whole answer of Query to an instant query."""
        asked = f"{self.query.url}/api/v1/query?{urlencode({'query': expr, **options})}"
        with urlopen(asked, timeout=20) as answer:  # noqa: S310  # on loopback
            found: dict[str, Any] = json.load(answer)
            return found

    def start(self, name: str, *more: str, without: str = "") -> None:
        """Start a process, with further options and without one."""
        launch = self.commands[name]
        command = [word for word in launch.command if word != without]
        log = self.folder / "logs" / f"{name.replace(' ', '-')}.log"
        self.processes.start(name, [*command, *more], launch.folder, log, launch.environment)

    def stop(self, name: str) -> None:
        """End a process."""
        for process in [each for each in self.processes.running if each.name == name]:
            self.processes.kill(process)

    @contextmanager
    def without(self, *units: str) -> Iterator[None]:
        """Let units be away meanwhile."""
        names = [name for unit in units for name in self.named(unit)]
        assert names
        for name in names:
            self.stop(name)
        try:
            yield
        finally:
            for name in names:
                self.start(name)

    def wait(self, check: Callable[[World], Seen], seconds: float = 60) -> None:
        """Wait until nothing is missing."""
        eventually(lambda: check(self.world).missing, (), seconds)


def eventually(ask: Callable[[], Any], wanted: object, seconds: float = 60) -> None:
    """Ask again and again until the answer is what is wanted; AssertionError with the last one if it never is."""
    until = time.monotonic() + seconds
    while (found := _answer(ask)) != wanted:
        assert time.monotonic() < until, f"{found!r}, and not {wanted!r}"
        time.sleep(0.1)


def _answer(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except OutsideError as error:
        return error


def archived_from(now: float) -> int:
    """When the samples of long ago begin: three days ago, where a block of eight hours begins."""
    return int(now - 72 * HOUR) // (8 * HOUR) * (8 * HOUR)


@contextmanager
def running(site: str, folder: Path) -> Iterator[Running]:
    """A site that runs, once Query has all of it; shard-1/a has stored samples of long ago as well."""
    (folder / "site").mkdir()
    (folder / "site/site.yaml").write_text(site)
    with ExitStack() as stack:
        twin = stack.enter_context(staged(check_site(folder / "site/site.yaml"), 24, (), folder))
        write_hosts(twin, folder / "hosts")
        exporters = SyntheticExporters(pages(twin.site, twin.fleet, shipped_catalog(), frozenset()))
        stack.enter_context(exporters)
        processes = stack.enter_context(Processes())
        servers, thanos = launches(twin, folder / "hosts", None), thanos_launches(twin, folder / "hosts")
        commands = {launch.name: launch for launch in (*servers, *thanos)}
        made = Running(folder, twin, checks.world(twin.fleet), processes, commands)
        (folder / "logs").mkdir()
        archive(made.data("shard-1/a"), archived_from(time.time()))
        for launch in servers:
            made.start(launch.name)
        made.wait(checks.ready)
        for launch in thanos:
            made.start(launch.name)
        for check in (checks.targets_up, checks.federated, checks.queried):
            made.wait(check)
        yield made


def archive(data: Path, start: int) -> None:
    """Store blocks of long ago in the data folder of a server that does not run yet."""
    labels = 'cluster="small",node="gpu-001",gpu="0",rack="r01",vendor="nvidia"'
    lines = [f"gpu:power_watts{{{labels}}} {WATTS} {at}\n" for at in range(start, start + ARCHIVED, 60)]
    data.mkdir(parents=True, exist_ok=True)
    text = data.parent / "archive.om"
    text.write_text("".join([*lines, "# EOF\n"]))
    make = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(text), str(data)]
    subprocess.run(make, check=True, stdout=subprocess.DEVNULL)
