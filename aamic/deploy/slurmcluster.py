"""A Slurm cluster as a rollout of hooks sees it: its nodes, as scontrol tells them, and who waits for whom. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from aamic.compile.hostlist import fold
from aamic.deploy.apply import HostWork
from aamic.deploy.desired import Desired
from aamic.deploy.rollout import touches_hooks
from aamic.deploy.slurmconf import CONTROLLER, HOOKS, SLURM_CONF
from aamic.deploy.wire import printable
from aamic.model.fleet import CanaryJob, SlurmSettings

_NODE: Final = re.compile(r"NodeName=(\S+) .*?\bState=(\S+)")
_REASON: Final = re.compile(r" Reason=(.*?)(?: \[[^\[\]]*\])?\s*$")
_OF_HOOKS: Final = frozenset({"Prolog error", "Epilog error"})
"""The whole reasons with which Slurm itself drains a node because of a hook; whoever adds a word has looked at it."""
_OUT: Final = ("DRAIN", "DOWN", "FAIL", "MAINT", "NOT_RESPONDING", "POWER")
_BUSYNESS: Final = {"IDLE": 0, "MIXED": 1, "ALLOCATED": 2}


@dataclass(frozen=True, slots=True)
class NodeState:
    """A node as slurmctld sees it: its states, and the reason that stands with them."""

    states: tuple[str, ...]
    reason: str

    @property
    def by_hook(self) -> bool:
        """Whether Slurm drained it because a hook failed."""
        return any("DRAIN" in state for state in self.states) and self.reason in _OF_HOOKS

    @property
    def busy(self) -> int:
        """How unlikely it is that a job can start there now."""
        return 3 if self.out else _BUSYNESS.get(self.states[0].rstrip("*~#!%$@^-"), 1)

    @property
    def out(self) -> str:
        """Why no job can start there now, or ''."""
        states = [state for state in self.states if state.startswith(_OUT)]
        return f"{'+'.join(self.states)}{f' ({self.reason})' if self.reason else ''}" if states else ""


def node_names(lines: Iterable[str]) -> tuple[str, ...]:
    """The nodes that `scontrol show node -o` tells of."""
    return tuple(printable(match[1]) for line in lines if (match := _NODE.match(line)))


def node_states(lines: Iterable[str], nodes: Collection[str]) -> dict[str, NodeState]:
    """What `scontrol show node -o` says of these nodes.

    >>> node_states(["NodeName=n1 Arch=x State=IDLE+DRAIN CPUs=2 Reason=Prolog error [slurm@2026-11-25]"], ["n1"])
    {'n1': NodeState(states=('IDLE', 'DRAIN'), reason='Prolog error')}
    """
    found: dict[str, NodeState] = {}
    for line in lines:
        if (match := _NODE.match(line)) and match[1] in nodes:
            reason = _REASON.search(line)
            found[match[1]] = NodeState(tuple(match[2].split("+")), printable(reason[1]) if reason else "")
    return found


@dataclass(frozen=True, slots=True)
class Cluster:
    """What the gate knows of a cluster.

    `nodes` run slurmd; `conf` is the controller's slurm.conf. `journaling` are nodes on which a job must leave a trace
    in the epilog's journal once they are changed, and `late` those whose configuration comes from the controller, so
    that hooks run there only after it was changed. Without a `job`, only drained nodes are looked for.
    """

    controller: str
    conf: str
    nodes: tuple[str, ...]
    journaling: frozenset[str]
    late: frozenset[str]
    job: CanaryJob | None


def cluster_of(slurm: SlurmSettings, desired: Mapping[str, Desired]) -> Cluster:
    """The cluster of a site whose hosts should have this, as far as they were looked at."""
    conf = f"{slurm.conf_dir}/{SLURM_CONF}"
    hooked = {host for host in slurm.nodes if host in desired and HOOKS.intersection(desired[host].bundles)}
    late = {host for host in hooked if any(each.path == conf for each in desired[host].unedited)}
    journaling = hooked if slurm.post_job_check else set()
    return Cluster(slurm.controller, conf, slurm.nodes, frozenset(journaling), frozenset(late), slurm.canary_job)


def waiting(slurm: SlurmSettings, work: Mapping[str, HostWork]) -> dict[str, tuple[str, ...]]:
    """The controller, where it gets hooks, waits for all nodes: one whose prolog is missing is drained by Slurm."""
    each = work.get(slurm.controller)
    if each is None or CONTROLLER not in each.desired.bundles or not touches_hooks(each.changes):
        return {}
    return {slurm.controller: tuple(node for node in slurm.nodes if node != slurm.controller)}


def unseen_note(slurm: SlurmSettings, work: Mapping[str, HostWork], seen: Collection[str]) -> Iterator[str]:
    """A note on nodes that a limit leaves out although the controller changes."""
    if (waits := waiting(slurm, work)) and (unseen := set(waits[slurm.controller]).difference(seen)):
        yield f"whether these nodes have their hooks was not looked at: {fold(unseen)}"
