"""The program of a host on a real systemd: units, validators, the restoring timer, the lock."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping
from threading import Thread

import pytest

from aamic.deploy import wire
from aamic.model.host import Observation
from tests.agent.transfers import RELEASE, Transfer, apply, run, verb
from tests.fleet.console import ConsoleHosts
from tests.fleet.host import Host

NAME = "mon-01"
UNIT = "aami-node-exporter.service"
PATH = f"/etc/systemd/system/{UNIT}"
WANTED = f"/etc/systemd/system/multi-user.target.wants/{UNIT}"
EXPORTER = "/usr/bin/prometheus-node-exporter --collector.disable-defaults --web.listen-address=:9100"


def unit(command: str) -> bytes:
    return f"[Unit]\nDescription=x\n[Service]\nExecStart={command}\nRestart=on-failure\nRestartSec=5s\n".encode()


STARTS = [
    f"link\t{WANTED}\t{PATH}", f"check\tunit\t{PATH}", "daemon-reload", f"restart\t{UNIT}", f"watch\t{UNIT}\t9100",
]  # fmt: skip
FIRST = Transfer({PATH: unit(EXPORTER), "/etc/aami/x.conf": b"one\n"}, STARTS)


def second(**changes: object) -> Transfer:
    wanted: dict[str, object] = {
        "files": {PATH: unit(EXPORTER + " --log.level=warn")},
        "lines": STARTS,
        "release": "r2",
    }
    return Transfer(**(wanted | changes))  # type: ignore[arg-type]


@pytest.fixture
def host(hosts: Mapping[str, Host]) -> Host:
    found = hosts[NAME]
    found.wipe()
    return found


@pytest.fixture
def console(hosts: Mapping[str, Host]) -> ConsoleHosts:
    return ConsoleHosts(hosts)


def observe(console: ConsoleHosts, *paths: str) -> Observation:
    request = wire.Request(paths, (UNIT, "none.service"), ("prometheus", "no-such-package"))
    return wire.observation(NAME, run(console, NAME, "observe", payload=request.encode()), request)


def command_line(host: Host) -> str:
    pid = host.run("systemctl", "show", "-P", "MainPID", UNIT).stdout.strip()
    return host.run("cat", f"/proc/{pid}/cmdline").stdout.replace("\0", " ").strip()


def test_a_host_is_observed(host: Host, console: ConsoleHosts) -> None:
    seen = observe(console, PATH, "/etc/passwd", "/etc")

    assert [seen.entries[path].kind for path in (PATH, "/etc/passwd", "/etc")] == ["absent", "file", "folder"]
    assert (seen.entries["/etc/passwd"].mode, seen.entries["/etc/passwd"].owner) == ("0644", "root")
    assert {name: state.load for name, state in seen.units.items()} == {UNIT: "not-found", "none.service": "not-found"}
    assert set(seen.packages) == {"prometheus"}
    assert 22 in seen.ports
    assert (seen.release, seen.pending, seen.last) == (None, None, None)
    assert abs(seen.clock - time.time()) < 5
    assert host.run("ls", "/var/lib/aamic").returncode != 0


def test_a_service_is_installed_and_confirmed(host: Host, console: ConsoleHosts) -> None:
    result = apply(console, NAME, Transfer(FIRST.files, FIRST.lines, confirm=60))
    waiting = observe(console, PATH)
    confirmed = verb(console, NAME, "confirm", RELEASE)
    seen = observe(console, PATH)

    assert result == wire.Result("done", RELEASE)
    assert waiting.pending is not None
    assert (waiting.pending.state, waiting.pending.release, waiting.pending.who) == (
        "unconfirmed",
        RELEASE,
        "an@engineer",
    )
    assert 30 < waiting.pending.seconds <= 60
    assert confirmed == wire.Result("done", RELEASE)
    assert (seen.pending, seen.units[UNIT].active, 9100 in seen.ports) == (None, "active", True)
    assert "aamic-confirm" not in host.do("systemctl", "list-units", "--all", "aamic*")
    assert host.do("systemctl", "is-enabled", UNIT) == "enabled\n"
    assert verb(console, NAME, "confirm", "r0").state == "gone"


def test_what_is_not_confirmed_is_restored(host: Host, console: ConsoleHosts) -> None:
    assert apply(console, NAME, FIRST) == wire.Result("done", RELEASE)
    assert apply(console, NAME, second(confirm=6)) == wire.Result("done", "r2")
    assert "--log.level=warn" in command_line(host)
    until = time.monotonic() + 20
    while observe(console).pending is not None:
        assert time.monotonic() < until
        time.sleep(0.3)

    assert command_line(host) == EXPORTER
    seen = observe(console, PATH)
    assert seen.release is not None
    assert seen.release.name == RELEASE
    assert seen.last is not None
    assert (seen.last.release, seen.last.result) == ("r2", "restore: not confirmed")


def test_a_unit_that_systemd_refuses_never_runs(host: Host, console: ConsoleHosts) -> None:
    assert apply(console, NAME, FIRST) == wire.Result("done", RELEASE)
    before = host.do("systemctl", "show", "-P", "MainPID", UNIT)
    result = apply(console, NAME, second(files={PATH: unit("/usr/bin/no-such-program")}))

    assert (result.state, "systemd refuses aami-node-exporter.service" in result.message) == ("restored", True)
    assert command_line(host) == EXPORTER
    assert before  # it was restarted at most once, and runs


def test_a_config_that_promtool_refuses_is_restored(host: Host, console: ConsoleHosts) -> None:
    path = "/etc/aami/p/prometheus.yml"
    good = Transfer({path: b"global: {}\n"}, [f"check\tprometheus\t{path}"])
    assert apply(console, NAME, good).state == "done"
    bad = Transfer({path: b"global: {scrape_intervall: 15s}\n"}, [f"check\tprometheus\t{path}"], "r2")
    result = apply(console, NAME, bad)

    assert result.state == "restored"
    assert f"promtool refuses {path}" in result.message
    assert "scrape_intervall" in result.message
    assert host.do("cat", path) == "global: {}\n"


def test_a_unit_that_dies_after_three_seconds_is_restored(host: Host, console: ConsoleHosts) -> None:
    assert apply(console, NAME, FIRST) == wire.Result("done", RELEASE)
    dying = unit(f'/bin/sh -c "{EXPORTER} & sleep 3; kill $!; exit 1"')
    result = apply(console, NAME, second(files={PATH: dying}, settle=6))

    assert result.state == "restored"
    assert f"{UNIT} did not stay up for 6 seconds" in result.message
    assert command_line(host) == EXPORTER


def test_a_unit_that_never_listens_is_restored(host: Host, console: ConsoleHosts) -> None:
    assert apply(console, NAME, FIRST) == wire.Result("done", RELEASE)
    result = apply(console, NAME, second(files={PATH: unit("/bin/sleep infinity")}, ready=2))

    assert result.state == "restored"
    assert f"{UNIT} did not listen on port 9100 within 2 seconds" in result.message
    assert command_line(host) == EXPORTER


def test_a_removed_unit_is_stopped_and_comes_back_with_a_rollback(host: Host, console: ConsoleHosts) -> None:
    assert apply(console, NAME, FIRST) == wire.Result("done", RELEASE)
    gone = Transfer({}, [f"drop\t{PATH}", f"drop\t{WANTED}", f"stop\t{UNIT}", "daemon-reload"], "r2")
    assert apply(console, NAME, gone).state == "done"
    assert observe(console, PATH).units[UNIT].load == "not-found"
    assert verb(console, NAME, "rollback", "r2", "an").state == "done"

    assert observe(console, PATH).units[UNIT].active == "active"
    assert host.do("systemctl", "is-enabled", UNIT) == "enabled\n"


@pytest.mark.usefixtures("host")
def test_two_changes_at_once_do_not_interleave(console: ConsoleHosts) -> None:
    assert apply(console, NAME, FIRST) == wire.Result("done", RELEASE)
    results: dict[str, wire.Result] = {}

    def change(release: str) -> None:
        results[release] = apply(console, NAME, second(release=release, settle=3))

    threads = [Thread(target=change, args=(release,)) for release in ("r2", "r3")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(result.state for result in results.values()) == ["busy", "done"]
    seen = observe(console, PATH)
    assert seen.release is not None
    assert results[seen.release.name].state == "done"


def test_a_transaction_outlives_its_connection(host: Host, console: ConsoleHosts) -> None:
    assert apply(console, NAME, FIRST) == wire.Result("done", RELEASE)
    transfer = second(settle=3)
    sending = subprocess.Popen(host.inside(*wire.command("apply", "r2")), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert sending.stdin is not None
    sending.stdin.write(wire.program("apply") + transfer.tar())
    sending.stdin.flush()
    time.sleep(2)
    assert observe(console).pending is not None
    sending.kill()
    sending.communicate()
    until = time.monotonic() + 20
    while observe(console).pending is not None:
        assert time.monotonic() < until
        time.sleep(0.3)

    seen = observe(console, PATH)
    assert seen.release is not None
    assert (seen.release.name, seen.last and seen.last.result) == ("r2", "done")


def test_a_power_cut_in_the_middle_is_undone(host: Host, console: ConsoleHosts) -> None:
    assert apply(console, NAME, FIRST) == wire.Result("done", RELEASE)
    Thread(target=lambda: run(console, NAME, "apply", "r2", payload=second(settle=30).tar()), daemon=True).start()
    time.sleep(2)
    assert "--log.level=warn" in command_line(host)
    host.kill()
    host.boot()
    seen = observe(console, PATH)
    assert seen.pending is not None
    assert (seen.pending.state, seen.pending.seconds) == ("changing", 0)
    assert verb(console, NAME, "recover").state == "done"

    assert command_line(host) == EXPORTER
    assert observe(console).pending is None


def test_a_mask_keeps_the_unit_of_a_package_from_running(host: Host, console: ConsoleHosts) -> None:
    host.do("systemctl", "unmask", "prometheus-node-exporter")
    host.do("systemctl", "start", "prometheus-node-exporter")
    mask = "/etc/systemd/system/prometheus-node-exporter.service"
    lines = [f"link\t{mask}\t/dev/null", "stop\tprometheus-node-exporter.service", "daemon-reload"]
    assert apply(console, NAME, Transfer({}, lines)).state == "done"
    assert host.run("systemctl", "is-active", "prometheus-node-exporter").stdout == "inactive\n"
    assert host.run("systemctl", "is-enabled", "prometheus-node-exporter").stdout == "masked\n"
    assert verb(console, NAME, "rollback", RELEASE, "an").state == "done"

    assert host.run("systemctl", "is-active", "prometheus-node-exporter").stdout == "active\n"
