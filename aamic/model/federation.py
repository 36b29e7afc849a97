"""How the Prometheus servers of a site stand: what was observed of each, and what that means. Frozen, no input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

TargetHealth = Literal["up", "down", "unknown"]
State = Literal["ok", "warning", "failing", "unknown"]
Level = Literal["note", "warning", "failing", "unknown"]
STATES: Final[tuple[State, ...]] = ("ok", "warning", "failing", "unknown")
"""From good to bad. A server of which something is not known comes last: it may be worse than any that is known."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Stands where a value could not be had, and says why."""

    why: str


@dataclass(frozen=True, slots=True)
class Scrape:
    """A target of a server; `address` is host:port, `at` the last scrape in seconds since 1970, None before the first.

    `seconds` is how long that took, `interval` how many seconds lie between two.
    """

    job: str
    address: str
    labels: Mapping[str, str]
    health: TargetHealth
    error: str
    at: float | None
    seconds: float
    interval: float


@dataclass(frozen=True, slots=True)
class Group:
    """A rule group that a server has loaded; `seconds` is how long its last evaluation took, of each `interval`.

    `failing` are rules with their errors, `waiting` is the number of those that were not evaluated yet.
    """

    name: str
    interval: float
    seconds: float
    rules: int
    waiting: int
    failing: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Observed:
    """What one server says of itself; times are seconds, `clock` since 1970 by the server's own clock.

    `ahead` is how far that clock is ahead of ours, give or take `vague`. `oldest` is the time of the oldest sample,
    None where there is none. `ages` is, of central alone, how old the newest sample of each shard and replica is.
    """

    ready: bool | Unknown
    clock: float | Unknown
    version: str | Unknown
    scrapes: tuple[Scrape, ...] | Unknown
    series: int | Unknown
    groups: tuple[Group, ...] | Unknown
    reloaded: bool | Unknown
    oldest: float | Unknown | None
    ages: Mapping[tuple[str, str], float] | Unknown = field(default_factory=dict)
    ahead: float = 0.0
    vague: float = 0.0

    @property
    def answered(self) -> bool:
        """Whether it is a Prometheus server that said anything at all."""
        return not isinstance(self.version, Unknown)


@dataclass(frozen=True, slots=True)
class Expected:
    """What the site wants of one server: `targets` are nodes by (job, address), `groups` numbers of rules by name.

    `stale` is from how many seconds on what central has of it is old. `read` says whether central reads it. `cluster`
    is what its targets have as the label of that name.
    """

    name: str
    shard: str
    role: Literal["single", "shard", "central"]
    replica: str | None
    host: str
    address: str
    targets: Mapping[tuple[str, str], str]
    groups: Mapping[str, int]
    series: int
    retention: float
    stale: float
    read: bool
    cluster: str


@dataclass(frozen=True, slots=True)
class Reading:
    """How central reads a server: the last read, and the age of the newest sample that came of it.

    `age` is None where central has no sample of the last hour; `told` says whether the site lets that be seen.
    """

    health: TargetHealth | Unknown
    error: str = ""
    ago: float | None = None
    seconds: float | None = None
    interval: float | None = None
    age: float | Unknown | None = None
    told: bool = True


@dataclass(frozen=True, slots=True)
class Tally:
    """Targets of one job, or of all; `missing` are nodes that are not scraped, `extra` what the site does not want.

    `lacking` are the targets of these nodes, of which one may have several.
    """

    up: int
    down: int
    unknown: int
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    lacking: int = 0

    @property
    def total(self) -> int:
        """All that there are or should be."""
        return self.up + self.down + self.unknown + self.lacking


@dataclass(frozen=True, slots=True)
class Reason:
    """Something that is not as it should be; a `note` does not make a server worse."""

    level: Level
    text: str


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """One server with all that is known of it; the worst of its reasons is its state. `jobs` is None if not known."""

    expected: Expected
    observed: Observed
    reading: Reading | None
    jobs: Mapping[str, Tally] | None
    state: State
    reasons: tuple[Reason, ...]

    @property
    def name(self) -> str:
        """`shard-1/a`, or `central`."""
        return self.expected.name


@dataclass(frozen=True, slots=True)
class FederationStatus:
    """All servers that were asked, and what concerns several of them; `at` is in seconds since 1970."""

    cluster: str
    at: float
    servers: tuple[ServerStatus, ...]
    reasons: tuple[Reason, ...] = ()

    @property
    def state(self) -> State:
        """The worst of all."""
        return worst(worst(*(each.state for each in self.servers)), state_of(self.reasons))

    @property
    def answered(self) -> int:
        """How many servers said anything."""
        return sum(each.observed.answered for each in self.servers)


def total(jobs: Mapping[str, Tally]) -> Tally:
    """All jobs together; a node misses as often as it does in one of them."""
    return Tally(
        sum(each.up for each in jobs.values()),
        sum(each.down for each in jobs.values()),
        sum(each.unknown for each in jobs.values()),
        tuple(node for each in jobs.values() for node in each.missing),
        tuple(address for each in jobs.values() for address in each.extra),
        sum(each.lacking for each in jobs.values()),
    )


def worst(*states: State) -> State:
    """The worst of some states; nothing at all is not known to be well.

    >>> worst("ok", "unknown", "failing"), worst()
    ('unknown', 'unknown')
    """
    return max(states, key=STATES.index, default="unknown")


def state_of(reasons: tuple[Reason, ...]) -> State:
    """What the worst of some reasons makes of a server; `ok` without any."""
    return worst("ok", *(each.level for each in reasons if each.level != "note"))
