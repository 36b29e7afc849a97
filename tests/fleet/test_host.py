from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from tests.fleet.disk import ACCOUNTS, DISKS
from tests.fleet.host import Host, add_host, wipe_all
from tests.fleet.rack import Rack, racked

ALONE = """
import sys, time
from pathlib import Path
from tests.fleet.host import add_host
from tests.fleet.rack import racked

with racked(Path(sys.argv[1])) as rack:
    add_host(rack, "alone", 2).boot()
    print(rack.warden, rack.link, rack.group, flush=True)
    sys.stdin.readline()
"""


def eventually(holds: Callable[[], bool], seconds: float = 10) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if holds():
            return True
        time.sleep(0.05)
    return False


def test_hosts_have_names_addresses_and_machine_ids_of_their_own(hosts: Mapping[str, Host], rack: Rack) -> None:
    names = {name: host.do("hostname").strip() for name, host in hosts.items()}
    numbers = {host.do("cat", "/etc/machine-id") for host in hosts.values()}
    addresses = [host.do("ip", "-4", "-o", "address", "show", "host0").split()[3] for host in hosts.values()]

    assert names == {name: name for name in ("mon-01", "gpu-01", "gpu-02")}
    assert len(numbers) == 3
    assert addresses == [f"198.19.{rack.subnet}.{number}/24" for number in (2, 3, 4)]
    assert hosts["mon-01"].run("systemctl", "--failed", "--quiet").stdout == ""


def test_hosts_reach_each_other(hosts: Mapping[str, Host], rack: Rack) -> None:
    target = hosts["gpu-02"].address
    shown = hosts["mon-01"].do("timeout", "5", "ssh-keyscan", "-t", "ed25519", target)

    assert f"gpu-02,{shown}" in rack.known_hosts.read_text().splitlines(keepends=True)


def test_root_logs_in_with_a_key_known_before(hosts: Mapping[str, Host]) -> None:
    told = {name: host.ssh("root", "hostname; id -u").stdout for name, host in hosts.items()}

    assert told == {name: f"{name}\n0\n" for name in hosts}


@pytest.mark.parametrize(
    ("user", "status", "output", "errors"),
    [
        ("deploy", 0, "root\n", ""),
        ("nosudo", 1, "", "sudo: a password is required\n"),
        ("stranger", 1, "", "sudo: a password is required\n"),
    ],
)
def test_who_may_use_sudo(hosts: Mapping[str, Host], user: str, status: int, output: str, errors: str) -> None:
    host = hosts["mon-01"]
    done = host.ssh(user, "sudo -n id -un")

    assert (done.returncode, done.stdout, done.stderr) == (status, output, errors)
    assert host.ssh(user, "id -un; pwd").stdout == f"{user}\n/home/{user}\n"


def test_sudo_lets_nosudo_with_a_password_and_stranger_never(hosts: Mapping[str, Host]) -> None:
    may = {user: "may run" in hosts["mon-01"].do("sudo", "-l", "-U", user) for user in ACCOUNTS}

    assert may == {"deploy": True, "nosudo": True, "stranger": False}


def test_a_timer_fires_on_time(hosts: Mapping[str, Host]) -> None:
    host = hosts["gpu-01"]
    host.do("systemd-run", "--on-active=1", "--timer-property=AccuracySec=100ms", "touch", "/run/fired")

    assert host.run("test", "-e", "/run/fired").returncode == 1
    assert eventually(lambda: host.run("test", "-e", "/run/fired").returncode == 0)


def test_the_machine_below_does_not_see_what_a_host_writes(hosts: Mapping[str, Host]) -> None:
    hosts["mon-01"].do("touch", "/etc/of-the-host", "/var/lib/of-the-host")

    assert [path for path in ("/etc/of-the-host", "/var/lib/of-the-host") if Path(path).exists()] == []
    assert hosts["gpu-01"].run("test", "-e", "/etc/of-the-host").returncode == 1
    assert (hosts["mon-01"].root / "etc/of-the-host").exists()


def test_homes_are_empty(hosts: Mapping[str, Host]) -> None:
    homes = hosts["gpu-01"].do("ls", "-A", "/root", *(f"/home/{user}" for user in ACCOUNTS)).split()

    assert [name for name in homes if not name.endswith(":")] == [".ssh"] * 4


def test_disks_are_separate(hosts: Mapping[str, Host]) -> None:
    numbers = {hosts["mon-01"].do("stat", "-c", "%d", disk) for disk in DISKS}

    assert len(numbers) == len(DISKS)


@pytest.mark.parametrize("again", ["kill", "reboot"])
def test_disks_outlive_a_boot_and_the_rest_does_not(hosts: Mapping[str, Host], again: str) -> None:
    host = hosts["gpu-02"]
    host.do("sh", "-c", "echo kept > /etc/kept; echo kept > /var/kept; touch /run/lost")
    before = host.do("cat", "/proc/sys/kernel/random/boot_id", "/etc/machine-id").split()[1]
    if again == "kill":
        host.kill()
        assert not host.is_on
        host.boot()
    else:
        host.reboot()

    assert host.do("cat", "/etc/kept", "/var/kept", "/etc/machine-id").split() == ["kept", "kept", before]
    assert host.run("test", "-e", "/run/lost").returncode == 1
    assert host.ssh("root", "hostname").stdout == "gpu-02\n"


def test_a_wiped_host_is_as_on_its_first_day(hosts: Mapping[str, Host]) -> None:
    changed = (hosts["gpu-01"], hosts["gpu-02"])
    for host in changed:
        host.do("touch", "/etc/changed", "/var/changed")
    changed[1].kill()
    wipe_all(changed)

    assert [host.run("ls", "/etc/changed", "/var/changed").stdout for host in changed] == ["", ""]
    assert [host.ssh("root", "hostname").stdout for host in changed] == ["gpu-01\n", "gpu-02\n"]


def test_a_killed_host_leaves_who_is_connected_waiting(hosts: Mapping[str, Host]) -> None:
    host = hosts["gpu-02"]
    options = ["-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=1"]
    with subprocess.Popen(
        host.ssh_command("root", "echo on; sleep 60", *options),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as connected:
        assert connected.stdout is not None
        assert connected.stdout.readline() == "on\n"
        host.kill()
        began = time.monotonic()
        _, errors = connected.communicate(timeout=30)
    host.boot()

    assert time.monotonic() - began > 0.8
    assert "not responding" in errors


def test_a_site_logs_in_with_the_rack_s_key(rack: Rack) -> None:
    ssh = yaml.safe_load(rack.site_ssh("deploy", retry={"max_attempts": 1}))["ssh"]

    assert (ssh["user"], ssh["retry"]) == ("deploy", {"max_attempts": 1})
    assert {Path(ssh[name]).exists() for name in ("key", "known_hosts")} == {True}


def test_two_racks_at_once_do_not_meet(hosts: Mapping[str, Host], rack: Rack, tmp_path: Path) -> None:
    with racked(tmp_path) as other:
        twin = add_host(other, "mon-01", 2)
        twin.boot()
        for host in (hosts["mon-01"], twin):
            host.do("systemd-run", "--unit=same", "sleep", "60")
        twin.do("systemctl", "stop", "same")
        told = [host.run("systemctl", "is-active", "same").stdout for host in (hosts["mon-01"], twin)]
        hosts["mon-01"].do("systemctl", "stop", "same")
        reached = hosts["mon-01"].run("timeout", "1", "ssh-keyscan", "-t", "ed25519", twin.address).stdout

    assert other.subnet != rack.subnet
    assert (told, reached) == (["active\n", "inactive\n"], "")


def test_a_rack_takes_everything_with_it(tmp_path: Path) -> None:
    with racked(tmp_path) as made:
        host = add_host(made, "alone", 2)
        host.boot()
        assert left_of(made.warden, made.link, made.group, tmp_path) == {"process", "link", "group"}

    assert left_of(made.warden, made.link, made.group, tmp_path) == set()
    assert not host.is_on


def test_a_killed_test_run_leaves_nothing(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ALONE, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        warden, link, group = run.stdout.readline().split()
        assert left_of(int(warden), link, group, tmp_path) == {"process", "link", "group"}
        os.kill(run.pid, signal.SIGKILL)

    assert eventually(lambda: left_of(int(warden), link, group, tmp_path) == set())


def left_of(warden: int, link: str, group: str, folder: Path) -> set[str]:
    """What of a rack is still there."""
    left = {
        "process": Path(f"/proc/{warden}").exists() or any(str(folder) in told for told in command_lines()),
        "mount": str(folder) in Path("/proc/self/mountinfo").read_text(),
        "link": Path(f"/sys/class/net/{link}").exists(),
        "group": any(Path("/sys/fs/cgroup").glob(f"**/{group}")),
    }
    return {name for name, there in left.items() if there}


def command_lines() -> Iterator[str]:
    for listed in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # a process that has ended meanwhile
            yield listed.read_text(errors="replace")
