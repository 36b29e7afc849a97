"""A drain policy against the past: what it would have done, when, and what of it came before a job that failed.

The modules that decide on hosts decide here. Memory holds one node for a day and its changes of verdict, however long
the span and however large the cluster: servers first say of whole days which nodes may have failed at all, and only
these node-days are looked at sample by sample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from aamic.clients.base import Workloads
from aamic.errors import OutsideError
from aamic.model.backtest import Backtest, FailedJob, Hole, Outcome
from aamic.ops.drainrules import Rules
from aamic.ops.foresight import avoided, failed, foreseen, told
from aamic.ops.replay import Memory, Said, replay
from aamic.ops.simulate import simulate
from aamic.ops.stored import Glance, Holder, Span, glance, tracks

DAY: Final = 86_400
_WARM: Final = 3600
"""Seconds before the first look at a node that its judge gets to know: the longest that it looks back."""
_WHOLE: Final = 0.99
"""What is seen of a node's day at the least before it is called known; a look may fall between two samples."""

Tick = Callable[[str], None]


@dataclass
class _Work:
    """What is known so far: for each of the rules, each node's verdicts and its judge's memory."""

    said: list[dict[str, list[Said]]]
    memories: list[dict[str, Memory]]
    holes: list[Hole] = field(default_factory=list)
    node_days: int = 0


@dataclass(frozen=True, slots=True)
class Past:
    """Where the past is kept. `workloads` is None where accounting is not asked; `horizon` is in seconds."""

    holders: Sequence[Holder]
    workloads: Workloads | None
    span: Span
    horizon: int


def backtest(rules: Sequence[Rules], past: Past, tick: Tick) -> Backtest:
    """What each of these rules would have done; `tick` is told of each day of each holder that is begun.

    What cannot be known is among the holes: no answer of a server or of accounting ends it.
    """
    work = _Work([{} for _ in rules], [{} for _ in rules])
    for day in days(past.span):
        for holder in past.holders:
            tick(holder.name)
            _day(work, rules, holder, day)
    jobs, no_jobs = _failed(past, rules)
    outcomes = tuple(_outcome(each, said, past, jobs or ()) for each, said in zip(rules, work.said, strict=True))
    return Backtest(
        cluster=rules[0].cluster,
        start=past.span.start,
        end=past.span.end,
        step=past.span.step,
        horizon=past.horizon,
        nodes=len(_nodes(rules)),
        node_days=work.node_days,
        outcomes=outcomes,
        failed=jobs,
        no_jobs=no_jobs,
        holes=tuple(sorted(work.holes, key=lambda hole: (hole.start, hole.nodes))),
    )


def days(span: Span) -> Iterator[Span]:
    """The span in pieces of a day at the most, each of whole steps.

    >>> [round(day.end - day.start) for day in days(Span(0, 100_000, 30))]
    [86400, 13590]
    """
    end = span.start + span.steps * span.step
    long = DAY // span.step * span.step
    start = span.start
    while start < end:
        yield Span(start, min(start + long, end), span.step)
        start += long


def _nodes(rules: Sequence[Rules]) -> list[str]:
    return sorted({node for each in rules for node in each.nodes})


def _day(work: _Work, rules: Sequence[Rules], holder: Holder, day: Span) -> None:
    held = frozenset(holder.nodes)
    mine = [node for node in _nodes(rules) if node in held]
    try:
        found = glance(holder, rules[0].cluster, day)
    except OutsideError as error:
        _unknown(work, mine, day, str(error))
        return
    work.holes += _holes(found, mine, day)
    for node in mine:
        if any(_worth(each, memories, node, found) for each, memories in zip(rules, work.memories, strict=True)):
            _look(work, rules, holder, node, day)
        else:
            _well(work, node, day)


def _worth(rules: Rules, memories: Mapping[str, Memory], node: str, found: Glance) -> bool:
    """Whether a node's day must be looked at: it may fail, or did so when it began."""
    began = node in memories and memories[node].verdict == "fail"
    return node in rules.nodes and (began or (found.known(node) and found.may_fail(node, rules.nodes[node])))


def _look(work: _Work, rules: Sequence[Rules], holder: Holder, node: str, day: Span) -> None:
    """Replay a node's day with every judge, from an hour before where it was not looked at until then."""
    known = all(node in memories for each, memories in zip(rules, work.memories, strict=True) if node in each.nodes)
    warm = 0 if known else _WARM // day.step * day.step
    try:
        stored = tracks(holder, rules[0].cluster, node, day.start - warm - holder.lookback, day.end)
    except OutsideError as error:
        _unknown(work, [node], day, str(error))
        return
    work.node_days += 1
    for each, memories, said in zip(rules, work.memories, work.said, strict=True):
        if node in each.nodes:
            memory = memories.setdefault(node, Memory())
            if warm:
                memory.judge = {}
            before = Span(day.start - warm, day.end, day.step)
            new = list(replay(stored, each.nodes[node], memory, before, holder.lookback))
            said.setdefault(node, []).extend(_from(new, day.start))


def _from(said: Sequence[Said], start: float) -> list[Said]:
    """What is said from `start` on, beginning with what was said last before it."""
    before = [each for each in said if each.at <= start][-1:]
    return [Said(start, each.verdict, each.signals) for each in before] + [each for each in said if each.at > start]


def _well(work: _Work, node: str, day: Span) -> None:
    """Note that a node cannot have failed that day; whoever looks at it later begins anew."""
    for memories, said in zip(work.memories, work.said, strict=True):
        memories.pop(node, None)
        if node in said:
            said[node].append(Said(day.start, "ok", frozenset()))


def _unknown(work: _Work, nodes: Sequence[str], day: Span, why: str) -> None:
    for memories, said in zip(work.memories, work.said, strict=True):
        for node in nodes:
            memories.pop(node, None)
            if node in said:
                said[node].append(Said(day.start, "unknown", frozenset()))
    if nodes:
        work.holes.append(Hole(day.start, day.end, tuple(nodes), 0.0, why))


def _holes(found: Glance, nodes: Sequence[str], day: Span) -> Iterator[Hole]:
    """Nodes of whose day not all is known, those of which the same share is known together."""
    shares: dict[float, list[str]] = {}
    for node in nodes:
        if (seen := found.seen.get(node, 0.0)) < _WHOLE:
            shares.setdefault(int(seen * 100) / 100, []).append(node)
    for share, those in sorted(shares.items()):
        yield Hole(day.start, day.end, tuple(those), share, "no `gpu:temperature_celsius` is stored for the rest")


def _failed(past: Past, rules: Sequence[Rules]) -> tuple[tuple[FailedJob, ...] | None, str]:
    """The jobs that failed in the span, a day at a time; and why there are none, if accounting gave no answer."""
    if past.workloads is None:
        return None, "accounting was not asked"
    found: dict[FailedJob, None] = {}
    mine = set(_nodes(rules))
    try:
        for day in days(past.span):
            jobs = past.workloads.history(day.start, day.end)
            found.update(dict.fromkeys(each for each in failed(jobs, day.start, day.end) if mine & {*each.nodes}))
    except OutsideError as error:
        return None, str(error)
    return tuple(sorted(found, key=lambda job: (job.ended, job.shown))), ""


def _outcome(rules: Rules, said: Mapping[str, Sequence[Said]], past: Past, jobs: Sequence[FailedJob]) -> Outcome:
    drains, held, trips = simulate({node: said[node] for node in sorted(said)}, rules.drains, past.span)
    return Outcome(
        name=rules.name,
        cap=rules.drains.cap,
        drains=told(drains, jobs, past.horizon),
        held=held,
        trips=trips,
        foreseen=foreseen(drains, jobs, past.horizon),
        avoided=avoided(drains, jobs, past.horizon),
    )
