"""What a drain policy would have done, as text, Markdown and JSON; times are UTC."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

from aamic.model.backtest import Backtest, Drain, FailedJob, Hole, Outcome
from aamic.views.markdown import code, escaped, table
from aamic.views.terminal import safe

Fold = Callable[[Iterable[str]], str]
_SHOWN: Final = 20
"""Rows of a list that people get; JSON has all."""
_WHOLE: Final = 0.995
ASSUMED: Final = (
    "a drained node is given back once it has been well for an hour",
    "a breaker is reset once no more nodes want draining than may be drained",
    "verdicts are seen at once, and nodes that people drained are not known",
    "jobs that ran out of time or memory or were cancelled are not counted as failed",
)
"""What a backtest takes for granted, as nothing tells it."""


def text(found: Backtest, fold: Fold) -> str:
    """Some lines for each policy, then what is not known."""
    return "\n".join(safe(line) for line in _lines(found, fold))


def _lines(found: Backtest, fold: Fold) -> Iterator[str]:
    yield (
        f"{found.cluster}: {found.nodes:,} nodes from {_time(found.start)} to {_time(found.end)}, a look every "
        f"{found.step} s; {found.node_days:,} days of a node looked at closely"
    )
    for outcome in found.outcomes:
        yield f"{_name(outcome)}: {_summary(found, outcome)}"
        yield from (f"  {row}" for row in _cut([_drain(each) for each in outcome.drains]))
        yield from (f"  breaker trips {_time(each.at)}: {each.reason}" for each in outcome.trips[:_SHOWN])
        if outcome.held:
            nodes = {each.node for each in outcome.held}
            yield f"  held back by the cap or the breaker {len(outcome.held):,} times: {fold(nodes)}"
    yield from _compared(found)
    if found.failed is None:
        yield f"jobs that failed are not known: {found.no_jobs}"
    yield from (f"not known: {_hole(each, fold)}" for each in found.holes)
    yield from (f"assumed: {each}" for each in ASSUMED)


def _name(outcome: Outcome) -> str:
    return f"at {outcome.name}" if outcome.name else "now"


def _summary(found: Backtest, outcome: Outcome) -> str:
    if not found.known:
        return f"what would have been drained is not known, as nothing is stored (cap {outcome.cap:,})"
    part = "" if found.known > _WHOLE else f"by the {found.known:.0%} of the time that is known: "
    said = part + (
        f"{_count(len(outcome.drains), 'drain')} of {len({each.node for each in outcome.drains}):,} nodes "
        f"(cap {outcome.cap:,}), {_count(len(outcome.trips), 'trip')} of the breaker"
    )
    if found.failed is None:
        return said
    early = sum(bool(each.before) for each in outcome.drains)
    return (
        f"{said}; {early:,} came before a job failed there within {_hours(found.horizon)}; of {len(found.failed):,} "
        f"failed jobs {len(outcome.foreseen):,} foreseen, {len(outcome.avoided):,} of them avoided, "
        f"{len(found.failed) - len(outcome.foreseen):,} not foreseen; {_crashes(found.failed, outcome)}"
    )


def _crashes(failed: Sequence[FailedJob], outcome: Outcome) -> str:
    """Of those whose node went down, Slurm itself says that they failed by their node."""
    all_, seen = (sum(each.state == "NODE_FAIL" for each in jobs) for jobs in (failed, outcome.foreseen))
    return f"of {all_:,} with NODE_FAIL {seen:,} foreseen"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _drain(drain: Drain) -> str:
    before = f" (before {', '.join(drain.before[:3])}{' ...' if len(drain.before) > 3 else ''})" if drain.before else ""  # noqa: PLR2004  # three jobs say enough
    return f"drains {drain.node} {_time(drain.at)}: {drain.reason}{before}"


def _cut(rows: Sequence[str]) -> Iterator[str]:
    yield from rows[:_SHOWN]
    if len(rows) > _SHOWN:
        yield f"and {len(rows) - _SHOWN:,} more"


def _compared(found: Backtest) -> Iterator[str]:
    """Nodes that one policy would have drained and the other not, on any day."""
    if len(found.outcomes) < 2:  # noqa: PLR2004  # it takes two
        return
    now, then = ({(each.node, _day(each.at)) for each in outcome.drains} for outcome in found.outcomes[:2])
    for sign, those in (("+", now - then), ("-", then - now)):
        yield from _cut([f"{sign} drains {node} on {day}" for node, day in sorted(those, key=lambda each: each[::-1])])
    if now == then:
        yield "both would have drained the same nodes on the same days"


def _hole(hole: Hole, fold: Fold) -> str:
    seen = f"{hole.seen:.0%} is known, " if hole.seen else ""
    return f"{fold(hole.nodes)} from {_time(hole.start)} to {_time(hole.end)}: {seen}{hole.why}"


def _time(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _day(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}"


def _hours(seconds: int) -> str:
    return f"{seconds / 3600:g} h"


def markdown(found: Backtest, fold: Fold) -> str:
    """A table of the policies, then lists; for a pull request."""
    blocks = [
        f"### Drains of {escaped(found.cluster)} from {_time(found.start)} to {_time(found.end)}",
        table(("", *(escaped(_name(each)) for each in found.outcomes)), _rows(found)),
    ]
    if len(found.outcomes) > 1:
        blocks.append("\n".join(f"- {escaped(line)}" for line in _compared(found)))
    blocks += [_list(outcome) for outcome in found.outcomes if outcome.drains]
    unknown = [f"- not known: {escaped(_hole(each, fold))}" for each in found.holes]
    if found.failed is None:
        unknown.insert(0, f"- jobs that failed are not known: {escaped(found.no_jobs)}")
    blocks.append("\n".join([*unknown, *(f"- assumed: {each}" for each in ASSUMED)]))
    return "\n\n".join(blocks)


def _list(outcome: Outcome) -> str:
    return f"**{escaped(_name(outcome))}**\n\n{table(('time', 'node', 'reason', 'before'), _cells(outcome))}"


def _rows(found: Backtest) -> Iterator[list[str]]:
    each = found.outcomes
    yield ["part of the time that is known", *(f"{found.known:.0%}" for _ in each)]
    if not found.known:
        return
    yield ["cap", *(f"{one.cap:,}" for one in each)]
    yield ["drains", *(f"{len(one.drains):,}" for one in each)]
    yield ["breaker trips", *(f"{len(one.trips):,}" for one in each)]
    yield ["held back", *(f"{len(one.held):,}" for one in each)]
    if found.failed is not None:
        total = len(found.failed)
        early = [sum(bool(drain.before) for drain in one.drains) for one in each]
        yield [f"drains before a failed job (within {_hours(found.horizon)})", *(f"{count:,}" for count in early)]
        yield [f"failed jobs foreseen, of {total:,}", *(f"{len(one.foreseen):,}" for one in each)]
        yield ["of these avoided", *(f"{len(one.avoided):,}" for one in each)]


def _cells(outcome: Outcome) -> Iterator[list[str]]:
    for drain in outcome.drains[:_SHOWN]:
        jobs = ", ".join(code(job) for job in drain.before[:_SHOWN])
        yield [_time(drain.at), code(drain.node), escaped(drain.reason), jobs]
    if len(outcome.drains) > _SHOWN:
        yield [f"and {len(outcome.drains) - _SHOWN:,} more", "", "", ""]


def to_json(found: Backtest) -> dict[str, Any]:
    """Everything; times are seconds since 1970."""
    return {"version": 1, **asdict(found), "known": found.known, "assumed": list(ASSUMED)}
