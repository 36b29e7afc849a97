from __future__ import annotations

from dataclasses import replace

from aamic.compile.hostlist import fold
from aamic.deploy.status import statuses
from aamic.errors import HostError
from aamic.model.host import LastApply
from aamic.model.status import HostStatus
from aamic.views import status as view
from tests.deploy.controller import Controller, fleet
from tests.deploy.fakehosts import DOWN, Thing
from tests.deploy.trees import tree

HOSTS = ("a", "b", "c")
NODE = "/etc/systemd/system/aami-node.service"
LAST = LastApply("r1", 1_700_000_000, "an@engineer", "3f2c1ab", "done")


def applied() -> Controller:
    controller = Controller(fleet(*HOSTS), tree(HOSTS))
    assert controller.apply().ok
    return controller


def found(controller: Controller, at: float = 1_700_000_000) -> dict[str, HostStatus]:
    seen = controller.look()
    return {each.host: each for each in statuses(controller.plan(seen), seen, dict.fromkeys(seen, at))}


def test_a_host_that_was_never_applied_to_says_so() -> None:
    assert found(Controller(fleet(*HOSTS), tree(HOSTS)))["a"] == HostStatus("a", "never applied")


def test_a_host_is_in_sync_with_its_release_or_behind_the_site() -> None:
    controller = applied()

    assert found(controller)["a"] == HostStatus("a", "in sync", (), LAST, release="r1")
    assert found(replace(controller, tree=tree(HOSTS, flags="--fast")))["a"] == HostStatus(
        "a", "behind", (), LAST, release="r1"
    )


def test_what_is_not_as_the_release_left_it_has_drifted() -> None:
    controller = applied()
    hosts = controller.fleet.hosts
    hosts["a"].things[NODE] = Thing(content=b"edited")
    del hosts["b"].things[NODE]
    hosts["c"].units["aami-node.service"] = DOWN
    mon = hosts["mon-1"]
    mon.things["/etc/aami/secrets/slack"] = replace(mon.things["/etc/aami/secrets/slack"], mode="0644")

    seen = found(controller)

    assert {host: (each.state, each.details) for host, each in seen.items()} == {
        "a": ("drifted", (NODE,)),
        "b": ("drifted", (NODE,)),
        "c": ("drifted", ("aami-node.service (inactive)",)),
        "mon-1": ("drifted", ("/etc/aami/secrets/slack",)),
        "mon-2": ("in sync", ()),
    }


def test_a_host_that_is_not_reached_or_not_settled_is_not_taken_for_healthy() -> None:
    controller = applied()
    controller.fleet.hosts["a"].fault = HostError("unreachable", "`a`: timed out")
    controller.fleet.hosts["b"].pending = "pending\tr2\tkim\tunconfirmed\t50"

    seen = found(controller)

    assert seen["a"] == HostStatus("a", "unreachable", ("`a`: timed out",))
    assert (seen["b"].state, seen["b"].details) == ("pending", ("a change of `kim` is unconfirmed, 50 s left",))


def test_a_clock_that_is_off_by_more_than_a_minute_is_told() -> None:
    controller = applied()

    assert found(controller, at=1_700_000_000 + 60)["a"].skew == 0
    assert found(controller, at=1_700_000_000 + 3600)["a"].skew == -3600
    text = view.text(tuple(found(controller, at=1_700_000_000 - 61).values()), fold)
    assert text == (
        "in sync · 5 hosts · a,b,c,mon-[1-2]\n"
        "  release r1 of an@engineer at 3f2c1ab: done\n"
        "clock ahead by up to 61 s · 5 hosts · a,b,c,mon-[1-2]\n"
        "5 hosts: 5 in sync\n"
    )


def test_after_a_rollback_the_release_is_shown_that_is_carried() -> None:
    undone = LastApply("r2", 1_700_000_000, "kim", "-", "rollback: done")

    text = view.text([HostStatus("a", "in sync", (), undone, release="r1")], fold)

    assert text == "in sync · 1 host · a\n  release r1; last, release r2 of kim: rollback: done\n1 host: 1 in sync\n"


def test_a_hint_for_a_host_that_is_not_reached_is_shown() -> None:
    controller = applied()
    controller.fleet.hosts["a"].fault = HostError("unknown-key", "`a`: its key is not known", "add it")

    assert found(controller)["a"].details == ("`a`: its key is not known", "hint: add it")


def test_hosts_of_which_the_same_is_told_are_told_of_once() -> None:
    those = [HostStatus(f"h{number}", "drifted", (NODE,), LAST) for number in range(3)]
    many = HostStatus("z", "drifted", tuple(f"/etc/{number}\x1b" for number in range(7)))

    assert view.text([*those, many], fold) == (
        "drifted · 3 hosts · h[0-2]\n"
        f"  {NODE}\n"
        "  release r1 of an@engineer at 3f2c1ab: done\n"
        "drifted · 1 host · z\n"
        "  /etc/0\\x1b\n  /etc/1\\x1b\n  /etc/2\\x1b\n  /etc/3\\x1b\n  /etc/4\\x1b\n  and 2 more\n"
        "4 hosts: 4 drifted\n"
    )
    assert view.to_json(those[:1])["hosts"]["h0"]["last"]["at"] == "2023-11-14T22:13:20+00:00"
