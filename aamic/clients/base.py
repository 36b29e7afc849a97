"""What deploy and ops need from the outside world, as protocols. A leaf: clients implement it, commands choose one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from aamic.model.api import Alert, Alerts, Health, Nodes, Ping, Status, Version
from aamic.model.federation import Group, Scrape
from aamic.model.slurm import Job, SlurmNode


@dataclass(frozen=True, slots=True)
class Answer:
    """What a program on a host left behind: its exit status and both outputs."""

    status: int
    output: bytes
    errors: bytes


@dataclass(frozen=True, slots=True)
class Sample:
    """One series of an instant query and its value."""

    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Track:
    """One series over time: its samples as (seconds since 1970, value), in order, as they were scraped."""

    labels: Mapping[str, str]
    samples: Sequence[tuple[float, float]]


class Hosts(Protocol):
    """Managed hosts, by the names of the site. Safe to use from many threads, one call a host at a time."""

    def run(self, host: str, command: Sequence[str], payload: Sequence[bytes], timeout: float) -> Answer:
        """Run one program on a host as root, with `payload` on its standard input, to its end.

        Connecting is tried again as often as the site says; the program is started at most once.

        Raises:
            HostError: The host was not reached, did not let us in, or went away; or `timeout` seconds passed.
        """

    def close(self) -> None:
        """Close every connection."""


class Metrics(Protocol):
    """A server that answers PromQL."""

    def query(self, expr: str) -> Sequence[Sample]:
        """Return the series of an instant query that gives a vector.

        Raises:
            OutsideError: It does not answer, or refuses the query.
        """


class History(Metrics, Protocol):
    """A server that also answers what it stored."""

    def tracks(self, selector: str, start: float, end: float) -> Sequence[Track]:
        """Return the raw samples of the series that a selector names, from `start` to `end`.

        Raises:
            OutsideError: It does not answer, or refuses the query.
        """


class Charted(Protocol):
    """A server that answers PromQL of any moment and over time, such as Prometheus or Thanos Query."""

    def at(self, expr: str, moment: float) -> Sequence[Sample]:
        """Return the series of an instant query at a moment, in seconds since 1970; a scalar is one without labels.

        Raises:
            OutsideError: It does not answer, or refuses the query.
        """

    def over(self, expr: str, start: float, end: float, step: float) -> Sequence[Track]:
        """Return the values of a query from `start` to `end`, both included, every `step` seconds.

        Raises:
            OutsideError: It does not answer, or refuses the query.
        """


class Inspected(Metrics, Protocol):
    """A Prometheus server that is asked about itself. Every method raises OutsideError where it gives no answer."""

    def ready(self) -> None:
        """Return when it says that it is ready."""

    def version(self) -> str:
        """Return the version of the program."""

    def scrapes(self) -> Sequence[Scrape]:
        """Return its targets, each with its last scrape."""

    def groups(self) -> Sequence[Group]:
        """Return the rule groups that it has loaded."""

    def series(self) -> int:
        """Return the number of series in memory."""


class Heard(tuple[Alert, ...]):  # noqa: SLOT001  # a tuple can have none
    """The alerts of several servers together; `silent` are those that were not heard, and why."""

    silent: tuple[str, ...] = ()


class Alarms(Protocol):
    """Who knows which alerts there are: an Alertmanager, or a Prometheus server alone."""

    def firing(self) -> Sequence[Alert]:
        """Return the alerts that fire or are suppressed, as documents of the API.

        Raises:
            OutsideError: It does not answer, or not as it should.
        """


@dataclass(frozen=True, slots=True)
class Shown:
    """A server's certificate, as it was verified: whom it is for and from, and when it ends, in seconds since 1970."""

    subject: str
    issuer: str
    not_after: float


class Remote(Protocol):
    """Another cluster, of whichever kind. Every method raises RemoteError where it gives no answer that counts."""

    @property
    def certificate(self) -> Shown | None:
        """The certificate that it showed with its last answer; None without TLS."""

    def ping(self) -> Ping:
        """Return its own name, if it is there and lets us in."""

    def version(self) -> Version:
        """Return what answers there."""

    def status(self) -> Status:
        """Return the cluster at one look."""

    def health(self) -> Health:
        """Return how well its nodes are."""

    def alerts(self, severity: str | None, limit: int) -> Alerts:
        """Return its alerts, the most severe first."""

    def nodes(self, limit: int, offset: int) -> Nodes:
        """Return some of its nodes, in natural order."""

    def close(self) -> None:
        """Close every connection."""


class Workloads(Protocol):
    """A Slurm cluster. Every method raises OutsideError, which says what was tried, where Slurm gave no answer."""

    def job(self, name: str) -> Sequence[Job]:
        """Return what is known of a job `123`, array task `123_4` or component `200+1`; empty if nothing is.

        An array or heterogeneous job gives each of its parts, and a requeued job each run that accounting knows, in
        order of start. The newest source that knows the job answers: the controller, then accounting.
        """

    def jobs(self) -> Sequence[Job]:
        """Return every job that the controller holds now, finished ones too until it forgets them."""

    def history(self, since: float, until: float, nodes: Sequence[str] = ()) -> Sequence[Job]:
        """Return jobs of accounting that ran at any time between, on any of these nodes where some are named."""

    def nodes(self) -> Sequence[SlurmNode]:
        """Return every node of the cluster."""

    def drain(self, node: str, reason: str) -> None:
        """Let a node finish its jobs and start no others."""

    def resume(self, node: str) -> None:
        """Let a node start jobs again."""
