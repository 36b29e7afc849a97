"""Hooks are rolled out over a real Slurm: through the canary, back where they harm, and out again."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import pytest

from aamic.deploy.rollback import choose, roll_back
from aamic.model.fleet import CanaryJob, Rollout
from aamic.model.report import Report
from tests.agent.transfers import Transfer, apply
from tests.deploy.controller import Controller, Judge, Watcher
from tests.deploy.slurmtrees import CONF, EPILOG, INCLUDE, JOURNAL, OURS, PROLOG, SETTINGS, settings, tree
from tests.fleet.console import ConsoleHosts
from tests.fleet.controller import wait_until
from tests.fleet.host import Host
from tests.fleet.slurm import Slurm

QUICK = Rollout(
    canary=1, batch=1, confirm_timeout=90.0, settle=1.0, ready_timeout=15.0, gate_timeout=5.0, job_timeout=40.0
)
NODES = ("node-01", "node-02")
SHARED = "/srv/shared/slurm.conf"
REFUSES = b"#!/bin/sh\nexit 1\n"


@dataclass
class Real:
    """Running hosts, as a controller wants them."""

    hosts: Mapping[str, Host]

    def client(self) -> ConsoleHosts:
        return ConsoleHosts(self.hosts)


@pytest.fixture
def controller(slurm: Slurm) -> Iterator[Controller]:
    wipe(slurm)
    hosts = {host.name: host for host in slurm.hosts}
    yield Controller(Real(hosts), tree(NODES), QUICK, slurm=settings(NODES))  # type: ignore[arg-type]
    wipe(slurm)


def wipe(slurm: Slurm) -> None:
    slurm.reset()
    for host in slurm.hosts:
        host.do("rm", "-rf", "/var/lib/aamic", "/srv/shared")


def then(controller: Controller, release: str, **wish: object) -> Controller:
    """The controller, wanting something else."""
    wanted = tree(NODES, **wish)  # type: ignore[arg-type]
    return replace(controller, tree=wanted, release=release, judge=Judge(), watcher=Watcher())


def states(report: Report) -> dict[str, str]:
    return {each.host: each.state for each in report.hosts}


def told(report: Report, host: str) -> str:
    return next(" ".join((each.message, *each.notes)) for each in report.hosts if each.host == host)


def conf(slurm: Slurm) -> dict[str, str]:
    return {host.name: host.do("cat", CONF) for host in slurm.hosts}


def is_up(slurm: Slurm) -> bool:
    return " is UP" in slurm.scontrol("ping")


def since(slurm: Slurm) -> str:
    """What is another once slurmctld was started again."""
    return slurm.controller.do("systemctl", "show", "-P", "MainPID", "slurmctld")


def test_hooks_are_installed_changed_caught_and_taken_out_again(controller: Controller, slurm: Slurm) -> None:
    before, process = conf(slurm), since(slurm)

    first = controller.apply()
    assert states(first) == dict.fromkeys((*NODES, "slurm-ctl"), "done"), first
    assert [wave.hosts for wave in first.waves] == [("node-01",), ("node-02",), ("slurm-ctl",)]
    assert "went through prolog and epilog on node-01" in first.waves[0].gate
    assert conf(slurm) == {name: f"{INCLUDE}\n{text}" for name, text in before.items()}
    assert slurm.wait_job(slurm.submit("true", "--nodes=2")) == "COMPLETED"
    assert controller.plan().groups == ()
    assert since(slurm) == process

    faulty = then(controller, "r2", prolog=REFUSES).apply()
    assert states(faulty) == {"node-01": "restored", "node-02": "not started"}
    assert "Prolog error" in told(faulty, "node-01")
    assert "it takes jobs again" in told(faulty, "node-01")
    assert "node-01" in faulty.stopped
    slurm.wait_node("node-01", "IDLE")
    assert "exit 0" in slurm.nodes["node-01"].do("cat", PROLOG)
    assert slurm.wait_job(slurm.submit("true", "--nodelist=node-01")) == "COMPLETED"

    gone = then(controller, "r3", hooks=False).apply()
    assert states(gone) == dict.fromkeys((*NODES, "slurm-ctl"), "done"), gone
    assert gone.waves[0].hosts == ("slurm-ctl",)
    assert conf(slurm) == before
    assert slurm.nodes["node-01"].run("test", "-e", PROLOG).returncode == 1
    assert slurm.wait_job(slurm.submit("true", "--nodes=2")) == "COMPLETED"
    assert [slurm.node_state(name) for name in NODES] == [("IDLE", ""), ("IDLE", "")]
    assert (is_up(slurm), since(slurm)) == (True, process)

    again = replace(controller, release="r4", watcher=Watcher())
    back = roll_back(choose(again.look(), "", "slurm-ctl"), again.means(), again.watcher, lambda: False)
    assert states(back) == dict.fromkeys((*NODES, "slurm-ctl"), "done"), back
    assert [wave.hosts for wave in back.waves] == [NODES, ("slurm-ctl",)]
    assert conf(slurm) == {name: f"{INCLUDE}\n{text}" for name, text in before.items()}
    assert slurm.wait_job(slurm.submit("true", "--nodes=2")) == "COMPLETED"
    assert since(slurm) == process


def test_a_configuration_that_slurm_refuses_goes_back_before_a_daemon_reads_it(
    controller: Controller, slurm: Slurm
) -> None:
    before, process = conf(slurm), since(slurm)
    broken = replace(controller, tree=tree(NODES, settings=SETTINGS + b"NoSuchKey=1\n"))
    broken = replace(broken, rollout=replace(QUICK, max_failures=9))

    report = broken.apply()

    assert states(report)["node-01"] == "restored"
    assert "NoSuchKey" in told(report, "node-01")
    assert states(report)["slurm-ctl"] == "refused"
    assert (conf(slurm), since(slurm), is_up(slurm)) == (before, process, True)
    assert slurm.wait_job(slurm.submit("true", "--nodes=2")) == "COMPLETED"


def test_a_site_with_its_own_prolog_keeps_it(controller: Controller, slurm: Slurm) -> None:
    slurm.configure(slurm.conf.with_lines(["Prolog=/bin/true"]))
    before = conf(slurm)

    plan = controller.plan()
    report = controller.apply()

    assert [note for note in plan.notes if "Prolog=/bin/true" in note and note.startswith("conflict")]
    assert not [change for group in plan.groups for change in group.changes if change.name in {CONF, OURS}]
    assert states(report) == dict.fromkeys((*NODES, "slurm-ctl"), "done")
    assert conf(slurm) == before
    assert controller.plan().groups == ()


def test_a_slurmctld_that_dies_of_its_configuration_is_started_with_the_one_before(
    controller: Controller, slurm: Slurm
) -> None:
    before, process = conf(slurm)["slurm-ctl"], since(slurm)
    deadly = SETTINGS + b"PartitionName=broken Nodes=no-such-node\n"

    report = replace(controller, tree=tree(NODES, settings=deadly)).apply()

    assert states(report) == {"node-01": "done", "node-02": "done", "slurm-ctl": "restored"}, report
    assert since(slurm) != process
    assert slurm.controller.do("cat", CONF) == before
    assert slurm.controller.do("systemctl", "is-active", "slurmctld") == "active\n"
    assert is_up(slurm)
    assert slurm.wait_job(slurm.submit("true", "--nodes=2")) == "COMPLETED"


def test_a_host_that_goes_back_by_itself_has_its_daemon_read_that(controller: Controller, slurm: Slurm) -> None:
    node, client = slurm.nodes["node-01"], controller.fleet.client()
    before = conf(slurm)["node-01"].encode()
    after = f"{INCLUDE}\n".encode() + before
    transfer = Transfer(
        {OURS: SETTINGS, PROLOG: REFUSES, EPILOG: JOURNAL, CONF: after},
        (
            f"edit\t{CONF}\tadd\t{INCLUDE}",
            *(f"late\t{path}" for path in (OURS, PROLOG, EPILOG)),
            f"check\tslurm\t{CONF}",
            f"reconfigure\tslurmd.service\t{CONF}",
        ),
        modes={PROLOG: "0755", EPILOG: "0755"},
        confirm=6,
    )

    assert apply(client, "node-01", transfer).state == "done"
    assert "prolog failed" in slurm.srun("--nodelist=node-01", "true").stderr
    wait_until(lambda: node.run("test", "-e", "/var/lib/aamic/pending").returncode != 0)
    wait_until(lambda: node.run("test", "-e", "/var/lib/aamic/restoring").returncode != 0)
    slurm.scontrol("update", "nodename=node-01", "state=resume")

    assert node.do("cat", CONF).encode() == before
    assert [node.run("test", "-e", path).returncode for path in (OURS, PROLOG, EPILOG)] == [1, 1, 1]
    assert slurm.wait_job(slurm.submit("true", "--nodelist=node-01")) == "COMPLETED"


def test_a_busy_canary_stops_the_rollout(controller: Controller, slurm: Slurm) -> None:
    slurm.submit("sleep 60", "--nodelist=node-01", "--exclusive")
    job = CanaryJob("root", None, None, None, 3)
    busy = replace(controller, slurm=settings(NODES, job))

    report = busy.apply()

    assert states(report) == {"node-01": "restored", "node-02": "not started", "slurm-ctl": "not started"}
    assert "no test job ran there, so its hooks are unknown" in told(report, "node-01")
    assert "hint" in told(report, "node-01")


def test_nodes_with_their_configuration_from_the_controller_get_hooks_and_lose_them(
    controller: Controller, slurm: Slurm
) -> None:
    slurm.go_configless()
    controller = replace(controller, slurm=settings(NODES, shared=True))
    before = slurm.controller.do("cat", CONF)

    report = controller.apply()

    assert states(report) == dict.fromkeys((*NODES, "slurm-ctl"), "done"), report
    assert [wave.hosts for wave in report.waves] == [("node-01",), ("node-02",), ("slurm-ctl",)]
    assert "went through prolog and epilog on node-01" in report.waves[-1].gate
    assert slurm.wait_job(slurm.submit("true", "--nodes=2")) == "COMPLETED"
    assert controller.plan().groups == ()

    gone = then(controller, "r2", hooks=False).apply()

    assert states(gone) == dict.fromkeys((*NODES, "slurm-ctl"), "done"), gone
    assert gone.waves[0].hosts == ("slurm-ctl",)
    assert slurm.controller.do("cat", CONF) == before
    assert slurm.wait_job(slurm.submit("true", "--nodes=2")) == "COMPLETED"
    assert [slurm.node_state(name) for name in NODES] == [("IDLE", ""), ("IDLE", "")]


def test_a_slurm_conf_behind_a_link_is_read_and_a_person_adds_the_line(controller: Controller, slurm: Slurm) -> None:
    host = slurm.controller
    host.do("mkdir", "-p", "/srv/shared")
    host.do("mv", CONF, SHARED)
    host.do("ln", "-s", SHARED, CONF)
    before = host.do("cat", SHARED)

    first = controller.apply()

    assert states(first) == dict.fromkeys((*NODES, "slurm-ctl"), "done"), first
    assert (host.do("readlink", CONF), host.do("cat", SHARED)) == (f"{SHARED}\n", before)
    assert controller.plan().held == ("slurm-controller",)

    host.do("sed", "-i", f"1i {INCLUDE}", SHARED)
    slurm.scontrol("reconfigure")

    assert (controller.plan().held, controller.plan().blocked) == ((), ())
    assert states(then(controller, "r2").apply())["slurm-ctl"] == "done"
    assert slurm.wait_job(slurm.submit("true", "--nodes=2")) == "COMPLETED"
    assert then(controller, "r3").plan().groups == ()

    gone = then(controller, "r3", hooks=False)
    assert gone.plan().held == ("slurm-controller",)
    assert states(gone.apply()) == dict.fromkeys(NODES, "done")
    assert slurm.wait_job(slurm.submit("true", "--nodes=2")) == "COMPLETED"


def test_where_hooks_go_a_glob_of_the_site_still_matches_a_script(controller: Controller, slurm: Slurm) -> None:
    slurm.configure(slurm.conf.with_lines(["Prolog=/etc/slurm/prolog.d/*", "Epilog=/etc/slurm/epilog.d/*"]))
    assert states(controller.apply()) == dict.fromkeys((*NODES, "slurm-ctl"), "done")

    gone = replace(then(controller, "r2", hooks=False), slurm=None).apply()

    assert states(gone) == dict.fromkeys((*NODES, "slurm-ctl"), "done"), gone
    assert slurm.nodes["node-01"].run("test", "-e", PROLOG).returncode == 1
    assert slurm.wait_job(slurm.submit("true", "--nodes=2")) == "COMPLETED"

    back = replace(controller, release="r3", watcher=Watcher(), slurm=None)
    assert states(back.apply()) == dict.fromkeys((*NODES, "slurm-ctl"), "done")
    undone = roll_back(choose(back.look(), "", "slurm-ctl"), back.means(), back.watcher, lambda: False)

    assert states(undone) == dict.fromkeys((*NODES, "slurm-ctl"), "done"), undone
    assert slurm.wait_job(slurm.submit("true", "--nodes=2")) == "COMPLETED"
    assert [slurm.node_state(name) for name in NODES] == [("IDLE", ""), ("IDLE", "")]


def test_nodes_that_lose_their_hooks_before_the_controller_run_jobs(controller: Controller, slurm: Slurm) -> None:
    slurm.go_configless()
    controller = replace(controller, slurm=settings(NODES, shared=True))
    assert states(controller.apply()) == dict.fromkeys((*NODES, "slurm-ctl"), "done")

    unreached = replace(then(controller, "r2", hooks=False), slurm=None, fleet=Real(slurm.nodes))  # type: ignore[arg-type]
    gone = unreached.apply()

    assert states(gone) == dict.fromkeys(NODES, "done"), gone
    assert slurm.nodes["node-01"].run("test", "-e", PROLOG).returncode == 1
    assert "/etc/slurm/prolog.d/*-aamic" in slurm.scontrol("show", "config")
    assert slurm.wait_job(slurm.submit("true", "--nodes=2")) == "COMPLETED"
    assert [slurm.node_state(name) for name in NODES] == [("IDLE", ""), ("IDLE", "")]


def test_a_configuration_that_reaches_nodes_without_hooks_stays(controller: Controller, slurm: Slurm) -> None:
    slurm.go_configless()
    before = slurm.controller.do("cat", CONF)
    some = replace(controller, tree=tree(NODES[:1]), slurm=settings(NODES[:1], shared=True))

    report = some.apply()

    assert some.plan().held == ("slurm-controller",)
    assert "1 node takes slurm.conf from elsewhere and would have no hooks: node-02" in " ".join(some.plan().notes)
    assert set(states(report).values()) == {"done"}
    assert slurm.controller.do("cat", CONF) == before
    assert slurm.wait_job(slurm.submit("true", "--nodelist=node-02")) == "COMPLETED"
    assert slurm.node_state("node-02") == ("IDLE", "")


def test_a_slurmctld_that_dies_of_what_somebody_had_changed_is_told(controller: Controller, slurm: Slurm) -> None:
    time.sleep(1.1)
    # Ahead of the clock: with slurmdbd at work slurmctld says of its configuration that it is newer than it is.
    slurm.controller.do("sh", "-c", f"echo PartitionName=soon Nodes=node-77 >>{CONF}; touch -d '1 minute' {CONF}")

    plan, report = controller.plan(), controller.apply()

    assert [note for note in plan.notes if note.endswith(f"`scontrol reconfigure` takes it too: {CONF}")]
    assert states(report)["slurm-ctl"] == "half restored"
    assert "slurmctld.service did not become active again" in told(report, "slurm-ctl") or (
        "slurmctld.service does not stay up" in told(report, "slurm-ctl")
    )
    assert "fatal" in told(report, "slurm-ctl")


def test_a_slurmctld_that_is_slow_to_read_is_never_started_anew(controller: Controller, slurm: Slurm) -> None:
    before = conf(slurm)["slurm-ctl"].encode()
    process = since(slurm)
    transfer = Transfer({CONF: b"# slow\n" + before}, (f"reconfigure\tslurmctld.service\t{CONF}",), confirm=9)
    slurm.controller.do("kill", "-STOP", process.strip())
    again = threading.Timer(12, lambda: slurm.controller.do("kill", "-CONT", process.strip()))
    again.start()
    try:
        result = apply(controller.fleet.client(), "slurm-ctl", transfer)
    finally:
        again.join()

    assert (result.state, since(slurm)) == ("restored", process)
    assert "scontrol reconfigure took longer than 6 s" in result.message
    assert conf(slurm)["slurm-ctl"].encode() == before
    assert is_up(slurm)
