"""How a job's fate goes with the events of its GPUs: a small table of points, which is this project's policy.

Each event on a GPU of the job scores by what it says of the GPU, and by how the job ended; the highest score decides.

    60 to 70   a GPU that is broken (`fatal`: 70), or lost data (`hard`: 60)
    25         a sign that it is not quite well; a program's fault that repeats on one GPU over several jobs
     0         a program's fault, a note: never a reason to suspect a GPU
    +20        the job failed within five minutes after it (+25 if its node failed)
    +10        the job failed later, or ran into its time limit, as one does that hangs
    -20        the job completed, or was cancelled or preempted; -25 if it ran out of memory
    -20        the job's own GPUs are not known, so that all of its nodes' count; no more than 55 then, as another's
               GPU may have failed, unless the whole node did

From 85 on a GPU's fault is `confirmed`, from 60 `likely`, from 15 `possible`, below it is `none`. Where an event may
have been there before the job it is never more than `possible`. Where nothing was seen and data are missing it is
`unknown`, never `none`. The confidence is the score; that of `none` is 95, or 75 where the job's GPUs are not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from aamic.model.analysis import Bearing, Correlation, Event, Window
from aamic.model.slurm import Job

NEAR: Final = 300.0
"""Seconds before a failure in which an event is near; our policy."""
REPEATED: Final = 3
"""Jobs in which a program's fault came up on one GPU, this one among them, from which the GPU is looked at."""
_BASE: Final[Mapping[Bearing, int]] = {"fatal": 70, "hard": 60, "sign": 25, "application": 0, "note": 0}
_NODE: Final = frozenset({"NODE_FAIL", "BOOT_FAIL"})
_FAILED: Final = frozenset({"FAILED", *_NODE})
_SLOW: Final = frozenset({"TIMEOUT", "DEADLINE"})
_PENALTY: Final[Mapping[str, int]] = {"COMPLETED": -20, "CANCELLED": -20, "PREEMPTED": -20, "OUT_OF_MEMORY": -25}
_LEVELS: Final[tuple[tuple[int, Correlation], ...]] = ((85, "confirmed"), (60, "likely"), (15, "possible"))
_MOST_UNCERTAIN: Final = 55
_MOST: Final = 99


@dataclass(frozen=True, slots=True)
class Verdict:
    """A correlation with its confidence, 0 to 100, and the event that decides; None where there is none."""

    correlation: Correlation
    confidence: int
    decisive: Event | None


@dataclass(frozen=True, slots=True)
class Weighed:
    """An event, whether its GPU is known to be the job's, and how many jobs met one like it on that GPU."""

    event: Event
    sure: bool
    jobs: int = 1


def judge(job: Job, window: Window, events: Iterable[Weighed], *, sure: bool, complete: bool) -> Verdict:
    """The verdict over the events that count for a job.

    `sure` is whether all of its GPUs are known, `complete` whether everything of its window is.
    """
    best, decisive = 0, None
    for each in events:
        points = score(job, window, each)
        if points > best:
            best, decisive = points, each.event
    for least, level in _LEVELS:
        if best >= least:
            return Verdict(level, best, decisive)
    if not complete:
        return Verdict("unknown", 0, None)
    return Verdict("none", 95 if sure else 75, None)


def score(job: Job, window: Window, weighed: Weighed) -> int:
    """The points of one event, 0 to 99."""
    event = weighed.event
    base = _BASE["sign"] if repeats(weighed) else _BASE[event.bearing]
    if base == 0:
        return 0
    points = base + _outcome(job, window, event) - (0 if weighed.sure else 20)
    certain = window.certain(event) and (weighed.sure or job.state in _NODE)
    most = _MOST if certain else _MOST_UNCERTAIN
    return max(0, min(points, most))


def repeats(weighed: Weighed) -> bool:
    """Whether a program's fault came up in so many jobs that the GPU is looked at."""
    return weighed.event.bearing == "application" and weighed.jobs >= REPEATED


def _outcome(job: Job, window: Window, event: Event) -> int:
    if job.state in _FAILED:
        soon = event.at >= window.end - NEAR
        return (25 if job.state in _NODE else 20) if soon else 10
    if job.state in _SLOW:
        return 10 if event.bearing in {"fatal", "hard"} else 0
    return _PENALTY.get(job.state, 0)
