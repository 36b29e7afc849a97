"""What can happen to a running host, each as a context manager that undoes it.

A host may be killed, booted and rebooted meanwhile; `wipe` is for afterwards.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tests.fleet import disk
from tests.fleet.host import Host

DATE: Final = """\
#!/bin/sh
# A real `date` of another hour; a time that is given, or that of a file, is left alone.
for word; do
    case $word in -d* | --d* | -f* | --f* | -r* | --r* | -s* | --s*) exec /usr/bin/date.real "$@" ;; esac
done
exec /usr/bin/date.real --date="@$(($(/usr/bin/date.real +%s) + SECONDS_OFF))" "$@"
"""


@contextmanager
def cut(host: Host) -> Iterator[None]:
    """The cable is out: connections hang, new ones too, and nobody is told. They go on when it is in again."""
    host.plug("down")
    try:
        yield
    finally:
        host.plug("up")


@contextmanager
def isolated(host: Host) -> Iterator[None]:
    """The host reaches nobody beyond its own network, where there is no more than the controller and other hosts."""
    route = ("route", "replace", "default", "via", host.rack.address(1))
    host.do("ip", "route", "delete", "default")
    try:
        yield
    finally:
        host.do("ip", *route)


@contextmanager
def narrow(host: Host, kilobits: int) -> Iterator[None]:
    """The line to the host carries no more than this in a second, so that a transfer takes its time."""
    shape = f"tbf rate {kilobits}kbit burst 2kb latency 60s"
    host.rack.do("tc", "qdisc", "add", "dev", host.port, "root", *shape.split())
    try:
        yield
    finally:
        host.rack.do("tc", "qdisc", "delete", "dev", host.port, "root")


@contextmanager
def slow(host: Host, seconds: float) -> Iterator[None]:
    """Every command over SSH begins this much later; it reads its input and ends as usual."""
    drop_in = host.root / "etc/ssh/sshd_config.d/slow.conf"
    drop_in.write_text(f'ForceCommand sleep {seconds}; exec sh -c "$SSH_ORIGINAL_COMMAND"\n')
    _restart_sshd(host)
    try:
        yield
    finally:
        drop_in.unlink()
        _restart_sshd(host)


@contextmanager
def mute(host: Host) -> Iterator[None]:
    """The host lets connect, and its sshd says nothing. Sessions that stand go on."""
    _signal_sshd(host, "SIGSTOP")
    try:
        yield
    finally:
        _signal_sshd(host, "SIGCONT")


@contextmanager
def down(host: Host) -> Iterator[None]:
    """No sshd listens: connections are refused. Sessions that stand go on."""
    host.do("systemctl", "stop", "ssh")
    try:
        yield
    finally:
        _restart_sshd(host)


@contextmanager
def wrong_host_key(host: Host) -> Iterator[None]:
    """The host shows a key that nobody knows, as one that was installed anew does, or an impostor."""
    key = host.root / disk.HOST_KEY
    known = key.read_bytes()
    disk.make_key(host.folder / "wrong_key")
    key.write_bytes((host.folder / "wrong_key").read_bytes())
    _restart_sshd(host)
    try:
        yield
    finally:
        (host.folder / "wrong_key").unlink()
        (host.folder / "wrong_key.pub").unlink()
        key.write_bytes(known)
        _restart_sshd(host)


@contextmanager
def full_disk(host: Host, path: str = "/", free: int = 0) -> Iterator[None]:
    """The disk that holds `path`, that of / or that of /var, has `free` KiB left, for root too. What is there stays."""
    mounted = str(disk.disk_folder(host.folder, path))
    size = disk.DISKS[disk.disk_of(path)]
    used = int(host.rack.do("df", "--output=used", "--block-size=1K", mounted).split()[1])
    host.rack.do("mount", "-o", f"remount,size={max(used + free, 4)}K", mounted)
    try:
        yield
    finally:
        host.rack.do("mount", "-o", f"remount,size={size}", mounted)


@contextmanager
def read_only(host: Host, path: str) -> Iterator[None]:
    """Nothing can be written below a folder of the host, by root neither, until it boots the next time."""
    host.do("mount", "--bind", path, path)
    host.do("mount", "-o", "remount,bind,ro", path)
    boots = host.boots
    try:
        yield
    finally:
        if host.is_on and host.boots == boots:
            host.do("umount", "--lazy", path)


@contextmanager
def clock_skew(host: Host, seconds: int) -> Iterator[None]:
    """The host's `date` is this much ahead, or behind if negative.

    Hosts on one machine have one clock, so that only what asks `date` is deceived: times of files, of the journal and
    of timers are not.
    """
    date, real, false = (host.root / "usr/bin" / name for name in ("date", "date.real", "date.false"))
    false.write_text(DATE.replace("SECONDS_OFF", f"({seconds})"))
    false.chmod(0o755)
    shutil.copy2(date, real)
    false.replace(date)
    try:
        yield
    finally:
        real.replace(date)


def _restart_sshd(host: Host) -> None:
    if host.is_on:
        host.do("systemctl", "restart", "ssh")


def _signal_sshd(host: Host, name: str) -> None:
    if host.is_on:
        host.do("systemctl", "kill", f"--signal={name}", "--kill-whom=main", "ssh")
