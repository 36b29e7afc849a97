"""What a drain policy would have done in a span that has passed. Frozen, no input or output; times are since 1970."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FailedJob:
    """A job that failed on nodes of this cluster."""

    shown: str
    state: str
    started: float
    ended: float
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Drain:
    """A node that would have been drained. `before` are jobs that failed there within the horizon afterwards."""

    at: float
    node: str
    reason: str
    before: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Held:
    """A node that should have been drained, and was not as the cap or the breaker stood against it."""

    at: float
    node: str


@dataclass(frozen=True, slots=True)
class Trip:
    """A breaker that would have tripped; `until` is when what tripped it was over, None if it was not."""

    at: float
    reason: str
    until: float | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one policy would have done. `name` is a revision, '' for the site as it is.

    Of the jobs that failed, `foreseen` had one of their nodes drained within the horizon before their end; `avoided`
    are those of them that had not started yet, and so would have run elsewhere.
    """

    name: str
    cap: int
    drains: tuple[Drain, ...]
    held: tuple[Held, ...]
    trips: tuple[Trip, ...]
    foreseen: tuple[FailedJob, ...]
    avoided: tuple[FailedJob, ...]


@dataclass(frozen=True, slots=True)
class Hole:
    """Nodes of which only a part of a span is known: `seen` of it, from 0 to 1, for the reason `why`."""

    start: float
    end: float
    nodes: tuple[str, ...]
    seen: float
    why: str


@dataclass(frozen=True, slots=True)
class Backtest:
    """The outcomes of one or two policies over the same span; `step` and `horizon` are seconds.

    `failed` are all jobs that failed in the span, None where accounting gave no answer, for the reason `no_jobs`.
    `node_days` were looked at closely, as a GPU might have failed there.
    """

    cluster: str
    start: float
    end: float
    step: int
    horizon: int
    nodes: int
    node_days: int
    outcomes: tuple[Outcome, ...]
    failed: tuple[FailedJob, ...] | None
    no_jobs: str
    holes: tuple[Hole, ...]

    @property
    def known(self) -> float:
        """The share of the nodes' time of which something is stored, from 0 to 1."""
        lost = sum((each.end - each.start) * len(each.nodes) * (1 - each.seen) for each in self.holes)
        whole = (self.end - self.start) * self.nodes
        return max(0.0, round(1 - lost / whole, 6)) if whole else 0.0
