"""A Slurm cluster as a rollout of hooks sees it: its nodes, as scontrol tells them, and who waits for whom. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from aamic.deploy.apply import HostWork
from aamic.deploy.desired import Desired
from aamic.deploy.slurmconf import CONTROLLER, HOOKS, OURS, SLURM_CONF
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
    in the epilog's journal once they are changed, and `late` those whose configuration comes from the controller: hooks
    run there only while that has the line, of which `line` says whether it is `there`, `comes`, or ''. Without a `job`,
    only drained nodes are looked for.
    """

    controller: str
    conf: str
    nodes: tuple[str, ...]
    journaling: frozenset[str]
    late: frozenset[str]
    job: CanaryJob | None
    line: str = ""

    def traces(self, node: str, *, changed: bool) -> bool:
        """Whether a job on this node leaves a trace, now that the controller is `changed` or not."""
        reached = self.line == "there" or (self.line == "comes" and changed)
        return node in self.journaling and (node not in self.late or reached)


def cluster_of(slurm: SlurmSettings, desired: Mapping[str, Desired], held: Collection[str] = ()) -> Cluster:
    """The cluster of a site whose hosts should have this, as far as they were looked at.

    Where the site's own hooks are at odds with those of the bundles `held`, nobody knows which run.
    """
    conf = f"{slurm.conf_dir}/{SLURM_CONF}"
    hooked = {host for host in slurm.nodes if host in desired and HOOKS.intersection(desired[host].bundles)}
    late = {host for host in hooked if any(each.path == conf for each in desired[host].unedited)}
    journaling = hooked if slurm.post_job_check and not HOOKS.issubset(held) else set()
    line = _line(desired.get(slurm.controller), conf)
    return Cluster(slurm.controller, conf, slurm.nodes, frozenset(journaling), frozenset(late), slurm.canary_job, line)


def _line(controller: Desired | None, conf: str) -> str:
    if controller is None or not any(line.path == conf for line in controller.kept or ()):
        return ""
    return "comes" if conf in controller.edits else "there"


def waiting(slurm: SlurmSettings, work: Mapping[str, HostWork]) -> dict[str, tuple[str, ...]]:
    """The controller waits with its slurm.conf for all nodes: one whose prolog is missing is drained by Slurm."""
    each = work.get(slurm.controller)
    ours = {f"{slurm.conf_dir}/{SLURM_CONF}", f"{slurm.conf_dir}/{OURS}"}
    if (
        each is None
        or CONTROLLER not in each.desired.bundles
        or not ours.intersection(change.name for change in each.changes)
    ):
        return {}
    return {slurm.controller: tuple(node for node in slurm.nodes if node != slurm.controller)}
