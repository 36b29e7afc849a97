"""Rollouts of Slurm hooks over many hosts in memory, with a Slurm that a test makes fail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from aamic.deploy.slurmcluster import cluster_of
from aamic.deploy.slurmgate import SlurmGate
from aamic.errors import HostError
from aamic.model.fleet import CanaryJob, Rollout
from aamic.model.report import Report
from tests.deploy.controller import Controller
from tests.deploy.fakeapply import Fleet
from tests.deploy.fakehosts import UP, FakeHost, FakeHosts, Thing
from tests.deploy.slurmtrees import CONF, CTL, EPILOG, INCLUDE, JOURNAL, OURS, PROLOG, SETTINGS, settings, tree

NODES = tuple(f"gpu-{number:04d}" for number in range(200))
OLD = b"# ours\nClusterName=x\n"
NEW = b"# ours\nInclude aamic.conf\nClusterName=x\n"
FAULTY = b"#!/bin/sh\nexit 1\n"
BY_HAND = "IDLE+DRAIN Reason=broken fan [root@2026-11-25T10:00:00]"
TAKEN_OVER = "IDLE+DRAIN Reason=Prolog error was a bad riser, do not touch - bob [root@2026-11-25T10:00:00]"
PROLOG_ERROR = "IDLE+DRAIN Reason=Prolog error [slurm@2026-11-25T10:00:00]"


@dataclass
class Slurm(Fleet):
    """Hosts with a Slurm: `states` of nodes as scontrol tells them; jobs run what stands on their nodes.

    `busy` are nodes on which no job can start, `sick` those whose check has the prolog refuse jobs; `down`: slurmctld
    does not answer. `jobs` are the nodes of test jobs,
    `resumed` those that were resumed. `meanwhile` is called as a job starts.
    """

    states: dict[str, str] = field(default_factory=dict)
    busy: set[str] = field(default_factory=set)
    sick: set[str] = field(default_factory=set)
    down: bool = False
    staged: str = "none\t-"
    jobs: list[str] = field(default_factory=list)
    resumed: list[str] = field(default_factory=list)
    ran: dict[str, set[str]] = field(default_factory=dict)
    meanwhile: Callable[[], None] = lambda: None

    def client(self) -> FakeHosts:
        client = super().client()
        client.verbs |= {
            "slurm_nodes": self._nodes,
            "slurm_staged": lambda *_: f"aamic\t1\tslurm_staged\nresult\t{self.staged}\n".encode(),
            "slurm_job": self._job,
            "slurm_ran": self._ran,
            "slurm_refused": self._refused,
            "slurm_resume": self._resume,
        }
        return client

    def _nodes(self, host: FakeHost, words: Sequence[str], _: bytes) -> bytes:
        assert (self.name(host), words[0]) == (CTL, CONF)
        lines = [f"NodeName={name} Arch=x86_64 State={self.states.get(name, 'IDLE')}" for name in NODES]
        return "\n".join(["aamic\t1\tslurm_nodes", *lines, "down" if self.down else "end", ""]).encode()

    def _job(self, host: FakeHost, words: Sequence[str], _: bytes) -> bytes:
        assert self.name(host) == CTL
        conf, node, user, seconds, *wishes = words
        assert (conf, user, seconds, wishes) == (CONF, "root", "20", ["-", "-", "-"])
        self.jobs.append(node)
        self.meanwhile()
        things = self.hosts[node].things
        configured = things.get(CONF, self.hosts[CTL].things[CONF]).content == NEW
        if node in self.sick:
            self.states[node] = PROLOG_ERROR
            return b"aamic\t1\tslurm_job\nresult\tfailed\tJob prolog failed\n"
        if node in self.busy:
            return b"aamic\t1\tslurm_job\nresult\tnone\tRequested nodes are busy\n"
        if PROLOG in things and things[PROLOG].content == FAULTY and configured:
            self.states[node] = PROLOG_ERROR
            return b"aamic\t1\tslurm_job\nresult\tfailed\tJob prolog failed\n"
        if EPILOG in things and things[EPILOG].content == JOURNAL and configured:
            self.ran.setdefault(node, set()).add("7")
        return b"aamic\t1\tslurm_job\nresult\tdone\t7\n"

    def _ran(self, host: FakeHost, words: Sequence[str], _: bytes) -> bytes:
        found = "done" if words[0] in self.ran.get(self.name(host), set()) else "none"
        return f"aamic\t1\tslurm_ran\nresult\t{found}\t{words[0]}\n".encode()

    def _refused(self, host: FakeHost, words: Sequence[str], _: bytes) -> bytes:
        assert int(words[0]) >= 1
        return f"aamic\t1\tslurm_refused\nresult\t{'done' if self.name(host) in self.sick else 'none'}\t-\n".encode()

    def _resume(self, _: FakeHost, words: Sequence[str], __: bytes) -> bytes:
        self.resumed.append(words[1])
        self.states[words[1]] = "IDLE"
        return f"aamic\t1\tslurm_resume\nresult\tdone\t{words[1]}\n".encode()


def cluster(**wish: object) -> Controller:
    units = {name: {"slurmd.service": UP} for name in NODES} | {CTL: {"slurmctld.service": UP}}
    hosts = {
        name: FakeHost({CONF: Thing("file", OLD, "0640" if name == CTL else "0644")}, units[name]) for name in units
    }
    hosts[CTL].things[CONF] = Thing("file", OLD)
    rollout = Rollout(canary=1, batch=50, job_timeout=40.0)
    wanted = tree(NODES, **wish)  # type: ignore[arg-type]
    return Controller(Slurm(hosts), wanted, rollout, slurm=settings(NODES), pause=lambda _: None)


def slurm_of(controller: Controller) -> Slurm:
    assert isinstance(controller.fleet, Slurm)
    return controller.fleet


def states(report: Report) -> dict[str, str]:
    return {each.host: each.state for each in report.hosts}


def told(report: Report, host: str) -> str:
    return next(" ".join((each.message, *each.notes)) for each in report.hosts if each.host == host)


def test_the_controller_comes_after_all_nodes_and_one_job_proves_the_hooks_on_each_side_of_it() -> None:
    controller = cluster()

    report = controller.apply()
    transaction = controller.fleet.transactions[CTL]

    assert report.ok
    assert controller.watcher.waves[0].hosts == (NODES[0],)
    assert controller.watcher.waves[-1].hosts == (CTL,)
    assert slurm_of(controller).jobs == [NODES[0], NODES[0]]
    assert report.waves[0].gate.endswith(
        "test job 7 went through prolog and epilog on gpu-0000; no node was drained by a hook"
    )
    assert {host.things[CONF].content for host in controller.fleet.hosts.values()} == {NEW}
    assert [line for line in transaction if line[0] in {"edit", "late", "reconfigure", "check"}] == [
        ["edit", CONF, "add", INCLUDE],
        ["check", "slurm", CONF],
        ["reconfigure", "slurmctld.service", CONF],
    ]
    assert [line[1] for line in transaction if line[0] == "put"] == ["/etc/aami/note", OURS, CONF]
    assert controller.plan().groups == ()


def test_a_faulty_prolog_stops_at_the_canary_whose_node_is_resumed() -> None:
    controller = replace(cluster(prolog=FAULTY), rollout=Rollout(canary=1, batch=50, max_failures=500))

    report = controller.apply()
    slurm = slurm_of(controller)

    assert states(report) == dict.fromkeys((*NODES, CTL), "not started") | {NODES[0]: "restored"}
    assert (slurm.jobs, slurm.resumed) == ([NODES[0]], [NODES[0]])
    assert told(report, NODES[0]) == (
        "Slurm drained gpu-0000: Prolog error Slurm had drained it (Prolog error); it takes jobs again: `gpu-0000`"
    )
    assert report.stopped == "Slurm drained gpu-0000: Prolog error: no further hooks are rolled out"
    assert slurm.hosts[NODES[0]].things == {CONF: Thing("file", OLD)}


def test_a_node_that_somebody_drains_meanwhile_is_left_to_him() -> None:
    controller = cluster(prolog=FAULTY)
    slurm = slurm_of(controller)
    slurm.states = {NODES[5]: PROLOG_ERROR}
    slurm.meanwhile = lambda: slurm.states.update({NODES[1]: BY_HAND})

    controller.apply()

    assert slurm.resumed == [NODES[0]]
    assert slurm.states == {NODES[0]: "IDLE", NODES[1]: BY_HAND, NODES[5]: PROLOG_ERROR}


def test_a_drain_by_a_hook_that_somebody_has_taken_over_is_his() -> None:
    controller = cluster()
    slurm = slurm_of(controller)
    slurm.meanwhile = lambda: slurm.states.update({NODES[0]: TAKEN_OVER})

    controller.apply()

    assert slurm.resumed == []
    assert slurm.states == {NODES[0]: TAKEN_OVER}


def test_a_node_of_an_earlier_wave_that_is_drained_by_a_hook_stops_everything() -> None:
    controller = cluster()
    slurm = slurm_of(controller)

    def meanwhile() -> bool:
        if len(controller.watcher.waves) == 2:
            slurm.states[NODES[3]] = PROLOG_ERROR
        return False

    report = controller.apply(stopped=meanwhile)

    assert states(report)[NODES[3]] == "done"
    assert set(states(report).values()) == {"done", "restored", "not started"}
    assert states(report)[CTL] == "not started"
    assert "drained gpu-0003" in report.stopped


def test_a_canary_that_cannot_run_a_job_is_unknown_and_nothing_goes_on() -> None:
    for state, busy, why in (("ALLOCATED", {NODES[0]}, "Requested nodes are busy"), (BY_HAND, set(), "broken fan")):
        controller = cluster()
        slurm_of(controller).states, slurm_of(controller).busy = {NODES[0]: state}, busy

        report = controller.apply()

        assert states(report) == dict.fromkeys((*NODES, CTL), "not started") | {NODES[0]: "restored"}
        assert why in told(report, NODES[0])
        assert "its hooks are unknown" in told(report, NODES[0])
        assert "hint" in report.stopped


def test_a_node_that_is_drained_because_it_fails_stays_drained() -> None:
    canary, later = cluster(), cluster()
    slurm_of(canary).sick = {NODES[0]}
    slurm_of(later).sick = {NODES[1]}
    slurm_of(later).meanwhile = lambda: slurm_of(later).states.update({NODES[1]: PROLOG_ERROR})

    report = canary.apply()

    assert states(report)[NODES[0]] == "restored"
    assert "its own node check refuses jobs, so its hooks are unknown" in told(report, NODES[0])
    assert later.apply().ok
    assert (slurm_of(canary).resumed, slurm_of(later).resumed) == ([], [])


def test_without_a_job_only_drained_nodes_are_looked_for() -> None:
    controller = replace(cluster(), slurm=settings(NODES, None))
    slurm_of(controller).busy = set(NODES)

    assert controller.apply().ok
    assert slurm_of(controller).jobs == []


def test_nothing_changes_where_slurm_cannot_be_asked() -> None:
    controller = cluster()
    slurm_of(controller).down = True

    report = controller.apply()

    assert states(report) == dict.fromkeys((*NODES, CTL), "not started") | {NODES[0]: "refused"}
    assert told(report, NODES[0]) == "Slurm cannot be asked about its nodes: `slurm-ctl`: slurmctld does not answer"
    assert controller.fleet.transactions == {}


def test_an_epilog_that_leaves_no_trace_has_not_run() -> None:
    controller = cluster(epilog=b"#!/bin/sh\nexit 0\n")

    report = controller.apply()

    assert states(report)[NODES[0]] == "restored"
    assert "left no line in the epilog's journal" in told(report, NODES[0])


def test_the_controller_is_left_alone_while_a_node_is_without_hooks() -> None:
    controller = cluster()
    controller.fleet.hosts[NODES[9]].fault = HostError("unreachable", "no route to host")
    controller = replace(controller, rollout=Rollout(canary=1, batch=50, max_failures=9, job_timeout=40.0))

    report = controller.apply()

    assert states(report) == dict.fromkeys(NODES, "done") | {NODES[9]: "not reached", CTL: "refused"}
    assert "these have not, or were not looked at: gpu-0009" in told(report, CTL)
    assert controller.fleet.hosts[CTL].things[CONF].content == OLD


def test_hooks_go_from_the_controller_first() -> None:
    installed = cluster()
    assert installed.apply().ok
    controller = replace(installed, tree=tree(NODES, hooks=False), release="r2", watcher=type(installed.watcher)())

    report = controller.apply()
    lines = controller.fleet.transactions[NODES[7]]

    assert report.ok
    assert controller.watcher.waves[0].hosts == (CTL,)
    assert {host.things[CONF].content for host in controller.fleet.hosts.values()} == {OLD}
    assert [line[1] for line in lines if line[0] == "late"] == [EPILOG, PROLOG]
    assert [line for line in lines if line[0] == "edit"] == [["edit", CONF, "remove", INCLUDE]]
    assert controller.plan().groups == ()


def test_nodes_with_their_configuration_from_the_controller_are_proven_with_it() -> None:
    controller = replace(cluster(), slurm=settings(NODES, shared=True))
    slurm = slurm_of(controller)
    for name in NODES:
        del slurm.hosts[name].things[CONF]

    plan = controller.plan()
    report = controller.apply()

    transaction = controller.fleet.transactions[NODES[0]]

    assert [note for note in plan.notes if "it does not exist: gpu-[0000-0199]" in note]
    assert [line for line in transaction if line[0] in {"check", "reconfigure", "edit"}] == []
    assert "test job 7 went to its end on gpu-0000" in report.waves[0].gate
    assert "test job 7 went through prolog and epilog on gpu-0000" in report.waves[-1].gate
    assert report.ok


def test_a_controller_that_hands_its_configuration_out_waits_for_nodes_without_hooks() -> None:
    handing = b"SlurmctldParameters=enable_configless\nClusterName=x\n"
    for missing in (False, True):
        controller = replace(cluster(), tree=tree(NODES[:9]), slurm=settings(NODES[:9], shared=True))
        slurm = slurm_of(controller)
        for name in NODES[9:]:
            del slurm.hosts[name]
        slurm.hosts[CTL].things[CONF] = Thing("file", OLD if missing else handing)
        if missing:
            del slurm.hosts[NODES[0]].things[CONF]

        plan, report = controller.plan(), controller.apply()

        assert plan.held == ("slurm-controller",)
        assert plan.notes[0] == (
            "conflict: 191 nodes take slurm.conf from elsewhere and would have no hooks: gpu-[0009-0199]: their first "
            "job would drain them; name them in `slurm.nodes`; the controller's slurm.conf is left as it is because of "
            "this"
        )
        assert set(states(report).values()) == {"done"}
        assert slurm.hosts[CTL].things[CONF].content == (OLD if missing else handing)
        assert PROLOG in slurm.hosts[NODES[8]].things


def test_which_nodes_take_a_configuration_must_be_known() -> None:
    controller = replace(cluster(), slurm=settings(NODES, shared=True))
    slurm = slurm_of(controller)
    del slurm.hosts[NODES[0]].things[CONF]
    slurm.down = True

    plan = controller.plan()

    assert plan.held == ("slurm-controller",)
    assert "which these are is not known: `slurm-ctl`: slurmctld does not answer" in plan.notes[0]


def test_nothing_is_handed_out_before_somebody_says_that_all_nodes_have_scripts() -> None:
    controller = cluster()
    del controller.fleet.hosts[NODES[0]].things[CONF]

    plan, report = controller.plan(), controller.apply()

    assert plan.held == ("slurm-controller",)
    assert "set `slurm.shared_conf: true` once every node, and every image that nodes start from, has" in plan.notes[0]
    assert report.ok
    assert controller.fleet.hosts[CTL].things == {CONF: Thing("file", OLD), "/etc/aami/note": Thing("file", b"x")}
    assert PROLOG in controller.fleet.hosts[NODES[0]].things


def test_scripts_change_though_slurm_conf_is_at_odds() -> None:
    controller = cluster()
    assert controller.apply().ok
    hosts = controller.fleet.hosts
    conf = NEW + b"Prolog=/usr/local/sbin/prolog.sh\n"
    hosts[CTL].things[CONF] = Thing("file", conf)
    calmer = replace(
        controller, tree=tree(NODES, prolog=b"#!/bin/sh\n: shadow\n", settings=SETTINGS + b"# new\n"), release="r2"
    )

    plan, report = calmer.plan(), calmer.apply()

    assert plan.held == ("slurm-controller", "slurm-hooks")
    assert {change.name for group in plan.groups for change in group.changes} == {PROLOG}
    assert report.ok
    assert hosts[NODES[7]].things[PROLOG].content == b"#!/bin/sh\n: shadow\n"
    assert (hosts[CTL].things[CONF].content, hosts[NODES[7]].things[CONF].content) == (conf, NEW)
    assert calmer.plan().groups == ()


def test_the_controller_waits_for_nodes_that_nobody_looked_at() -> None:
    controller = cluster()
    hosts = controller.fleet.hosts
    alone = replace(controller, fleet=Slurm({CTL: hosts[CTL]}))

    report = alone.apply()

    assert states(report) == {CTL: "refused"}
    assert "these have not, or were not looked at: gpu-[0000-0199]" in told(report, CTL)
    assert hosts[CTL].things[CONF].content == OLD


def test_what_slurmctld_has_not_read_yet_is_told_with_a_plan_that_has_it_read() -> None:
    controller = cluster()
    slurm_of(controller).staged = f"done\t{CONF}\t/etc/slurm/gres.conf"

    assert controller.plan().notes[-1] == (
        "somebody changed what slurmctld has not read yet, and `scontrol reconfigure` takes it too: "
        "/etc/slurm/slurm.conf /etc/slurm/gres.conf"
    )
    assert controller.apply().ok
    assert controller.plan().notes == ()


def test_nodes_with_files_of_their_own_are_no_matter_of_the_controller() -> None:
    controller = replace(cluster(), tree=tree(NODES[:9]), slurm=settings(NODES[:9]))

    assert controller.plan().held == ()


def test_free_nodes_are_tried_first() -> None:
    controller = cluster()
    slurm = slurm_of(controller)
    slurm.states = dict.fromkeys(NODES, "ALLOCATED") | {NODES[3]: "MIXED", NODES[4]: "IDLE", NODES[5]: BY_HAND}
    gate = SlurmGate(slurm.client(), cluster_of(settings(NODES), {}), 30.0)

    busy = gate.busy(NODES[2:6])

    assert sorted(busy, key=busy.__getitem__) == [NODES[4], NODES[3], NODES[2], NODES[5]]
    assert CanaryJob("root", None, None, None, 20) == gate.cluster.job
