"""How even shards are, what other distributions would move, and whether that is worth it: text and JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aamic.model.rebalance import Balance, Candidate
from aamic.views.federation import transition_json
from aamic.views.plan_words import counted
from aamic.views.table import table
from aamic.views.terminal import safe

_DAY: Final = 86_400
_COLUMNS: Final = (
    "",
    "shards",
    "fullest",
    "/ average",
    "RAM",
    "nodes moved",
    "series moved",
    "racks split",
    "worth it",
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is, what could be, why it is to change at all, by which policy, and what is proposed."""

    present: Balance
    candidates: tuple[Candidate, ...]
    needs: tuple[str, ...]
    policy: tuple[str, ...]
    numbers: Mapping[str, float]
    proposed: Candidate | None


def text(found: Comparison) -> str:
    """A table of what is and what could be, what was measured, the policy and the proposal."""
    rows = [list(_COLUMNS), ["now", *_figures(found.present), "", "", "", ""], *map(_row, found.candidates)]
    policy = ("policy:", *(f"  {line}" for line in found.policy))
    needs = (f"too full: {each}" for each in found.needs)
    words = (*_measured(found.present), *policy, *needs, _proposal(found.proposed))
    return table(rows) + "\n".join(map(safe, words))


def _row(candidate: Candidate) -> list[str]:
    name = f"by {candidate.by}"
    if candidate.balance is None or candidate.transition is None or candidate.verdict is None:
        return [name, str(candidate.shards), "", "", "", "", "", "", f"impossible: {candidate.fault}"]
    change, verdict = candidate.transition, candidate.verdict
    says = f"{'yes' if verdict.worth else 'no'}: {verdict.reason}"
    return [
        name,
        *_figures(candidate.balance),
        f"{change.nodes:,}",
        f"{change.series:,}",
        f"{len(change.split):,}",
        says,
    ]


def _figures(balance: Balance) -> list[str]:
    memory = "unknown" if balance.memory is None else f"{balance.memory:.0%}"
    peak = f"{balance.fullest} {balance.peak:,}"
    return [f"{len(balance.series):,}", peak, f"{balance.imbalance:.2f}", memory]


def _measured(present: Balance) -> Iterator[str]:
    """What each shard has in memory, where it was asked."""
    if present.measured is None:
        return
    yield "in memory:"
    for name, count in present.measured.items():
        predicted = present.series[name]
        if count is None:
            yield f"  {name}: unknown; predicted {predicted:,}"
        else:
            yield f"  {name}: {count:,} series, {count / predicted:.2f} of the {predicted:,} predicted"
    imbalance = present.measured_imbalance
    yield "  fullest / average: " + ("unknown, as not every shard answers" if imbalance is None else f"{imbalance:.2f}")


def _proposal(candidate: Candidate | None) -> str:
    """What is proposed, or was asked for, and what it costs."""
    if candidate is None or candidate.transition is None or candidate.verdict is None:
        return "nothing is proposed"
    change, worth = candidate.transition, candidate.verdict.worth
    what = f"by {candidate.by}, which moves {counted(change.nodes, 'node')}"
    days = f"leaves up to {change.history / _DAY:g} days of their history behind"
    return f"proposed: {what} and {days}" if worth else f"asked for, though not worth it: {what} and {days}"


def to_json(found: Comparison) -> dict[str, Any]:
    """The same as a value for JSON; `proposed` is an index into the candidates, or None."""
    return {
        "present": _balance_json(found.present),
        "candidates": [_candidate_json(each) for each in found.candidates],
        "too_full": list(found.needs),
        "proposed": None if found.proposed is None else found.candidates.index(found.proposed),
        "policy": dict(found.numbers),
    }


def _candidate_json(candidate: Candidate) -> dict[str, Any]:
    return {
        "by": candidate.by,
        "shards": candidate.shards,
        "fault": candidate.fault or None,
        "balance": _balance_json(candidate.balance) if candidate.balance else None,
        **(transition_json(candidate.transition) if candidate.transition else {"moved": None, "folders": None}),
        "worth": candidate.verdict.worth if candidate.verdict else None,
        "reason": candidate.verdict.reason if candidate.verdict else None,
    }


def _balance_json(balance: Balance) -> dict[str, Any]:
    return {
        "predicted_series": dict(balance.series),
        "fullest": balance.fullest,
        "imbalance": balance.imbalance,
        "memory": balance.memory,
        "memory_host": balance.host or None,
        "measured_series": None if balance.measured is None else dict(balance.measured),
        "measured_imbalance": balance.measured_imbalance,
    }
