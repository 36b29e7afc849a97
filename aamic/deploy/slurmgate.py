"""The second gate, of hosts whose Slurm hooks change: a test job on the canary, and no node that a hook drains.

Slurm's controller is asked through `Hosts`, as nothing else knows of jobs. What a change did to a node is told by
Slurm's own reasons alone: a node that somebody drains meanwhile is his.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from aamic.clients.base import Hosts
from aamic.compile.hostlist import fold
from aamic.deploy import wire
from aamic.deploy.fanout import fan_out
from aamic.deploy.slurmcluster import Cluster, NodeState, node_states
from aamic.deploy.wave import Proof
from aamic.errors import HostError
from aamic.model.fleet import CanaryJob

_BUSY: Final = "COMPLETING"
_MOST_JOBS: Final = 8
_MARGIN: Final = 30.0
_LOOKS: Final = 12
_PAUSE: Final = 1.0
_HINT: Final = (
    "free that node, begin with others by `--limit`, or set `slurm.canary_job.enabled: false` to go on without a job"
)


@dataclass
class SlurmGate:
    """Judges the waves of one apply; it implements `wave.Prover`."""

    hosts: Hosts
    cluster: Cluster
    timeout: float
    pause: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    before: dict[str, NodeState] = field(default_factory=dict)
    proven: str = ""
    changed: bool = False
    since: float | None = None

    def begin(self, hosts: Collection[str]) -> str:
        """Note how these nodes are before they change; returns why that is not possible, or ''."""
        self.since = self.clock() if self.since is None else self.since
        try:
            self.before = {**self._states(self._watched(hosts)), **self.before}
        except HostError as error:
            return "" if self.cluster.job is None else f"Slurm cannot be asked about its nodes: {error}"
        return ""

    def busy(self, hosts: Collection[str]) -> dict[str, int]:
        """How unlikely it is that a job can start on each of these hosts now; canaries are those that are free."""
        try:
            states = self._states(tuple(node for node in self.cluster.nodes if node in hosts))
        except HostError:
            return {}
        return {node: state.busy for node, state in states.items()}

    def judge(self, hosts: Collection[str], *, canary: bool) -> Proof:
        """What became of jobs and nodes since these hosts were changed."""
        told: list[str] = []
        problem = ""
        self.changed = self.changed or self.cluster.controller in hosts
        if self.cluster.job is not None and (canary or not self.proven or self.cluster.controller in hosts):
            problem, what = self._jobs(self._chosen(hosts), self.cluster.job)
            told += [what] if what else []
        drained = self._drained(tuple(dict.fromkeys((*self._watched(hosts), *self.before))))
        problem = drained or problem
        if problem:
            reason = f"{problem}: no further hooks are rolled out"
            return Proof(dict.fromkeys(hosts, problem), "; ".join(("hooks failed", *told)), reason)
        return Proof({}, "; ".join((*told, "no node was drained by a hook")))

    def mend(self, hosts: Collection[str]) -> Mapping[str, tuple[str, ...]]:
        """Let nodes start jobs again that a hook drained since they were changed; what is to be said of each."""
        try:
            now = self._states(self._watched(hosts))
        except HostError as error:
            return dict.fromkeys(hosts, (f"whether a hook drained its node is not known: {error}",))
        hit = [node for node, state in now.items() if self._is_new(node, state) and not self._refuses(node)]
        notes = {node: (self._resumed(node, now[node]),) for node in hit}
        elsewhere = tuple(note for node in hit if node not in hosts for note in notes[node])
        return {host: (*notes.get(host, ()), *(elsewhere if host == self.cluster.controller else ())) for host in hosts}

    def _watched(self, hosts: Collection[str]) -> tuple[str, ...]:
        """Of a change of the controller, every node may feel something."""
        if self.cluster.controller in hosts:
            return self.cluster.nodes
        return tuple(node for node in self.cluster.nodes if node in hosts)

    def _chosen(self, hosts: Collection[str]) -> tuple[str, ...]:
        """The nodes that get a test job: those that were changed, or, with the controller, the one that had one."""
        if self.cluster.controller in hosts and self.proven:
            return (self.proven,)
        free = sorted(self._watched(hosts), key=lambda node: bool(self.before[node].out if node in self.before else 1))
        return tuple(free[: 1 if self.cluster.controller in hosts else _MOST_JOBS])

    def _states(self, nodes: Sequence[str]) -> dict[str, NodeState]:
        if not nodes:
            return {}
        return node_states(self._ask(self.cluster.controller, "slurm_nodes", self.cluster.conf, fold(nodes)), nodes)

    def _ask(self, host: str, verb: str, *words: str) -> list[str]:
        answer = self.hosts.run(host, wire.command(verb, *words), (wire.program(verb),), self.timeout)
        lines = wire.rest(host, answer, verb)
        if lines[-1:] == ["down"]:
            raise HostError("broken", f"`{host}`: slurmctld does not answer")
        if lines[-1:] != ["end"]:
            raise HostError("broken", f"`{host}`: its answer ended early")
        return lines

    def _jobs(self, nodes: Sequence[str], job: CanaryJob) -> tuple[str, str]:
        """A job on each of the nodes: the first problem, or ''; and what to tell."""
        if not nodes:
            return "no node could be given a test job", ""
        results = fan_out(nodes, lambda node: self._job(node, job), _MOST_JOBS)
        problems = [f"`{node}`: {result}" for node, result in results.items() if not isinstance(result, _Ran)]
        ran = {node: result for node, result in results.items() if isinstance(result, _Ran)}
        if ran and not problems:
            self.proven = self.proven or next(iter(ran))
        return next(iter(problems), ""), "; ".join(each.told for each in ran.values())

    def _job(self, node: str, job: CanaryJob) -> _Ran | str:
        """What became of one job; a text where hooks are not proven by it."""
        if (state := self.before.get(node)) and state.out:
            return f"no test job can run there, so its hooks are unknown: it is {state.out} (hint: {_HINT})"
        wishes = (each or "-" for each in (job.partition, job.account, job.qos))
        words = (self.cluster.conf, node, job.user, str(job.timeout), *wishes)
        verb = "slurm_job"
        answer = self.hosts.run(
            self.cluster.controller, wire.command(verb, *words), (wire.program(verb),), job.timeout + _MARGIN
        )
        result = wire.result(self.cluster.controller, answer, verb)
        if result.state == "none":
            return f"no test job ran there, so its hooks are unknown: {result.message} (hint: {_HINT})"
        if result.state != "done" and self._refuses(node):
            return f"its own node check refuses jobs, so its hooks are unknown (hint: {_HINT})"
        if result.state != "done":
            return f"a test job failed: {result.message}"
        return self._traced(node, result.message)

    def _traced(self, node: str, number: str) -> _Ran | str:
        """Waits for the epilog's line of a job that has run, and until the node is done with it."""
        expected = self.cluster.traces(node, changed=self.changed)
        for _ in range(_LOOKS):
            busy = _BUSY in self._states((node,)).get(node, NodeState((), "")).states
            if not busy and (not expected or self._has_run(node, number)):
                through = "through prolog and epilog" if expected else "to its end"
                return _Ran(f"test job {number} went {through} on {node}")
            self.pause(_PAUSE)
        return f"test job {number} ran, but left no line in the epilog's journal: the hooks did not run"

    def _has_run(self, node: str, number: str) -> bool:
        verb = "slurm_ran"
        answer = self.hosts.run(node, wire.command(verb, number), (wire.program(verb),), self.timeout)
        return wire.result(node, answer, verb).state == "done"

    def _drained(self, nodes: Sequence[str]) -> str:
        """The nodes that a hook drained since they were looked at first, or why that is not known."""
        try:
            now = self._states(nodes)
        except HostError as error:
            return f"whether hooks drain nodes is not known: {error}" if self.cluster.job or self.before else ""
        hit = {
            node: state.reason for node, state in now.items() if self._is_new(node, state) and not self._refuses(node)
        }
        return f"Slurm drained {fold(hit)}: {', '.join(sorted(set(hit.values())))}" if hit else ""

    def _is_new(self, node: str, state: NodeState) -> bool:
        return state.by_hook and node in self.before and not self.before[node].by_hook

    def _refuses(self, node: str) -> bool:
        """Whether its prolog refused a job since, as the node's check fails: then it is drained rightly."""
        verb = "slurm_refused"
        seconds = str(round(self.clock() - (self.since or 0.0)) + 1)
        try:
            answer = self.hosts.run(node, wire.command(verb, seconds), (wire.program(verb),), self.timeout)
            return wire.result(node, answer, verb).state == "done"
        except HostError:
            return False

    def _resumed(self, node: str, state: NodeState) -> str:
        said = f"Slurm had drained it ({state.reason})"
        verb = "slurm_resume"
        try:
            answer = self.hosts.run(
                self.cluster.controller,
                wire.command(verb, self.cluster.conf, node),
                (wire.program(verb),),
                self.timeout,
            )
            result = wire.result(self.cluster.controller, answer, verb)
        except HostError as error:
            return f"{said}, and it could not be resumed: {error}"
        if result.state != "done":
            return f"{said}, and it could not be resumed: {result.message}"
        return f"{said}; it takes jobs again: `{node}`"


@dataclass(frozen=True, slots=True)
class _Ran:
    """A job went through; `told` says which."""

    told: str
