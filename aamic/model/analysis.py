"""What is known of a job and the GPUs it ran on: events, gaps and a verdict. Frozen, no input or output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from aamic.model.gpuerror import Severity
from aamic.model.slurm import Job, SlurmNode

Correlation = Literal["none", "unknown", "possible", "likely", "confirmed"]
CORRELATIONS: Final[tuple[Correlation, ...]] = ("none", "unknown", "possible", "likely", "confirmed")
"""How a job's fate goes with its GPUs' events, weakest first. `unknown`: nothing was seen, and not all was there to
see."""
EventKind = Literal[
    "error_code",
    "ecc_uncorrected",
    "ecc_deferred",
    "ecc_corrected",
    "fabric",
    "remap_failure",
    "remap_pending",
    "unhealthy",
    "lost",
    "temperature",
    "throttle",
]
Bearing = Literal["fatal", "hard", "sign", "application", "note"]
"""What an event says of the GPU: it is broken; data was lost; it is not quite well; a program failed on it; nothing."""
Known = Literal["slurm", "journal", "metrics", "whole nodes", "no GPUs", "unknown"]
"""Where the job's own GPUs are known from."""


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """A span of time, in seconds since 1970, in which an event counts.

    What happens is seen up to `lag` seconds later. `slack` is how far apart two samples may be and still be neighbours.
    """

    start: float
    end: float
    lag: float
    slack: float

    def holds(self, event: Event) -> bool:
        """Whether the event happened within: some moment between its two samples does, for all that is known."""
        since = event.at - self.slack if event.since is None else event.since
        return self.start < event.at <= self.end + self.lag and since < self.end

    def certain(self, event: Event) -> bool:
        """Whether it is known not to have happened before."""
        return event.since is not None and event.since >= self.start - self.slack


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a GPU between two samples, in seconds since 1970.

    `at` is the first sample that shows it, `since` the last one before that does not; None where the data begin with
    it. `gpu` is an index as text. `code` is 0 where the event is no error code.
    """

    at: float
    since: float | None
    node: str
    gpu: str
    kind: EventKind
    what: str
    meaning: str
    severity: Severity
    bearing: Bearing
    action: str
    vendor: str = ""
    code: int = 0


@dataclass(frozen=True, slots=True)
class Gap:
    """A part of a window of which nothing is known on a node, and why."""

    node: str
    start: float
    end: float
    why: str


@dataclass(frozen=True, slots=True)
class Analysis:
    """What became of one run of a job and why, as far as its GPUs tell.

    `window` is None for a job that did not run. `confidence` is 0 to 100. `events` happened on the job's own GPUs, or
    on its nodes where those are not known; `elsewhere` on other GPUs of its nodes; `older` were there before it.
    """

    job: Job
    window: Window | None
    correlation: Correlation
    confidence: int
    reasons: tuple[str, ...]
    recommendation: str
    events: tuple[Event, ...] = ()
    elsewhere: tuple[Event, ...] = ()
    older: tuple[Event, ...] = ()
    gaps: tuple[Gap, ...] = ()
    notes: tuple[str, ...] = ()
    known: Known = "unknown"


@dataclass(frozen=True, slots=True)
class Suspect:
    """A GPU on which something happened more than once or to several jobs, and these jobs as people write them."""

    gpu: str
    events: int
    jobs: tuple[str, ...]
    worst: Bearing


@dataclass(frozen=True, slots=True)
class NodeAnalysis:
    """What happened on a node between two times: events, the jobs that ran, and how it stands in Slurm now."""

    node: str
    start: float
    end: float
    events: tuple[Event, ...]
    older: tuple[Event, ...]
    jobs: tuple[Analysis, ...]
    suspects: tuple[Suspect, ...]
    gaps: tuple[Gap, ...]
    notes: tuple[str, ...]
    slurm: SlurmNode | None
