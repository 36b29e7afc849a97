from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping

import pytest

from tests.fleet.faults import (
    clock_skew,
    cut,
    down,
    full_disk,
    mute,
    narrow,
    read_only,
    slow,
    wrong_host_key,
)
from tests.fleet.host import Host

HASTE = ("-o", "ConnectTimeout=1")


@pytest.fixture
def host(hosts: Mapping[str, Host]) -> Host:
    return hosts["gpu-01"]


def answers(host: Host) -> bool:
    return host.ssh("root", "hostname", *HASTE).stdout == f"{host.name}\n"


def test_a_cut_connection_hangs_and_goes_on_when_healed(host: Host) -> None:
    command = host.ssh_command("root", "echo one; read -r line; echo $line")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as session:
        assert session.stdin is not None
        assert session.stdout is not None
        assert session.stdout.readline() == "one\n"
        with cut(host):
            session.stdin.write("two\n")
            with pytest.raises(subprocess.TimeoutExpired):
                session.wait(1)
            refused = host.ssh("root", "hostname", *HASTE)
        assert session.stdout.readline() == "two\n"

    assert (refused.returncode, "timed out" in refused.stderr) == (255, True)
    assert answers(host)


def test_a_narrow_line_takes_its_time(host: Host) -> None:
    def seconds() -> float:
        began = time.monotonic()
        sent = subprocess.run(host.ssh_command("root", "wc -c"), input=b"x" * 100_000, capture_output=True, check=True)
        assert sent.stdout == b"100000\n"
        return time.monotonic() - began

    with narrow(host, 400):
        slowly = seconds()

    assert slowly > 1.5
    assert seconds() < slowly


def test_a_slow_host_takes_input_and_gives_the_status_later(host: Host) -> None:
    began = time.monotonic()
    with slow(host, 1.5):
        done = subprocess.run(
            host.ssh_command("deploy", "cat; exit 7"), input="told", capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout) == (7, "told")
        assert time.monotonic() - began > 1.5
    began = time.monotonic()

    assert answers(host)
    assert time.monotonic() - began < 1.5


def test_a_mute_host_lets_connect_and_says_nothing(host: Host) -> None:
    with mute(host):
        silent = host.ssh("root", "hostname", *HASTE)

    assert (silent.returncode, "banner exchange" in silent.stderr) == (255, True)
    assert answers(host)


def test_a_host_without_sshd_refuses(host: Host) -> None:
    with down(host):
        refused = host.ssh("root", "hostname")

    assert (refused.returncode, "Connection refused" in refused.stderr) == (255, True)
    assert answers(host)


def test_a_wrong_host_key_is_noticed(host: Host) -> None:
    with wrong_host_key(host):
        warned = host.ssh("root", "hostname")

    assert (warned.returncode, "HOST IDENTIFICATION HAS CHANGED" in warned.stderr) == (255, True)
    assert answers(host)


@pytest.mark.parametrize(("path", "other"), [("/etc", "/var/lib"), ("/var/lib", "/etc")])
def test_a_full_disk_refuses_root_and_the_other_disk_does_not(host: Host, path: str, other: str) -> None:
    with full_disk(host, path):
        full = host.run("dd", "if=/dev/zero", f"of={path}/big", "bs=64K", "count=1")
        written = host.run("dd", "if=/dev/zero", f"of={other}/big", "bs=64K", "count=1")
    again = host.run("dd", "if=/dev/zero", f"of={path}/big", "bs=64K", "count=1")
    host.do("rm", "-f", f"{path}/big", f"{other}/big")

    assert (full.returncode, "No space left on device" in full.stderr) == (1, True)
    assert (written.returncode, again.returncode) == (0, 0)


def test_a_nearly_full_disk_has_the_room_that_was_asked_for(host: Host) -> None:
    with full_disk(host, "/", free=256):
        fits = host.run("dd", "if=/dev/zero", "of=/etc/small", "bs=64K", "count=2")
        does_not = host.run("dd", "if=/dev/zero", "of=/etc/large", "bs=64K", "count=4")
    host.do("rm", "/etc/small", "/etc/large")

    assert (fits.returncode, does_not.returncode) == (0, 1)


def test_a_read_only_folder_refuses_root(host: Host) -> None:
    host.do("mkdir", "-p", "/opt/fixed")
    with read_only(host, "/opt/fixed"):
        refused = host.ssh("deploy", "sudo -n touch /opt/fixed/file")
        beside = host.run("touch", "/opt/beside")

    assert (refused.returncode, "Read-only file system" in refused.stderr) == (1, True)
    assert beside.returncode == 0
    assert host.ssh("deploy", "sudo -n touch /opt/fixed/file").returncode == 0


def test_a_read_only_folder_is_writable_after_a_power_loss(host: Host) -> None:
    with read_only(host, "/srv"):
        host.kill()
        host.boot()
        assert host.run("touch", "/srv/file").returncode == 0

    assert host.do("findmnt", "--noheadings", "--output=TARGET", "/var") == "/var\n"


@pytest.mark.parametrize("seconds", [3600, -3600])
def test_a_skewed_clock_is_what_date_tells(host: Host, seconds: int) -> None:
    with clock_skew(host, seconds):
        told = int(host.ssh("deploy", "date +%s").stdout) - time.time()
        given = host.ssh("deploy", "date -u -d @86400 +%F; date --utc --date=@86400 +%F").stdout
        day = host.ssh("root", "date -u +%FT%TZ").stdout

    assert abs(told - seconds) < 30
    assert given == "1970-01-02\n" * 2
    assert len(day) == len("2026-01-01T00:00:00Z\n")
    assert abs(int(host.ssh("deploy", "date +%s").stdout) - time.time()) < 30
