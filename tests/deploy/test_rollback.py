from __future__ import annotations

from dataclasses import replace

from aamic.deploy.rollback import Choice, choose, roll_back
from aamic.errors import HostError
from aamic.model.report import Report
from tests.deploy.controller import Controller, fleet
from tests.deploy.fakeapply import Fleet
from tests.deploy.fakehosts import FakeHost, Thing
from tests.deploy.slurmtrees import CONF, CTL
from tests.deploy.slurmtrees import tree as slurm_tree
from tests.deploy.trees import tree

HOSTS = ("a", "b", "c", "d")
NODE = "/etc/systemd/system/aami-node.service"


def twice() -> Controller:
    """Hosts with two releases, of which the second stands on `a` to `d` and both monitoring hosts."""
    controller = Controller(fleet(*HOSTS), tree(HOSTS))
    assert controller.apply().ok
    controller = replace(controller, tree=tree(HOSTS, flags="--fast"), release="r2")
    assert controller.apply().ok
    return replace(controller, release="r3")


def chosen(controller: Controller, release: str = "") -> Choice:
    return choose(controller.look(), release)


def rolled_back(controller: Controller, release: str = "", waves: int = 99) -> Report:
    means = replace(controller.means(), parallel=2)
    return roll_back(
        chosen(controller, release), means, controller.watcher, lambda: len(controller.watcher.ends) >= waves
    )


def test_the_newest_release_is_undone_where_it_stands() -> None:
    controller = twice()
    controller.fleet.undo["d"].pop()
    controller.fleet.hosts["d"].record = controller.fleet.hosts["d"].record.replace(b"release\tr2", b"release\tr1")

    choice = chosen(controller)
    report = rolled_back(replace(controller, watcher=type(controller.watcher)()))

    assert choice.back is not None
    assert (choice.back.name, choice.back.hosts) == ("r2", ("a", "b", "c", "mon-1", "mon-2"))
    assert [(each.name, each.hosts) for each in choice.others] == [("r1", ("d",))]
    assert choice.back.last is not None
    assert choice.back.last.who == "an@engineer"
    assert report.ok
    assert [len(wave.hosts) for wave in report.waves] == [2, 2, 1]
    assert b"--fast" not in controller.fleet.hosts["a"].things[NODE].content


def test_a_second_rollback_undoes_the_release_before() -> None:
    controller = twice()
    controller.watcher.ends.clear()

    assert rolled_back(controller).ok
    assert rolled_back(controller).ok
    assert all(not host.things and not host.record for host in controller.fleet.hosts.values())
    assert chosen(controller) == Choice(None, (), ())


def test_hosts_that_fail_keep_no_others_from_going_back() -> None:
    controller = twice()
    controller.watcher.ends.clear()
    choice = chosen(controller)
    controller.fleet.hosts["a"].fault = HostError("unreachable", "`a`: no route")
    controller.fleet.undo["b"].clear()

    report = roll_back(choice, controller.means(), controller.watcher, lambda: False)

    assert {each.host: each.state for each in report.hosts} == {
        "a": "not reached", "b": "refused", "c": "done", "d": "done", "mon-1": "done", "mon-2": "done"
    }  # fmt: skip
    assert not report.ok


def test_hosts_that_are_not_seen_or_not_settled_are_told_of() -> None:
    controller = twice()
    controller.fleet.hosts["a"].fault = HostError("unreachable", "`a`: no route")
    controller.fleet.hosts["b"].pending = "pending\tr9\tkim\tchanging\t50"

    assert [(each.host, each.state, each.message) for each in chosen(controller).settled] == [
        ("a", "not reached", "`a`: no route"),
        ("b", "refused", "a change of `kim` is not settled (changing)"),
    ]


def test_an_interrupt_is_heeded_between_waves() -> None:
    controller = twice()
    controller.watcher.ends.clear()

    report = rolled_back(controller, waves=1)

    assert report.interrupted
    assert [each.state for each in report.hosts] == ["done"] * 2 + ["not started"] * 4


def test_a_release_can_be_named() -> None:
    assert chosen(twice(), "r1").back is None
    assert chosen(twice(), "r2").back is not None


def test_a_controller_of_slurm_never_names_scripts_that_nodes_do_not_have() -> None:
    hosts = {name: FakeHost({CONF: Thing("file", b"A=1\n")}) for name in (*HOSTS, CTL)}
    installed = Controller(Fleet(hosts), slurm_tree(HOSTS))
    assert installed.apply().ok
    removed = replace(installed, tree=slurm_tree(HOSTS, hooks=False), release="r2")

    back = choose(installed.look(), "", CTL)
    assert removed.apply().ok
    again = choose(removed.look(), "", CTL)
    report = roll_back(again, removed.means(), removed.watcher, lambda: False)

    assert (back.first, back.last) == (CTL, "")
    assert (again.first, again.last) == ("", CTL)
    assert [wave.hosts for wave in report.waves] == [HOSTS, (CTL,)]
    assert hosts[CTL].things[CONF].content == b"Include aamic.conf\nA=1\n"
