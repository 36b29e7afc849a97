"""An analysis in plain words: why it says what it says, and what to do now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from aamic.model.analysis import Analysis, Event, Known, Window
from aamic.model.slurm import Job
from aamic.ops.correlate import Weighed, repeats

_TOLD: Final = 5
"""Events that are given as reasons; the others stand in the time line."""
_OUTCOME: Final[Mapping[str, str]] = {
    "COMPLETED": "the job completed, so no event stopped it",
    "OUT_OF_MEMORY": "the job ran out of its host memory, which GPUs do not cause",
    "TIMEOUT": "the job ran into its time limit",
    "DEADLINE": "the job ran into its deadline",
    "CANCELLED": "the job was cancelled",
    "PREEMPTED": "the job was preempted by another one",
    "NODE_FAIL": "Slurm lost one of its nodes",
    "BOOT_FAIL": "one of its nodes did not boot",
}
_ADVICE: Final[Mapping[str, str]] = {
    "COMPLETED": "nothing to do",
    "OUT_OF_MEMORY": "ask for more memory with --mem, or find out where the program's memory goes",
    "TIMEOUT": "look at the job's output whether it hung, or ask for more time with --time",
    "DEADLINE": "submit it again with a later deadline",
    "CANCELLED": "nothing to do",
    "PREEMPTED": "submit it again, or to a partition that does not preempt",
    "NODE_FAIL": "look at the node's kernel log and at slurmctld's log from around the end of the job",
    "BOOT_FAIL": "look at the node's console, and at slurmctld's log",
    "FAILED": "look at the job's own output: its GPUs give no reason for its exit",
}
_KNOWN: Final[Mapping[Known, str]] = {
    "slurm": "the job's own GPUs are known from Slurm",
    "journal": "the job's own GPUs are known from the epilog's journal",
    "metrics": "the job's own GPUs are known from the exporter, which named the job",
    "whole nodes": "the job had every GPU of its nodes",
    "no GPUs": "the job had no GPUs",
    "unknown": "which GPUs the job had is not known, so all GPUs of its nodes count, for less",
}


def not_started(job: Job) -> Analysis:
    """What there is to say of a job that has not run: no GPU can have hurt it."""
    why = f" ({job.reason})" if job.reason not in {"", "None"} else ""
    if job.ended is None:
        reason = f"it has not started{why}, so no GPU can have hurt it"
        todo = f"`squeue --start -j {job.id}` says when it may start"
    else:
        reason = f"it ended without having started{why}, so no GPU can have hurt it"
        todo = "nothing to do"
    return Analysis(job, None, "none", 100, (reason,), todo)


def worded(draft: Analysis, decisive: Event | None, weighed: Sequence[Weighed]) -> Analysis:
    """The analysis with its reasons and its recommendation."""
    return replace(
        draft,
        reasons=tuple(_reasons(draft, decisive, weighed)),
        recommendation=_recommendation(draft, decisive),
    )


def _reasons(draft: Analysis, decisive: Event | None, weighed: Sequence[Weighed]) -> Iterator[str]:
    told = sorted(weighed, key=lambda each: (each.event is not decisive, _RANK[each.event.bearing]))
    worth = [each for each in told if each.event.bearing != "note"]
    for each in worth[:_TOLD]:
        yield _reason(draft, each)
    if len(worth) > _TOLD:
        yield f"and {len(worth) - _TOLD} more events"
    if draft.correlation == "none" and not worth:
        yield "nothing happened on its GPUs while it ran"
    if draft.correlation == "unknown":
        yield _unknown(draft)
    if draft.job.state in _OUTCOME:
        yield _OUTCOME[draft.job.state]
    yield from _beside(draft)
    if draft.known not in {"no GPUs", "unknown"} or draft.events:
        yield _KNOWN[draft.known]


def _unknown(draft: Analysis) -> str:
    """How much is not known."""
    if not draft.job.nodes:
        return "Slurm does not say on which nodes it ran"
    dark = {gap.node for gap in draft.gaps if draft.window and (gap.start, gap.end) == _ends(draft.window)}
    if dark >= set(draft.job.nodes):
        return "nothing is known of its GPUs while it ran"
    return "nothing was seen on its GPUs, but not all of its time is known"


def _ends(window: Window) -> tuple[float, float]:
    return window.start, window.end


_RANK: Final = {"fatal": 0, "hard": 1, "sign": 2, "application": 3, "note": 4}


def _reason(draft: Analysis, each: Weighed) -> str:
    event = each.event
    told = f"{event.what} on GPU {event.gpu} of {event.node}, {_when(draft, event)}"
    if draft.window and not draft.window.certain(event):
        return f"{told}; it may have been there before the job"
    if repeats(each):
        return f"{told}; programs of {each.jobs} jobs failed on this GPU, so it may be the GPU"
    if event.bearing == "application":
        return f"{told}: the program's fault, no sign of a broken GPU"
    return told


def _when(draft: Analysis, event: Event) -> str:
    end = draft.job.ended
    if end is None:
        return f"{span(event.at - (draft.job.started or event.at))} after it started"
    return f"{span(end - event.at)} before it ended" if event.at <= end else "seen just after it ended"


def span(seconds: float) -> str:
    """A length of time in the largest unit that fits.

    >>> span(40), span(600), span(9000), span(200000)
    ('40 s', '10 min', '2.5 h', '2.3 days')
    """
    if seconds < 120:  # noqa: PLR2004  # two minutes
        return f"{seconds:.0f} s"
    if seconds < 7200:  # noqa: PLR2004  # two hours
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} days"  # noqa: PLR2004


def _beside(draft: Analysis) -> Iterator[str]:
    """What might be taken for a reason, and is none."""
    for event in draft.older[:_TOLD]:
        yield f"{event.what} on GPU {event.gpu} of {event.node} is older than the job, so it is not blamed"
    places = [event for event in draft.elsewhere if event.bearing in {"fatal", "hard"}]
    for event in places[:_TOLD]:
        yield f"{event.what} was on GPU {event.gpu} of {event.node}, which is not one of the job's"


def _recommendation(draft: Analysis, decisive: Event | None) -> str:
    if decisive is not None:
        return f"{decisive.node} GPU {decisive.gpu}: {decisive.action}"
    if draft.correlation == "unknown":
        return "close the gaps named below, then ask again; until then do not call the GPUs healthy"
    faults = [event for event in draft.events if event.bearing == "application"]
    if faults:
        return faults[-1].action
    return _ADVICE.get(draft.job.state, "nothing to do")
