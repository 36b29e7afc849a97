"""The whole path from a tree to a report, over hosts in memory: what the commands do, without a command line."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from aamic.deploy.admission import admit
from aamic.deploy.apply import HostWork, Keep, Task, apply, forget
from aamic.deploy.calls import Caller
from aamic.deploy.desired import Desired, desired_hosts
from aamic.deploy.diff import Policy, reference_key
from aamic.deploy.fetch import fetch_files, fetch_old
from aamic.deploy.gate import Verdict
from aamic.deploy.lines import edited, line_files
from aamic.deploy.material import gather
from aamic.deploy.observe import Asking, Seen, observe
from aamic.deploy.planner import Basis, make_plan
from aamic.deploy.recover import interrupted_hosts, recover
from aamic.deploy.rollout import Candidate, Pace, Wave, plan_waves, stage_of
from aamic.deploy.slurmcluster import cluster_of, waiting
from aamic.deploy.slurmconf import NOTHING, Findings, judge, values_of, wanted_hooks
from aamic.deploy.slurmgate import SlurmGate
from aamic.deploy.slurmreach import reach, staged
from aamic.deploy.transaction import Sender
from aamic.deploy.wave import Means
from aamic.model.fleet import Rollout, SlurmSettings
from aamic.model.host import Observation
from aamic.model.plan import Plan
from aamic.model.report import HostReport, Origin, Report, WaveReport
from aamic.model.tree import Tree
from tests.deploy.fakeapply import Fleet
from tests.deploy.fakehosts import FakeHost

VALUE = b"https://hooks.example.com/s3cr3t"
BINARY = b"\x7fELF program"
SALT = "salt"


@dataclass
class Judge:
    """A gate that fails hosts when a test says so; `asked` are the hosts of each question."""

    fails: Mapping[str, str] = field(default_factory=dict)
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def judge(self, hosts: Sequence[str], seconds: float) -> Verdict:
        assert seconds > 0
        self.asked.append(tuple(hosts))
        failed = {host: self.fails[host] for host in hosts if host in self.fails}
        return Verdict(failed, f"failed: {len(failed)} of {len(hosts)} hosts" if failed else "passed")


@dataclass
class Watcher:
    """Notes what an apply tells."""

    waves: list[Wave] = field(default_factory=list)
    ends: list[WaveReport] = field(default_factory=list)
    hosts: list[HostReport] = field(default_factory=list)

    def begins(self, number: int, total: int, wave: Wave) -> None:
        assert 1 <= number <= total
        self.waves.append(wave)

    def host(self, report: HostReport) -> None:
        self.hosts.append(report)

    def ended(self, report: WaveReport) -> None:
        self.ends.append(report)


@dataclass
class Controller:
    """One controller for a tree; every apply of it has another release."""

    fleet: Fleet
    tree: Tree
    rollout: Rollout = field(default_factory=Rollout)
    judge: Judge = field(default_factory=Judge)
    watcher: Watcher = field(default_factory=Watcher)
    parallel: int = 50
    timer: bool = True
    release: str = "r1"
    bundle: str = ""
    clock: Callable[[], float] = time.monotonic
    slurm: SlurmSettings | None = None
    pause: Callable[[float], None] = time.sleep

    def means(self, desired: Mapping[str, Desired] | None = None, held: Collection[str] = ()) -> Means:
        confirm = round(self.rollout.confirm_timeout) if self.timer else 0
        caller = Caller(
            self.fleet.client(), Origin(self.release, "an@engineer", "3f2c1ab"), 30.0, confirm, lambda _: None
        )
        return Means(
            caller, self.judge, self.rollout, self.parallel, self.clock, self.watcher.host, self.prover(desired, held)
        )

    def prover(self, desired: Mapping[str, Desired] | None, held: Collection[str]) -> SlurmGate | None:
        if self.slurm is None or desired is None:
            return None
        return SlurmGate(self.fleet.client(), cluster_of(self.slurm, desired, held), 30.0, self.pause)

    def look(self) -> dict[str, Seen]:
        desired = desired_hosts(self.tree, self.fleet.hosts)
        return observe(self.fleet.client(), desired, Asking(30.0, self.parallel, SALT))

    def plan(self, seen: Mapping[str, Seen] | None = None) -> Plan:
        seen = self.look() if seen is None else seen
        digest = hashlib.sha256(SALT.encode() + VALUE).hexdigest()
        found = self.findings(seen)
        policy = Policy(secrets={reference_key({"env": "SLACK"}): digest}, bundle=self.bundle, held=found.held)
        basis = Basis("test", self.tree.manifest.decode())
        made = make_plan(basis, self.desired(seen), seen, policy, found.notes)
        also = staged(self.fleet.client(), self.slurm, made, 30.0) if self.slurm else ()
        return replace(made, notes=(*made.notes, *also))

    def findings(self, seen: Mapping[str, Seen]) -> Findings:
        """What the controller's own slurm.conf means for the hooks of the tree."""
        slurm = self.slurm
        hooks = wanted_hooks(self.tree, slurm.controller, slurm.conf_dir) if slurm else None
        if slurm is None or hooks is None:
            return NOTHING
        client = self.fleet.client()
        path = f"{slurm.conf_dir}/slurm.conf"
        values = values_of(path, hooks, lambda paths: fetch_files(client, slurm.controller, paths, 30.0, follow=True))
        return judge(values, hooks, slurm).and_of(reach(client, slurm, values, seen, 30.0))

    def desired(self, seen: Mapping[str, Seen]) -> dict[str, Desired]:
        """What each host should have, with what that means for the files that stand there."""
        whole = desired_hosts(self.tree, self.fleet.hosts)
        contents = fetch_old(
            self.fleet.client(), line_files(whole, seen), Asking(30.0, self.parallel, SALT), follow=True
        )
        return edited(whole, seen, contents, self.findings(seen).held)

    def apply(
        self, saved: Plan | None = None, stopped: Callable[[], bool] = lambda: False, keep: Keep = forget
    ) -> Report:
        means = self.means()
        seen = self.look()
        if hosts := interrupted_hosts(seen):
            recover(hosts, means.caller, self.parallel)
            seen = self.look()
        admission = admit(self.plan(seen), saved)
        desired = self.desired(seen)
        work = {
            host: HostWork(changes, desired[host], _release(seen[host])) for host, changes in admission.changes.items()
        }
        material = gather(((each.changes, each.desired) for each in work.values()), lambda _: VALUE, lambda _: BINARY)
        sender = Sender(means.caller.origin, self.rollout, material, timer=self.timer)
        after = waiting(self.slurm, work) if self.slurm else {}
        found = frozenset(host for host, each in seen.items() if isinstance(each, Observation))
        task = Task(self._waves(work), work, admission.settled, sender, self.bundle, admission.notes, after, seen=found)
        return apply(task, self.means(desired, self.findings(seen).held), self.watcher, stopped, keep)

    def _waves(self, work: Mapping[str, HostWork]) -> tuple[Wave, ...]:
        stages = {bundle.name: bundle.stage for bundle in self.tree.bundles}
        candidates = [
            Candidate(
                host,
                frozenset(change.bundle for change in each.changes),
                stage_of(each.changes, each.desired, stages),
            )
            for host, each in work.items()
        ]
        return plan_waves(candidates, Pace(self.rollout.canary, self.rollout.batch, self.parallel))


def _release(seen: Seen):  # type: ignore[no-untyped-def]  # noqa: ANN202
    return seen.release if isinstance(seen, Observation) else None


def fleet(*hosts: str) -> Fleet:
    """New hosts with nothing on them, the monitoring hosts among them."""
    return Fleet({host: FakeHost() for host in (*hosts, "mon-1", "mon-2")})
