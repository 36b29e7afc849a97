"""The gate after each wave: does Prometheus still scrape what was changed?

The servers that scrape a host are asked, not central, which knows of it a minute later. All times are the server's own,
so no clock needs to be right. The gate never raises: a server that cannot be asked is told of.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from aamic.clients.base import Metrics, Sample
from aamic.compile.hostlist import fold
from aamic.errors import OutsideError

_INTERVAL: Final = 2.0
PASSED: Final = "passed"

Target = tuple[str, str]
"""A host and a job."""


@dataclass(frozen=True, slots=True)
class Source:
    """A Prometheus server, the host that it runs on, and the hosts that it scrapes."""

    name: str
    host: str
    metrics: Metrics
    nodes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate found: hosts that did not pass with the reason, and in one line what people should know."""

    failed: Mapping[str, str]
    told: str


class Gate:
    """Judges waves of one apply.

    `wanted` are the job and address of each target that a host is to have; a target elsewhere, such as on the port that
    an exporter leaves, may go down until the servers are told.
    """

    def __init__(
        self,
        sources: Iterable[Source],
        wanted: Mapping[str, Collection[tuple[str, str]]],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._sources = tuple(sources)
        self._wanted = wanted
        self._clock, self._sleep = clock, sleep
        self._down: dict[str, frozenset[Target]] = {}

    def baseline(self) -> None:
        """Note what is down before anything changes; of a server that does not answer now, nothing is asked later."""
        for source in self._sources:
            try:
                self._down[source.name] = frozenset(map(_target, source.metrics.query("up == 0")))
            except OutsideError:
                continue

    def judge(self, hosts: Collection[str], seconds: float) -> Verdict:
        """Wait until every target of these hosts was scraped since now and none is newly down, at most so long."""
        watches = [
            _Watch(source, frozenset(hosts) & source.nodes, source.host in hosts, self._down[source.name], self._wanted)
            for source in self._sources
            if source.name in self._down and not (source.nodes | {source.host}).isdisjoint(hosts)
        ]
        until = self._clock() + seconds
        while [watch for watch in watches if not watch.passes()] and self._clock() < until:
            self._sleep(min(_INTERVAL, max(0.0, until - self._clock())))
        failed = {host: reason for watch in watches for host, reason in watch.failures(seconds)}
        return Verdict(failed, self._told(hosts, watches, failed))

    def _told(self, hosts: Collection[str], watches: Iterable[_Watch], failed: Mapping[str, str]) -> str:
        unseen = set(hosts).difference(*(watch.hosts for watch in watches))
        if failed:
            return f"failed: {len(failed)} of {len(hosts)} hosts"
        if not unseen or not self._sources:
            return PASSED if self._sources else ""
        if len(unseen) == len(set(hosts)):
            return "not checked: no Prometheus that scrapes these hosts answered before the apply"
        return f"{PASSED}; not checked: {fold(unseen)}"


@dataclass
class _Watch:
    """One server's view of the hosts of a wave that it scrapes; `changed`: it runs on a host of the wave itself."""

    source: Source
    hosts: frozenset[str]
    changed: bool
    before: frozenset[Target]
    wanted: Mapping[str, Collection[tuple[str, str]]]
    since: float | None = None
    down: set[Target] = field(default_factory=set)
    late: set[Target] = field(default_factory=set)
    idle: bool = False
    silent: str = ""

    def passes(self) -> bool:
        """Whether all is well by now."""
        try:
            self._look()
        except OutsideError as error:
            self.silent = str(error)
        return not (self.silent or self.down or self.late or self.idle or self.since is None)

    def _look(self) -> None:
        metrics = self.source.metrics
        if self.since is None:
            self.since = max((sample.value for sample in metrics.query("vector(time())")), default=None)
        self._look_at_itself(self.since or 0.0)
        if self.hosts:
            self._look_at_hosts(self.since or 0.0)
        self.silent = ""

    def _look_at_itself(self, since: float) -> None:
        if self.changed:
            newest = max((sample.value for sample in self.source.metrics.query("max(timestamp(up))")), default=0.0)
            self.idle = newest <= since

    def _look_at_hosts(self, since: float) -> None:
        metrics = self.source.metrics
        of_hosts = f"up{{node=~{_quoted('|'.join(map(re.escape, sorted(self.hosts))))}}}"
        stamps = self._of_wanted(metrics.query(f"timestamp({of_hosts})"))
        self.late = {target for target, at in stamps if at <= since}
        self.down = {target for target, _ in self._of_wanted(metrics.query(f"{of_hosts} == 0"))} - self.before

    def _of_wanted(self, samples: Iterable[Sample]) -> list[tuple[Target, float]]:
        found = [(_target(sample), sample.labels.get("instance", ""), sample.value) for sample in samples]
        return [(target, at) for target, place, at in found if (target[1], place) in self.wanted.get(target[0], ())]

    def failures(self, seconds: float) -> Iterator[tuple[str, str]]:
        """Each host that did not pass, and why."""
        own = {self.source.host} if self.changed else set()
        if self.silent:
            message = f"Prometheus `{self.source.name}` no longer answers"
            yield from ((host, message) for host in sorted(self.hosts | own))
            return
        if self.idle:
            yield self.source.host, f"Prometheus `{self.source.name}` scraped nothing within {seconds:.0f} seconds"
        for host, job in sorted(self.late):
            yield host, f"Prometheus `{self.source.name}` did not scrape job `{job}` within {seconds:.0f} seconds"
        for host, job in sorted(self.down):
            yield host, f"job `{job}` is down in Prometheus `{self.source.name}` since the change"


def _target(sample: Sample) -> Target:
    return sample.labels.get("node", ""), sample.labels.get("job", "")


def _quoted(text: str) -> str:
    r"""The text as a string of PromQL.

    >>> print(_quoted('a\\.b"'))
    "a\\.b\""
    """
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
