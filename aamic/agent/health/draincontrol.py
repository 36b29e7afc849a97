"""The drain controller: one run looks at verdicts and at Slurm, and drains what must be. Started by a timer.

`run` decides and acts, `show` prints what it remembers as JSON, `reset` closes a breaker that has tripped. What is
about to be done is kept before it is done, so a run that is killed in between loses no count.
"""

import argparse
import json
import os
import sys
import time
from typing import Any, Dict, List, NamedTuple, Optional, Set, Tuple

from . import drainconfig, drainmetrics, drainstore, drainwatch, slurmnodes
from .drainconfig import Settings
from .drainstate import EMPTY, State
from .drainstore import Memory
from .drainwords import line, natural
from .policy import Action, Decision, Health, Node, decide, holds
from .promquery import NoAnswer
from .slurmnodes import NoSlurm

CONFIG = "/etc/aami/slurm/drain.json"
STATE = "/var/lib/aamic/drain"
_READ = 30.0
_UPDATE = 15.0
_PATIENCE = 30.0
_LONGEST = 2000
_DONE = {"drain": "drained", "adopt": "adopted"}


class Sight(NamedTuple):
    """What a run saw."""

    url: str
    healths: Dict[str, Health]
    nodes: Dict[str, Node]


def main(arguments: Optional[List[str]] = None) -> int:
    """Run one subcommand; return its exit status, 1 where it could not do what it is for."""
    parser = argparse.ArgumentParser(prog="aamic-drain", description="Drain nodes whose GPUs fail, within a budget.")
    parser.add_argument("command", choices=("run", "show", "reset"))
    parser.add_argument("--config", default=CONFIG)
    parser.add_argument("--state", default=STATE)
    given = parser.parse_args(arguments)
    try:
        return {"run": run, "show": show, "reset": reset}[given.command](given.config, given.state)
    except drainstore.Busy as error:
        _say(f"nothing done: {error}")
        return 1 if given.command == "reset" else 0
    except (ValueError, OSError) as error:
        _say(f"failed: {error}")
        return 1


def run(config: str, folder: str) -> int:
    """Look, decide and act once."""
    settings = drainconfig.read(config)
    with drainstore.locked(folder, 0.0):
        memory = _load(folder)
        try:
            nodes = None
            if settings.mode == "off":
                decision = Decision((), memory.state, (), (), {})
            else:
                nodes, decision = _decide(settings, memory, folder)
        except (NoAnswer, NoSlurm, OSError) as error:
            _say(f"this run failed: {error}")
            drainmetrics.write(settings, memory.state, None, time.time())
            return 1
        drainmetrics.write(settings, decision.state, decision, time.time(), nodes)
    return 0


def _load(folder: str) -> Memory:
    memory = drainstore.load(folder)
    if memory.fault:
        _say(f"breaker taken as tripped: {memory.fault}; look at it, then `aamic slurm breaker --reset`")
        drainstore.keep_unreadable(folder)
        try:
            drainstore.save(folder, memory.state, drainstore.moment(memory), {})
        except OSError as error:
            _say(f"this cannot be kept, so it is told again by the next run: {error}")
    return memory


def _decide(settings: Settings, memory: Memory, folder: str) -> Tuple[Dict[str, Node], Decision]:
    """Return the nodes as they were before, and what was decided and done about them."""
    now = drainstore.moment(memory)
    url, healths = drainwatch.healths(settings)
    sight = Sight(url, healths, slurmnodes.nodes(_READ))
    decision = decide(sight.nodes, healths, memory.state, settings.policy, now.clock)
    if settings.mode == "shadow":  # nothing is asked for, so nothing can come to be
        decision = decision._replace(state=decision.state._replace(pending={}))
    last = _last(settings, sight, decision)
    drainstore.save(folder, decision.state, now, last)
    _tell(settings, memory, decision)
    if settings.mode == "on" and decision.actions:
        last["results"] = results = {action.node: _act(action, sight, settings) for action in decision.actions}
        done = {name for name, result in results.items() if result == "done"}
        ours = tuple(sorted(done.union(decision.ours), key=natural))
        decision = decision._replace(state=_after(decision.state, results), ours=ours)
        drainstore.save(folder, decision.state, now, last)
    return sight.nodes, decision


def _act(action: Action, sight: Sight, settings: Settings) -> str:
    """Do it, unless the node has changed meanwhile; return what became of it: `done`, `changed`, or why not."""
    try:
        node = slurmnodes.nodes(_UPDATE, action.node).get(action.node)
        if not holds(action, node, sight.healths.get(action.node), settings.policy):
            _say(f"leaving {action.node} as it is: it has changed since it was looked at")
            return "changed"
        change = slurmnodes.drain if action.kind == "drain" else slurmnodes.explain
        change(action.node, action.reason, _UPDATE)
    except NoSlurm as error:
        _say(f"cannot {action.kind} {action.node}: {error}")
        return str(error)
    _say(f"{_DONE[action.kind]} {action.node}: {action.reason}")
    return "done"


def _after(state: State, results: Dict[str, str]) -> State:
    """The state once it is known what became of the actions; what may still come to be goes on counting."""
    undone = {name for name, result in results.items() if result == "changed"}
    pending = {name: at for name, at in state.pending.items() if name not in undone}
    taken = {name: at for name, at in state.taken.items() if name not in undone}
    return state._replace(pending=pending, taken=taken)


def _last(settings: Settings, sight: Sight, decision: Decision) -> Dict[str, Any]:
    return {
        "at": int(time.time()),
        "mode": settings.mode,
        "asked": sight.url,
        "actions": [dict(action._asdict()) for action in decision.actions],
        "wanted": list(decision.wanted),
        "ours": list(decision.ours),
        "aside": decision.aside,
        "results": {},
    }


def _tell(settings: Settings, memory: Memory, decision: Decision) -> None:
    """Say what is new; a run that finds all as before says nothing."""
    if decision.state.trip and not memory.state.trip:
        _say(f"breaker tripped: {decision.state.trip.reason}; `aamic slurm breaker --reset` lets it go on")
    known = memory.last.get("aside", {})
    for name, why in decision.aside.items():
        if known.get(name) != why:
            _say(f"leaving {name} as it is, although it fails: {why}")
    before = _would(memory.last)
    if settings.mode == "shadow":
        for action in decision.actions:
            if (action.kind, action.node) not in before:
                _say(f"would {action.kind} {action.node}: {action.reason}")


def _would(last: Dict[str, Any]) -> Set[Any]:
    """What the last run said it would do."""
    return {(each["kind"], each["node"]) for each in last.get("actions", ())} if last.get("mode") == "shadow" else set()


def show(config: str, folder: str) -> int:
    """Print what is remembered as JSON."""
    memory = drainstore.load(folder)
    trip = memory.state.trip
    document = {
        "breaker": {
            "tripped": trip is not None,
            "reason": trip.reason if trip else "",
            "seconds": round(drainstore.moment(memory).clock - trip.at) if trip else None,
        },
        "failing": sorted(memory.state.failing),
        "pending": sorted(memory.state.pending),
        "last": memory.last,
    }
    document.update(_configured(config))
    sys.stdout.write(json.dumps(document, indent=2, sort_keys=True) + "\n")
    return 0


def _configured(config: str) -> Dict[str, Any]:
    try:
        settings = drainconfig.read(config)
    except ValueError as error:
        return {"mode": None, "cap": None, "fault": str(error)}
    return {"mode": settings.mode, "cap": settings.policy.cap}


def reset(config: str, folder: str) -> int:
    """Close the breaker; what cannot be read is forgotten."""
    del config  # a breaker is closed whatever the configuration is
    with drainstore.locked(folder, _PATIENCE):
        memory = drainstore.load(folder)
        trip = memory.state.trip
        if trip is None:
            _say("the breaker has not tripped")
            return 0
        state = EMPTY if memory.fault else memory.state
        drainstore.save(folder, state._replace(trip=None), drainstore.moment(memory), memory.last)
    by = os.environ.get("SUDO_USER") or os.environ.get("LOGNAME") or f"uid {os.getuid()}"
    _say(f"breaker reset by {by}; it had tripped: {trip.reason}")
    return 0


def _say(text: str) -> None:
    """One plain line for the journal, whatever it is made of."""
    sys.stdout.write(line(text, _LONGEST) + "\n")
    sys.stdout.flush()
