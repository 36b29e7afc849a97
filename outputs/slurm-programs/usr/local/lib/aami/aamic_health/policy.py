"""What the drain controller decides: which nodes are drained, with what reason, and when it stops. Pure.

The promises, which the tests state as laws:

- At most `cap` nodes are out of service by our doing, counting those whose prolog refused a job, and those of which
  it may yet turn out that it did.
- What somebody else drained, or gave a reason, is left as it is, and nothing is ever resumed.
- Too many at once trips the breaker, and a tripped breaker decides nothing until a person has reset it.
- What is not known (no verdict, an old one, two that disagree) is no reason to do anything.
"""

from typing import Dict, FrozenSet, Iterable, List, Mapping, NamedTuple, Optional, Set, Tuple

from .drainstate import Refusal, State, Streak, Trip
from .drainwords import OURS, findings, line, listed, natural

PROLOG_ERROR = "Prolog error"
"""The reason that slurmctld gives a node whose prolog failed (src/slurmctld/node_mgr.c, 22.05 to 26.05)."""

_RUNNING = frozenset(("IDLE", "ALLOCATED", "MIXED"))
_ASIDE = {
    "FAIL": "set to FAIL by somebody",
    "INVALID_REG": "registered with a configuration that Slurm refuses",
    "MAINT": "in maintenance",
    "MAINTENANCE": "in maintenance",
    "POWERED_DOWN": "powered down",
    "POWERING_DOWN": "powered down",
    "POWER_DOWN": "powered down",
    "REBOOT_ISSUED": "about to reboot",
    "REBOOT_REQUESTED": "about to reboot",
}


_PERHAPS_OURS = "drained for a prolog's failure, which may be our refusal"


class Node(NamedTuple):
    """A node as Slurm shows it; `reason_at` is in seconds since 1970, None where Slurm does not say.

    `reason_by` is the user who gave the reason, '' where Slurm does not say.
    """

    state: str
    flags: FrozenSet[str]
    reason: str
    reason_at: Optional[float]
    reason_by: str = ""


class Health(NamedTuple):
    """What Prometheus has of a node.

    `verdicts` are those that some replica calls current. `age` is in seconds since the check looked, None where that
    is not known. `signals` are pairs of a signal and a GPU. `refused_at` is when the node's prolog last refused a
    job, in seconds since 1970 by the node's clock.
    """

    verdicts: FrozenSet[str]
    age: Optional[float]
    signals: FrozenSet[Tuple[str, str]]
    refused_at: Optional[float]


class Config(NamedTuple):
    """What the site says; times are seconds. `hard` are signals that need no second look."""

    cap: int
    nodes: FrozenSet[str]
    hard: FrozenSet[str]
    stale: float
    window: float
    interval: float


class Action(NamedTuple):
    """`drain` a node, or `adopt` one that our own prolog made Slurm drain, which sets its reason."""

    kind: str
    node: str
    reason: str


class Decision(NamedTuple):
    """What to do, and what to remember once it is asked for.

    `wanted` are the nodes that should be drained, `ours` those out of service by our doing, before the actions;
    `aside` says why failing nodes are left as they are.
    """

    actions: Tuple[Action, ...]
    state: State
    wanted: Tuple[str, ...]
    ours: Tuple[str, ...]
    aside: Dict[str, str]


def decide(
    nodes: Mapping[str, Node], healths: Mapping[str, Health], state: State, config: Config, now: float
) -> Decision:
    """Return what to do about the nodes of a cluster; `now` is by the clock of `state`."""
    failing = {name for name in config.nodes if fails(healths.get(name), config)}
    proven = {name for name in config.nodes if _refused(nodes.get(name), healths.get(name), config)}
    refusals = _refusals(nodes, proven, state, config, now)
    refusing = {name for name, refusal in refusals.items() if refusal.ours}
    taken = {**dict.fromkeys(refusing, now), **state.taken}
    failing_since = _streaks(failing, healths, state, config, now)
    state = state._replace(clock=now, failing=failing_since, taken=taken, refusals=refusals)
    out = refusing | {name for name, node in nodes.items() if drained(node) and node.reason.startswith(OURS)}
    doubtful = {name for name in refusals if name not in refusing and now - refusals[name].since < config.window}
    aside = {**_aside(failing - refusing, nodes), **dict.fromkeys(failing & doubtful, _PERHAPS_OURS)}
    wanted = _wanted(failing.difference(aside, out), healths, state, config)
    state = _settled(state, nodes, out, wanted, config)
    out |= set(state.pending).difference(wanted)
    drains, trip = _within(wanted, out, doubtful, state, config)
    actions = () if state.trip else _actions(drains, () if trip else proven, healths, config)
    return Decision(actions, _asked(state, actions, trip), tuple(wanted), tuple(sorted(out, key=natural)), aside)


def fails(health: Optional[Health], config: Config) -> bool:
    """Whether a node is known to fail: by one verdict that nothing contradicts, from a check that is not old."""
    if health is None or health.verdicts != frozenset(("fail",)) or health.age is None:
        return False
    return -config.stale <= health.age <= config.stale


def holds(action: Action, node: Optional[Node], health: Optional[Health], config: Config) -> bool:
    """Whether an action is still right for a node as it is seen now: somebody may have been quicker."""
    if action.kind == "adopt":
        return _refused(node, health, config)
    return node is not None and not drained(node) and not _why_aside(node)


def drained(node: Node) -> bool:
    """Whether no new job is started there because somebody said so."""
    return "DRAIN" in node.flags


def _streaks(
    failing: Set[str], healths: Mapping[str, Health], state: State, config: Config, now: float
) -> Dict[str, Streak]:
    """How long each failing node has been failing."""
    return {name: _streak(state.failing.get(name), now - (healths[name].age or 0), config, now) for name in failing}


def _streak(before: Optional[Streak], looked: float, config: Config, now: float) -> Streak:
    """A streak with one more check in it, unless that is the last one seen again; a long gap between two ends it."""
    if before is None or looked - before.seen > config.stale:
        return Streak(now, 1, looked)
    if looked - before.seen < config.interval / 2:
        return before
    return Streak(before.since, before.runs + 1, looked)


def _refusals(
    nodes: Mapping[str, Node], proven: Set[str], state: State, config: Config, now: float
) -> Dict[str, Refusal]:
    """The site's nodes that Slurm drained for a prolog's failure, and since when this is known of each."""
    found = {}
    for name in config.nodes:
        node, before = nodes.get(name), state.refusals.get(name)
        if node is not None and _by_prolog(node):
            if before is None or before.drained != node.reason_at:
                before = Refusal(now, node.reason_at, ours=False)
            found[name] = before._replace(ours=before.ours or name in proven)
    return found


def _by_prolog(node: Node) -> bool:
    """Whether Slurm drained the node for a prolog's failure, ours or another's, and nobody gave it another reason."""
    return drained(node) and node.reason == PROLOG_ERROR


def _refused(node: Optional[Node], health: Optional[Health], config: Config) -> bool:
    """Whether Slurm drained the node since our prolog refused a job there."""
    if node is None or health is None or not _by_prolog(node):
        return False
    if node.reason_at is None or health.refused_at is None:
        return False
    # The node's clock may be behind slurmctld's: by less than `stale` if its verdict is current, and never by more than
    # the age that its check seems to have.
    behind = max(config.stale, health.age or 0.0)
    return health.refused_at > node.reason_at - behind


def _aside(failing: Set[str], nodes: Mapping[str, Node]) -> Dict[str, str]:
    reasons = {name: _why_aside(nodes.get(name)) for name in sorted(failing, key=natural)}
    return {name: why for name, why in reasons.items() if why}


def _why_aside(node: Optional[Node]) -> str:
    """Why a failing node is left as it is; '' where nothing speaks against draining it, or we did."""
    if node is None:
        return "not known to Slurm, or shown by it in two ways"
    ours = node.reason.startswith(OURS)
    if drained(node):
        return "" if ours else "drained by somebody else"
    if node.reason and not ours:
        return "has a reason of somebody else"
    if node.state not in _RUNNING:
        return f"in state {line(node.state) or '?'}"
    return next((_ASIDE[flag] for flag in sorted(node.flags) if flag in _ASIDE), "")


def _wanted(names: Set[str], healths: Mapping[str, Health], state: State, config: Config) -> List[str]:
    """The nodes to drain, first those asked for before, then those with hard signals, then those longest failing."""
    hard = {name for name in names if any(signal in config.hard for signal, _ in healths[name].signals)}
    sure = [name for name in names if name in hard or state.failing[name].runs > 1]
    return sorted(sure, key=lambda n: (n not in state.pending, n not in hard, state.failing[n].since, natural(n)))


def _settled(state: State, nodes: Mapping[str, Node], out: Set[str], wanted: List[str], config: Config) -> State:
    """The state without what has come to be, or can no longer."""
    now = state.clock

    def lives(name: str, at: float) -> bool:
        seen = name in nodes and drained(nodes[name])
        return not seen and (name in wanted or now - at < config.window)

    pending = {name: at for name, at in state.pending.items() if lives(name, at)}
    taken = {name: at for name, at in state.taken.items() if name in out or name in pending or now - at < config.window}
    return state._replace(pending=pending, taken=taken)


def _within(
    wanted: List[str], out: Set[str], doubtful: Set[str], state: State, config: Config
) -> Tuple[List[str], str]:
    """What of the wanted may be drained, and why the breaker trips, '' where it does not.

    What may yet turn out to be our doing takes room, but trips nothing: it may be somebody else's as well.
    """
    now, window = state.clock, config.window
    fresh = {name for name in wanted if now - state.failing[name].since < window}
    fresh |= {name for name, at in state.taken.items() if now - at < window}
    if wanted and len(fresh) > config.cap:
        many = f"{len(fresh)} nodes began to fail within {window:g} s, more than the {config.cap} that may be drained"
        return [], line(f"{many}, so a common cause is likely: {listed(fresh)}")
    may = wanted[: max(0, config.cap - len(out | doubtful))]
    if wanted and len(out) + len(wanted) > config.cap:
        many = f"{len(out)} nodes are drained and {len(wanted)} more should be, but no more than {config.cap} may be"
        return may, line(f"{many}: {listed(wanted)}")
    return may, ""


def _actions(
    drains: List[str], adopted: Iterable[str], healths: Mapping[str, Health], config: Config
) -> Tuple[Action, ...]:
    found = [Action("drain", name, line(f"{OURS} {_signals(healths[name], config)}")) for name in drains]
    for name in sorted(adopted, key=natural):
        why = line(f"{OURS} its prolog refused a job: {_signals(healths[name], config)}")
        found.append(Action("adopt", name, why))
    return tuple(found)


def _signals(health: Health, config: Config) -> str:
    if not fails(health, config):
        return "its verdict has changed since"
    found = sorted(health.signals, key=lambda pair: (pair[0] not in config.hard, pair[0], natural(pair[1])))
    return findings(found) or "verdict fail"


def _asked(state: State, actions: Tuple[Action, ...], trip: str) -> State:
    """The state once these actions are asked for."""
    asked = {action.node: state.clock for action in actions if action.kind == "drain"}
    opened = state.trip or (Trip(state.clock, trip) if trip else None)
    return state._replace(trip=opened, pending={**asked, **state.pending}, taken={**asked, **state.taken})
