"""What a plan says of a real systemd host: the same as what its owner would find there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from aamic.deploy.desired import Desired, union
from aamic.deploy.diff import Policy
from aamic.deploy.explain import explain, rewritten
from aamic.deploy.fetch import fetch_old
from aamic.deploy.observe import Asking, observe
from aamic.deploy.planner import Basis, make_plan
from aamic.model.plan import Change, Impact, Plan
from aamic.model.tree import Bundle, File, OnChange
from tests.agent.transfers import Transfer, apply
from tests.fleet.console import ConsoleHosts
from tests.fleet.host import Host

NAME = "mon-01"
UNIT = "aami-node-exporter.service"
PATH, CONFIG = f"/etc/systemd/system/{UNIT}", "/etc/aami/node/x.yml"
WANTED = f"/etc/systemd/system/multi-user.target.wants/{UNIT}"
TEXT = (
    b"[Unit]\nDescription=x\n[Service]\n"
    b"ExecStart=/usr/bin/prometheus-node-exporter --collector.disable-defaults --web.listen-address=:9100\n"
    b"[Install]\nWantedBy=multi-user.target\n"
)
BUNDLE = Bundle(
    name="b",
    hosts=(NAME,),
    files=(
        File(CONFIG, b"a: 1\n", on_change=OnChange("restart", UNIT)),
        File(PATH, TEXT, on_change=OnChange("restart", UNIT)),
    ),
    services={UNIT: "started"},
    installs=({"package": "prometheus-node-exporter", "version": None},),
    secrets={},
    ports={UNIT: (9100,)},
    stage="exporters",
)
DESIRED = union((BUNDLE,))
ASKING = Asking(60, 1)


class Installed(Transfer):
    """What an apply of the bundle sends; its record names the unit that it starts."""

    def record(self) -> bytes:
        return super().record() + f"unit\t{UNIT}\tb\n".encode()


@pytest.fixture
def host(hosts: Mapping[str, Host]) -> Host:
    found = hosts[NAME]
    found.wipe()
    return found


@pytest.fixture
def console(hosts: Mapping[str, Host]) -> ConsoleHosts:
    return ConsoleHosts(hosts)


def plan(console: ConsoleHosts, desired: Desired = DESIRED) -> Plan:
    wanted = {NAME: desired}
    made = make_plan(Basis("c", "t"), wanted, observe(console, wanted, ASKING), Policy())
    return explain(made, wanted, fetch_old(console, rewritten(made, wanted), ASKING))


def changes(made: Plan) -> tuple[Change, ...]:
    assert made.unobserved == ()
    return made.groups[0].changes if made.groups else ()


def install(console: ConsoleHosts) -> None:
    lines = [f"link\t{WANTED}\t{PATH}", "daemon-reload", f"restart\t{UNIT}", f"watch\t{UNIT}\t9100"]
    assert apply(console, NAME, Installed({CONFIG: b"a: 1\n", PATH: TEXT}, lines)).state == "done"


def test_what_was_installed_needs_nothing_more(host: Host, console: ConsoleHosts) -> None:
    first = plan(console)
    install(console)

    assert [(each.action, each.name) for each in changes(first)] == [("add", CONFIG), ("add", PATH), ("add", WANTED)]
    assert changes(plan(console)) == ()
    assert host.do("systemctl", "is-active", UNIT) == "active\n"


def test_an_edit_is_seen_with_what_it_changed(host: Host, console: ConsoleHosts) -> None:
    install(console)
    host.do("sh", "-c", f"echo 'a: 2' >{CONFIG}")
    made = plan(console)

    (change,) = changes(made)
    assert (change.name, change.edited, change.impacts) == (CONFIG, True, (Impact("restart", UNIT),))
    (difference,) = made.differences.values()
    assert (difference.lines, difference.meaning) == (("@@ -1 +1 @@", "-a: 2", "+a: 1"), ("~ a: 2 -> 1",))


def test_a_unit_that_was_stopped_or_reads_an_older_file_is_seen(host: Host, console: ConsoleHosts) -> None:
    install(console)
    host.do("systemctl", "stop", UNIT)
    stopped = changes(plan(console))
    host.do("systemctl", "start", UNIT)
    host.do("sh", "-c", f"sleep 1; cp {PATH} {PATH}.new && mv {PATH}.new {PATH} && touch {PATH}")
    older = changes(plan(console))

    assert [(each.what, each.detail, each.impacts) for each in stopped] == [
        ("unit", "inactive", (Impact("start", UNIT),))
    ]
    assert [(each.what, each.impacts) for each in older] == [
        ("unit", (Impact("daemon-reload"), Impact("restart", UNIT)))
    ]


def test_a_foreign_file_a_folder_and_a_taken_port_are_told(host: Host, console: ConsoleHosts) -> None:
    host.do("sh", "-c", f"mkdir -p /etc/aami/node {PATH} && echo theirs >{CONFIG}")
    unit_only = replace(
        DESIRED, entries={PATH: DESIRED.entries[PATH]}, units={UNIT: replace(DESIRED.units[UNIT], ports=(22,))}
    )
    made = plan(console)
    host.do("rmdir", PATH)
    taken = plan(console, unit_only)

    (blocked,) = made.blocked
    assert blocked.message == f"`{CONFIG}` is not put there by aamic; `{PATH}` is neither a file nor a link"
    assert taken.notes == (f"`{UNIT}` needs port 22, which somebody listens on already: {NAME}",)
    assert taken.blocked == ()


def test_what_the_site_no_longer_wants_is_removed_and_stopped(host: Host, console: ConsoleHosts) -> None:
    install(console)
    host.do("touch", "/etc/aami/node/theirs")
    made = plan(console, union(()))

    assert [(each.action, each.name) for each in changes(made)] == [("remove", CONFIG), ("remove", PATH)]
    assert changes(made)[1].impacts == (Impact("daemon-reload"), Impact("stop", UNIT))
