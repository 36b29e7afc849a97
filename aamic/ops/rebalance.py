"""How full shards are, and whether another distribution is worth what it moves. Pure.

Moving a node costs: its samples stay on the server that it leaves, and rules that look back over the change see the
time since then alone. So the policy asks for a need, and for a gain that is larger than what a prediction is off by.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from aamic.compile.capacity import NEAR
from aamic.model.fleet import Fleet
from aamic.model.rebalance import Balance, Candidate, Transition, Verdict
from aamic.ops.moves import owners, series_of

WAYS: Final = ("auto", "rack", "count")
IMBALANCE: Final = 1.25
"""Policy: a fullest shard up to this multiple of the average is let be; placement itself allows about 1.22, 15 % of
slack and a cap rounded up by at most 1/16, so a distribution made anew may be as uneven."""
FULL: Final = NEAR
"""Policy: the part of a host's RAM from which on its servers are too large for it; compiling warns there as well."""
GAIN: Final = 0.10
"""Policy: the part of the fullest shard that must go; predictions of series are not better than that."""
CLOSE: Final = 0.05
"""Policy: of candidates whose fullest shards differ by less, the one that moves the fewest series is proposed."""
POLICY: Final = (
    f"a shard above {IMBALANCE} times the average is too full; placement alone may leave 1.22",
    f"so is a host of whose RAM more than {FULL:.0%} is predicted to be needed; compiling warns there",
    f"moving is worth it where at least {GAIN:.0%} of that goes; predictions are no better than that",
    "what shards have in memory decides where all were asked and answer; nodes bring their predicted part of it along",
    "candidates that leave racks whole come before those that split some",
    f"of candidates that differ by less than {CLOSE:.0%}, the one that moves the fewest series is proposed",
)
"""The same in words."""


def balance_of(fleet: Fleet, measured: Mapping[str, int | None] | None = None) -> Balance:
    """How evenly the shards of a fleet are filled; `measured` are the series that each has in memory."""
    shards = {server.name: server.load.series for server in fleet.servers if server.role == "shard"}
    host, memory = _tightest(fleet)
    return Balance(shards, memory, host, measured)


def _tightest(fleet: Fleet) -> tuple[str, float | None]:
    """The host of shards of whose RAM most is needed, and how much of it."""
    parts: dict[str, float] = {}
    for host in {server.host for server in fleet.servers if server.role == "shard"}:
        have = fleet.nodes[host].memory
        if have:
            parts[host] = sum(server.load.memory for server in fleet.servers if server.host == host) / have
    if not parts:
        return "", None
    host = max(sorted(parts), key=parts.__getitem__)
    return host, parts[host]


def carried(before: Fleet, after: Fleet, measured: Mapping[str, int | None] | None) -> dict[str, int | None] | None:
    """What shards would have in memory: each node brings its part of what its shard has now, by its predicted series.

    None where nobody was asked, or some shard that has nodes did not say.
    """
    old, weights = owners(before), series_of(before)
    predicted: Counter[str] = Counter()
    for node, shard in old.items():
        predicted[shard] += weights[node]
    have = {shard: count for shard in predicted if (count := (measured or {}).get(shard)) is not None}
    if have.keys() != predicted.keys():
        return None
    found = {server.name: 0.0 for server in after.servers if server.role == "shard"}
    for node, shard in owners(after).items():
        was = old[node]
        found[shard] += have[was] * weights[node] / (predicted[was] or 1)
    return {shard: round(count) for shard, count in found.items()}


def needs(present: Balance) -> tuple[str, ...]:
    """Why the distribution is to be changed at all; empty where it may stay."""
    found = []
    measured = present.measured_imbalance
    if measured is None and present.imbalance > IMBALANCE:
        found.append(f"`{present.fullest}` is predicted to carry {present.imbalance:.2f} times the average")
    if measured is not None and measured > IMBALANCE:
        fullest = max(present.load, key=present.load.__getitem__)
        found.append(f"`{fullest}` has {measured:.2f} times the average in memory")
    if present.memory is not None and present.memory > FULL:
        found.append(f"servers on `{present.host}` are predicted to need {present.memory:.0%} of its RAM")
    return tuple(found)


def judge(present: Balance, then: Balance, change: Transition) -> Verdict:
    """Whether a candidate is worth what it moves."""
    if not change.nodes:
        return Verdict(worth=False, reason="it moves nothing")
    if not needs(present):
        return Verdict(worth=False, reason="nothing is too full")
    gain = gain_of(present, then)
    return Verdict(worth=gain >= GAIN, reason=f"it gains {gain:.0%}" if gain > 0 else "it gains nothing")


def gain_of(present: Balance, then: Balance) -> float:
    """The part of what is too full that goes: of the fullest shard, or of the tightest host's RAM where that is it.

    Where shards said what they have in memory, that decides, and not what was predicted, which may be off the other
    way: nodes would go to the shard that is full.
    """
    imbalance = present.imbalance if present.measured_imbalance is None else present.measured_imbalance
    tight = present.memory is not None and present.memory > FULL and imbalance <= IMBALANCE
    if tight and present.memory and then.memory is not None:
        return 1 - then.memory / present.memory
    if present.seen is None or then.seen is None:
        return 1 - then.peak / present.peak if present.seen is None else 0.0
    return 1 - _most(then) / _most(present)


def _most(balance: Balance) -> int:
    return max(balance.load.values())


def best(
    candidates: Sequence[Candidate], own: str, *, by: str | None = None, shards: int | None = None
) -> Candidate | None:
    """The candidate to propose, if any is worth it; where the user asked for one, the best of those there are.

    Of equals it is that by which the site places nodes already, its `own`. Another number of shards alone never changes
    that: who wants whole racks wants them on any number of shards.
    """
    asked = by is not None or shards is not None
    if asked:
        candidates = [each for each in candidates if each.by == (by or own)]
    those = [each for each in candidates if each.verdict and each.balance and each.transition]
    those = [each for each in those if each.verdict and (each.verdict.worth or (asked and _moves(each)))]
    those = [each for each in those if not _splits(each)] or those
    peak = min((_peak(each) for each in those), default=0)
    near = [each for each in those if _peak(each) <= peak * (1 + CLOSE)]
    return min(near, key=lambda each: (_series(each), each.by != own), default=None)


def _moves(candidate: Candidate) -> bool:
    return candidate.transition is not None and candidate.transition.nodes > 0


def _splits(candidate: Candidate) -> bool:
    return candidate.transition is not None and bool(candidate.transition.split)


def _peak(candidate: Candidate) -> int:
    return _most(candidate.balance) if candidate.balance else 0


def _series(candidate: Candidate) -> int:
    return candidate.transition.series if candidate.transition else 0


def policy() -> dict[str, float]:
    """The numbers by which it is decided."""
    return {"imbalance": IMBALANCE, "memory": FULL, "gain": GAIN, "close": CLOSE}
