"""Going back when that is hard too: a host must never be taken for restored when it is not."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Thread

import pytest

from aamic.deploy import wire
from tests.agent.transfers import RELEASE, Transfer, apply, run, verb
from tests.fleet.brakes import DIE, brake, has_stopped
from tests.fleet.console import ConsoleHosts
from tests.fleet.controller import wait_until
from tests.fleet.host import Host
from tests.fleet.test_agent import EXPORTER, FIRST, NAME, PATH, STARTS, UNIT, command_line, second, unit

PROGRAM = "/usr/bin/prometheus-node-exporter"
LITTER = "find /etc -name '*aamic-new'; ls -A /var/lib/aamic/incoming /var/lib/aamic/undo 2>/dev/null"


@pytest.fixture
def host(hosts: Mapping[str, Host]) -> Host:
    hosts[NAME].wipe()
    return hosts[NAME]


@pytest.fixture
def console(host: Host) -> ConsoleHosts:
    made = ConsoleHosts({NAME: host})
    assert apply(made, NAME, FIRST) == wire.Result("done", RELEASE)
    return made


def fails_then(action: str) -> str:
    """The restart of the new release fails, just after something else happened."""
    return f"{action}; exit 1"


def broken(host: Host) -> None:
    """The exporter's program ends at once from now on."""
    program = host.root / PROGRAM[1:]
    program.rename(program.with_name("exporter.real"))
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)


def mended(host: Host) -> None:
    (host.root / "usr/bin/exporter.real").replace(host.root / PROGRAM[1:])


def test_what_cannot_be_put_back_is_told_and_tried_again(host: Host, console: ConsoleHosts) -> None:
    units = "/etc/systemd/system"
    action = fails_then(f"mount --bind {units} {units}; mount -o remount,bind,ro {units}")
    with brake(host, "/usr/bin/systemctl", "restart", 1, action):
        result = apply(console, NAME, second())
    again = verb(console, NAME, "recover")
    host.do("umount", units)
    healed = verb(console, NAME, "recover")

    assert result.state == "half"
    assert result.message.startswith("could not be put back: ")
    assert f" {PATH} " in result.message
    assert again.state == "half"
    assert healed == wire.Result("done", "r2")
    assert (host.root / PATH[1:]).read_bytes() == FIRST.files[PATH]
    assert command_line(host) == EXPORTER


def test_a_disk_that_is_full_while_going_back_loses_nothing(host: Host, console: ConsoleHosts) -> None:
    path = "/etc/aami/long.conf"
    long = Transfer({path: b"x" * 60_000}, (), "r1")
    assert apply(console, NAME, long).state == "done"
    fill = fails_then("dd if=/dev/zero of=/root/fill bs=4k 2>/dev/null")
    with brake(host, "/usr/bin/systemctl", "restart", 1, fill):
        result = apply(console, NAME, second(files={path: b"y" * 60_000, PATH: unit(EXPORTER + " --log.level=warn")}))
    host.do("rm", "/root/fill")

    assert result.state == "restored"
    assert (host.root / path[1:]).read_bytes() == b"x" * 60_000
    assert (host.root / PATH[1:]).read_bytes() == FIRST.files[PATH]


def test_a_unit_that_does_not_come_back_is_told(host: Host, console: ConsoleHosts) -> None:
    assert apply(console, NAME, second()).state == "done"
    broken(host)
    result = verb(console, NAME, "rollback", "r2", "an")
    mended(host)

    assert result.state == "half"
    assert result.message.startswith(f"all files are as they were, but {UNIT} d")
    assert (host.root / PATH[1:]).read_bytes() == FIRST.files[PATH]


def test_a_unit_that_waits_for_its_restart_is_not_stopped(host: Host, console: ConsoleHosts) -> None:
    broken(host)
    host.run("systemctl", "restart", UNIT)
    wait_until(lambda: "auto-restart" in host.run("systemctl", "show", "-P", "SubState", UNIT).stdout)
    result = apply(console, NAME, second(ready=2))
    mended(host)

    assert result.state == "restored"
    wait_until(lambda: host.run("systemctl", "is-active", UNIT).stdout == "active\n")


def test_what_was_killed_before_it_began_is_swept_away(host: Host, console: ConsoleHosts) -> None:
    with brake(host, "/usr/bin/sync", "list", 1, DIE):
        killed = apply(console, NAME, second())
    left = host.do("sh", "-c", LITTER)
    result = apply(console, NAME, second(release="r3"))

    assert killed.state == "refused"
    assert (".aamic-new" in left, "r2" in left) == (True, True)
    assert result.state == "done"
    assert host.do("sh", "-c", LITTER).split() == [
        "/var/lib/aamic/incoming:",
        "/var/lib/aamic/undo:",
        RELEASE,
        "r3",
    ]


def test_a_first_release_that_the_power_cut_off_is_undone_at_boot(host: Host) -> None:
    console = ConsoleHosts({NAME: host})
    recover = "/etc/systemd/system/aamic-recover.service"
    text = (
        "[Unit]\nConditionPathExists=/var/lib/aamic/pending\n[Service]\nType=oneshot\n"
        "ExecStart=/bin/sh /var/lib/aamic/agent recover\n[Install]\nWantedBy=multi-user.target\n"
    )
    link = f"link\t/etc/systemd/system/multi-user.target.wants/aamic-recover.service\t{recover}"
    files = {**FIRST.files, recover: text.encode()}
    first = Transfer(files, [*STARTS, link], confirm=60)
    with brake(host, "/usr/bin/mv", "-f -T", 4):
        Thread(target=lambda: run(console, NAME, "apply", RELEASE, payload=first.tar()), daemon=True).start()
        wait_until(lambda: has_stopped(host))
        host.kill()
    host.boot()
    wait_until(lambda: host.run("ls", "/var/lib/aamic/pending").returncode != 0)

    assert host.run("ls", PATH, recover, "/etc/aami").stdout == ""
    assert ".aamic-new" not in host.do("sh", "-c", LITTER)


def test_a_host_that_cannot_run_it_says_why(host: Host, console: ConsoleHosts) -> None:
    action = 'echo "Failed to connect to bus: No such file" >&2; exit 1'
    with brake(host, "/usr/bin/systemd-run", "aamic-transaction", 1, action):
        result = apply(console, NAME, second())

    assert result == wire.Result("refused", "the change did not run: Failed to connect to bus: No such file")


def test_a_release_that_came_in_between_is_not_forgotten(console: ConsoleHosts) -> None:
    assert apply(console, NAME, second()).state == "done"
    late = second(release="r3", lines=[*STARTS, f"release-before\t{RELEASE}"])

    assert apply(console, NAME, late) == wire.Result(
        "moved", f"the host has release r2 by now, and not {RELEASE}, for which this was planned"
    )
    assert apply(console, NAME, second(release="r3", lines=[*STARTS, "release-before\tr2"])).state == "done"


def test_a_torn_journal_is_continued_on_a_line_of_its_own(host: Host, console: ConsoleHosts) -> None:
    journal = host.root / "var/lib/aamic/journal"
    journal.write_text("old\n" * 2000 + "to")
    assert apply(console, NAME, second()).state == "done"
    lines = journal.read_text().splitlines()

    assert (len(lines), lines[-2]) == (1000, "to")
    assert lines[-1].split("\t")[1:3] == ["apply", "r2"]


def test_a_confirmation_can_be_asked_for_again(host: Host, console: ConsoleHosts) -> None:
    assert apply(console, NAME, second(confirm=60)).state == "done"
    answers = [verb(console, NAME, "confirm", "r2") for _ in range(2)]

    assert answers == [wire.Result("done", "r2")] * 2
    last = (host.root / "var/lib/aamic/journal").read_text().splitlines()[-1].split("\t")
    assert last[1:] == ["confirm", "r2", "an@engineer", "3f2c1ab", "p1", "done"]


def test_a_name_is_written_as_it_is(host: Host, console: ConsoleHosts) -> None:
    assert apply(console, NAME, second()).state == "done"
    assert verb(console, NAME, "rollback", "r2", "kim$HOME ${PATH}").state == "done"

    assert "\tkim_HOME _{PATH}\t" in (host.root / "var/lib/aamic/journal").read_text().splitlines()[-1]
