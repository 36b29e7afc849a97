"""A drain controller in a cluster that is only thought of: verdicts over time in, drains out. Pure.

Nothing is known of what people did, so they are taken to do what they should: a drained node is given back once it has
been well for an hour, and a breaker is reset once no more nodes want draining than may be drained.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from aamic.agent.health.drainstate import EMPTY, State
from aamic.agent.health.policy import Config, Decision, Health, Node, decide, drained
from aamic.model.backtest import Drain, Held, Trip
from aamic.ops.replay import Said
from aamic.ops.stored import Span

REPAIRED: Final = 3600.0
"""Seconds for which a drained node must have been well before it is taken to be given back."""
_FREE: Final = Node("IDLE", frozenset(), "", None)
_WELL: Final = frozenset({"ok", "warn"})


@dataclass
class _Cluster:
    """What has come to be so far."""

    nodes: dict[str, Node]
    state: State = EMPTY
    well: dict[str, float] = field(default_factory=dict)
    wanting: frozenset[str] = frozenset()
    drains: list[Drain] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    trips: list[Trip] = field(default_factory=list)


def simulate(
    said: Mapping[str, Sequence[Said]], config: Config, span: Span
) -> tuple[tuple[Drain, ...], tuple[Held, ...], tuple[Trip, ...]]:
    """What a drain controller would have done, given each node's verdicts; nodes without any are well throughout."""
    cluster = _Cluster(dict.fromkeys(said, _FREE))
    config = config._replace(nodes=config.nodes.intersection(said))
    times = {name: [each.at for each in own] for name, own in said.items()}
    for at in _busy(said, span):
        now = {name: own[index] for name, own in said.items() if (index := bisect_right(times[name], at) - 1) >= 0}
        _repaired(cluster, now, at)
        _step(cluster, now, config, at)
    return tuple(cluster.drains), tuple(cluster.held), tuple(cluster.trips)


def _busy(said: Mapping[str, Sequence[Said]], span: Span) -> Iterator[float]:
    """The looks that matter: while any node is not well, and until all that follows from it has come to be."""
    until = -1.0
    changes = sorted((each.at, name, each.verdict) for name, own in said.items() for each in own)
    failing: set[str] = set()
    position = 0
    for number in range(span.steps):
        at = span.start + number * span.step
        while position < len(changes) and changes[position][0] <= at:
            _, name, verdict = changes[position]
            failing = failing - {name} if verdict in _WELL else failing | {name}
            position += 1
        until = at + 2 * REPAIRED if failing else until
        if at <= until:
            yield at


def _repaired(cluster: _Cluster, now: Mapping[str, Said], at: float) -> None:
    """Give back what was drained and has been well for long enough."""
    for name, said in now.items():
        if said.verdict not in _WELL or not drained(cluster.nodes[name]):
            cluster.well.pop(name, None)
        elif at - cluster.well.setdefault(name, at) >= REPAIRED:
            cluster.nodes[name] = _FREE


def _step(cluster: _Cluster, now: Mapping[str, Said], config: Config, at: float) -> None:
    healths = {name: Health(frozenset({said.verdict}), 0.0, said.signals, None) for name, said in now.items()}
    decision = decide(cluster.nodes, healths, cluster.state, config, at)
    for action in decision.actions:
        cluster.nodes[action.node] = Node("IDLE", frozenset({"DRAIN"}), action.reason, at)
        cluster.drains.append(Drain(at, action.node, action.reason))
    done = {action.node for action in decision.actions}
    wanting = frozenset(decision.wanted).difference(done)
    cluster.held += [Held(at, name) for name in decision.wanted if name in wanting - cluster.wanting]
    cluster.wanting = wanting
    _breaker(cluster, decision, config, at)


def _breaker(cluster: _Cluster, decision: Decision, config: Config, at: float) -> None:
    before, after = cluster.state.trip, decision.state.trip
    cluster.state = decision.state
    if after and not before:
        cluster.trips.append(Trip(at, after.reason, None))
    elif before and len(decision.wanted) <= config.cap - len(decision.ours):
        last = cluster.trips[-1]
        cluster.trips[-1] = Trip(last.at, last.reason, at)
        cluster.state = decision.state._replace(trip=None)
