"""The health of nodes by what Prometheus stored of their GPUs: the judge of the node check decides here as well.

Nodes of one kind are asked for together, a few hundred at a time. With most GPUs nothing happened within the hour, so
one look says what a judge that saw the hour would say; of the others the hour is replayed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from aamic.agent.health import components, nodepolicy
from aamic.agent.health.components import Component
from aamic.agent.health.judge import Verdict, besides, judge, unknown
from aamic.catalog import gpuerrors
from aamic.catalog.artifacts.slurm.check import judging
from aamic.clients.base import History
from aamic.errors import OutsideError, SilentError
from aamic.model import health as model
from aamic.model.fleet import Fleet, Gpu, GpuProbe, Node
from aamic.ops.present import HOUR, Present, eventful, hour, matcher, present, server_time, usual
from aamic.ops.replay import Memory, judged
from aamic.ops.selectors import endpoint_of, probe_of
from aamic.ops.stored import Span

_TOGETHER: Final = 250
"""Nodes that are asked for at once: with 8 GPUs an answer of some 5 MB."""
_REPLAYED: Final = 16
"""Nodes of which an hour is read at once: with 8 GPUs some 10 MB."""
_CHECK_COUNTS: Final = 3
"""Intervals for which what a node check said counts, as on the node."""

Open = Callable[[], History]


@dataclass(frozen=True, slots=True)
class Keeper:
    """Servers that have the series of the same nodes, best first; samples count for `lookback` seconds.

    `only` are matchers that each of them understands, for what has these series of others as well.
    """

    name: str
    nodes: tuple[str, ...]
    open_: tuple[Open, ...]
    lookback: float
    only: str = ""


@dataclass(frozen=True, slots=True)
class Looked:
    """What one keeper's servers say of nodes; `answered` is whether any of them did."""

    nodes: Mapping[str, model.NodeHealth]
    silences: tuple[model.Silence, ...]
    answered: bool


@dataclass(frozen=True, slots=True)
class Kind:
    """Nodes that are judged alike: how, by which job their exporter is scraped, and how many seconds lie between.

    `alike` are all nodes of a keeper that have GPUs of the same vendor and model, whoever is asked about.
    """

    policy: nodepolicy.Policy
    job: str
    interval: int
    alike: tuple[str, ...]


def look(fleet: Fleet, keeper: Keeper, wanted: Sequence[str], *, detailed: bool) -> Looked:
    """What is thought of those of the wanted nodes that a keeper has; components are kept where `detailed`.

    Where one server of a pair does not know a node, the other is asked. No failure of a server ends this: its nodes
    are unknown, and its silence is told. One that was silent once is not asked again.
    """
    found: dict[str, model.NodeHealth] = {}
    silences: list[tuple[str, tuple[str, ...]]] = []
    asker = _Asker(fleet, keeper)
    answered = False
    for kind, nodes in kinds(fleet, keeper, wanted):
        for start in range(0, len(nodes), _TOGETHER):
            left = nodes[start : start + _TOGETHER]
            for open_ in keeper.open_:
                if not left:
                    break
                try:
                    verdicts = asker.verdicts(open_, kind, left)
                except OutsideError as error:
                    silences.append((str(error), tuple(left)))
                    continue
                answered = True
                found |= {name: _node(fleet.nodes[name], *each, detailed=detailed) for name, each in verdicts.items()}
                left = [name for name in left if found[name].verdict == "unknown"]
    for name in wanted:
        if name in keeper.nodes and name not in found:
            said = "; ".join(dict.fromkeys(message for message, nodes in silences if name in nodes))
            found[name] = nothing(fleet.nodes[name], said or "no exporter of its GPUs runs in this site")
    return Looked(found, tuple(_told(silences, found)), answered)


@dataclass
class _Asker:
    """Asks the servers of a keeper, and remembers who was silent, and what most GPUs of a model report."""

    fleet: Fleet
    keeper: Keeper
    silent: dict[Open, SilentError] = field(default_factory=dict)
    usual: dict[tuple[Open, tuple[str, ...]], frozenset[str]] = field(default_factory=dict)

    def verdicts(self, open_: Open, kind: Kind, nodes: Sequence[str]) -> dict[str, tuple[Verdict, int]]:
        """The verdict on each of these nodes by one server, and how many GPUs it should have; OutsideError for none."""
        if open_ in self.silent:
            raise self.silent[open_]
        try:
            server, key = open_(), (open_, kind.alike)
            if key not in self.usual:
                self.usual[key] = _usual(server, self.fleet, kind, self.keeper)
            return dict(_judged(server, self.fleet, _requiring(kind, self.usual[key]), nodes, self.keeper))
        except SilentError as error:
            self.silent[open_] = error
            raise


def kinds(fleet: Fleet, keeper: Keeper, wanted: Sequence[str]) -> Iterator[tuple[Kind, list[str]]]:
    """The nodes of a keeper by kind; those without an exporter are in none."""
    kept = frozenset(keeper.nodes)
    kinds: dict[tuple[Gpu, GpuProbe], list[str]] = {}
    for name in wanted:
        gpu, probe = fleet.nodes[name].gpu, probe_of(fleet, name)
        if name in kept and gpu is not None and probe is not None:
            kinds.setdefault((gpu, probe), []).append(name)
    for (gpu, probe), nodes in kinds.items():
        endpoint = endpoint_of(fleet, probe, nodes[0])
        job, alike = endpoint.job if endpoint else "", _alike(fleet, keeper, gpu)
        yield Kind(_policy(fleet, gpu, probe), job, fleet.health.interval, alike), nodes


def _alike(fleet: Fleet, keeper: Keeper, gpu: Gpu) -> tuple[str, ...]:
    own = [(name, fleet.nodes[name].gpu) for name in keeper.nodes]
    return tuple(name for name, each in own if each and (each.vendor, each.model) == (gpu.vendor, gpu.model))


def _usual(server: History, fleet: Fleet, kind: Kind, keeper: Keeper) -> frozenset[str]:
    """What more than half of the GPUs of a kind report that report anything now, by one server."""
    counts: dict[str, float] = {}
    now = server_time(server, keeper.name)
    for start in range(0, len(kind.alike), _TOGETHER):
        where = matcher(fleet.cluster, kind.alike[start : start + _TOGETHER], keeper.only)
        for name, count in usual(server, where, now, keeper.lookback).items():
            counts[name] = counts.get(name, 0.0) + count
    return frozenset(name for name, count in counts.items() if name and 2 * count > counts.get("", 0.0))


def _requiring(kind: Kind, names: frozenset[str]) -> Kind:
    """The kind, where these readings are missed in a GPU that lacks one."""
    policy = kind.policy
    return replace(kind, policy=policy._replace(required=policy.required | (names - policy.sometimes)))


def _policy(fleet: Fleet, gpu: Gpu, probe: GpuProbe) -> nodepolicy.Policy:
    """How a kind is judged: as on the node, but with names for codes that are not fatal too."""
    policy = nodepolicy.policy(judging(fleet, fleet.health, gpu, probe))
    known = {code: str(error) for code, error in gpuerrors.errors(gpu.vendor).items()}
    return policy._replace(names={**known, **policy.names})


def _judged(
    server: History, fleet: Fleet, kind: Kind, nodes: Sequence[str], keeper: Keeper
) -> Iterator[tuple[str, tuple[Verdict, int]]]:
    """The verdict on each node by one server, and how many GPUs the node should have."""
    now, where = server_time(server, keeper.name), matcher(fleet.cluster, nodes, keeper.only)
    known = present(server, where, now, keeper.lookback)
    here = {name: known.get(name) or Present() for name in nodes}
    seen = {name: each for name, each in here.items() if each.samples}
    busy = eventful(server, where, kind.policy, now, seen) if seen else {}
    closely = {name: busy[name] for name in seen if name in busy}
    memories = _memories(server, keeper, fleet.cluster, kind, closely, now)
    for name, each in here.items():
        verdict, _ = judge(each.readings() or None, kind.policy, memories.get(name, {}), now, _trouble(each, kind))
        yield name, (_besides(verdict, each, kind, now, keeper.lookback), kind.policy.gpus)


def _memories(  # noqa: PLR0913, PLR0917  # where, whose, how and when
    server: History, keeper: Keeper, cluster: str, kind: Kind, gpus: Mapping[str, frozenset[str]], now: float
) -> dict[str, Mapping[str, Any]]:
    """What a judge that saw the hour before now remembers of these GPUs, by node."""
    steps = HOUR // kind.interval
    span = Span(now - steps * kind.interval, now, kind.interval)
    names = list(gpus)
    found: dict[str, Mapping[str, Any]] = {}
    for start in range(0, len(names), _REPLAYED):
        those = {name: gpus[name] for name in names[start : start + _REPLAYED]}
        where = matcher(cluster, tuple(those), keeper.only)
        for name, tracks in hour(server, where, those, now, keeper.lookback).items():
            memory = Memory()
            deque(judged(tracks, kind.policy, memory, span, keeper.lookback), 0)
            found[name] = memory.judge
    return found


def _trouble(found: Present, kind: Kind) -> str:
    """Why there may be no reading of any GPU."""
    _, up = found.up.get(kind.job, (0.0, None))
    if up is None:
        return "Prometheus has nothing of its exporter: it is not scraped, or is no longer"
    return "its exporter answers, but nothing of a GPU is recorded" if up == 1 else "its exporter does not answer"


def _besides(verdict: Verdict, found: Present, kind: Kind, now: float, lookback: float) -> Verdict:
    more = [_exporter(found, kind), _freshness(found, now, lookback)]
    check = _check(found, kind, now, lookback)
    if check is not None:
        state = components.WORSE.index(verdict.state)
        worse = check.level not in components.WORSE or components.WORSE.index(check.level) > state
        more.append(check if worse else check._replace(level=components.OK))
    return besides(verdict, more)


def _exporter(found: Present, kind: Kind) -> Component:
    _, up = found.up.get(kind.job, (0.0, None))
    if up is None:
        return Component("exporter", components.UNMEASURED, "nothing tells whether its exporter answers")
    if up == 1:
        return Component("exporter", components.OK, "its exporter answers", up)
    # What it said before is still there for a moment, and would be told of a node that may be dead.
    return Component("exporter", components.UNKNOWN, "its exporter does not answer", up)


def _freshness(found: Present, now: float, lookback: float) -> Component:
    if found.newest is None:
        return Component("freshness", components.UNKNOWN, f"there is no sample of the last {lookback:g} s")
    age = max(0.0, now - found.newest)
    return Component("freshness", components.OK, f"the newest sample is {age:.0f} s old, {lookback:g} at most", age)


def _check(found: Present, kind: Kind, now: float, lookback: float) -> Component | None:
    """What the check on the node itself says: it remembers a whole boot, and sees the exporter from nearby."""
    if found.checked is None or found.verdict not in components.WORSE:
        return None
    age = now - found.checked
    if not abs(age) <= _CHECK_COUNTS * kind.interval + lookback:
        return _silent_check(found.verdict, age)
    signals = ", ".join(f"{signal} on GPU {gpu}" if gpu else signal for signal, gpu in sorted(found.signals))
    said = f"its node check says {found.verdict}" + (f": {signals}" if signals else "")
    return Component("node_check", found.verdict, said)


def _silent_check(verdict: str, age: float) -> Component:
    """What a check that looks no more leaves open: whether what it said last is over."""
    when = f"{age / 60:,.0f} min ago, and nothing since" if age > 0 else "at a time that is yet to come by its clock"
    bad = verdict in {components.WARN, components.FAIL}
    level = components.UNKNOWN if bad else components.UNMEASURED
    return Component("node_check", level, f"its node check said {verdict} {when}")


def _node(node: Node, verdict: Verdict, expected: int, *, detailed: bool) -> model.NodeHealth:
    return model.NodeHealth(
        name=node.name,
        rack=node.rack,
        verdict=_state(verdict.state),
        score=verdict.score,
        reason=verdict.reason,
        expected=expected,
        gpus=tuple(_gpu(verdict, gpu, detailed=detailed) for gpu in verdict.scores),
        components=tuple(map(_component, verdict.components.get("", ()))) if detailed else (),
    )


def _gpu(verdict: Verdict, gpu: str, *, detailed: bool) -> model.GpuHealth:
    own, state = verdict.components[gpu], verdict.states[gpu]
    return model.GpuHealth(
        gpu=gpu,
        uuid=verdict.uuids.get(gpu, ""),
        verdict=_state(state),
        score=verdict.scores[gpu],
        reason="; ".join(each.text for each in own if each.level == state) if state != components.OK else "",
        components=tuple(map(_component, own)) if detailed else (),
    )


def _component(own: Component) -> model.Component:
    return model.Component(own.signal, own.level, own.value, own.warn, own.fail, own.text)


def _state(name: str) -> model.State:
    return model.STATES[model.STATES.index(name)]


def nothing(node: Node, why: str) -> model.NodeHealth:
    """A node of which nothing is known, for this reason."""
    return _node(node, unknown(why), node.gpu.count if node.gpu else 0, detailed=False)


def _told(
    silences: Sequence[tuple[str, tuple[str, ...]]], found: Mapping[str, model.NodeHealth]
) -> Iterator[model.Silence]:
    """Each message once, with the nodes that it is about; it is no loss where another server knew them all."""
    about: dict[str, list[str]] = {}
    for message, nodes in silences:
        about.setdefault(message, []).extend(nodes)
    for message, names in about.items():
        lost = any(found[name].verdict == "unknown" for name in names)
        yield model.Silence(message, tuple(dict.fromkeys(names)), lost)
