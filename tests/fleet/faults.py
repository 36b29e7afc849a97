"""What can happen to a running host, each as a context manager that undoes it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.fleet import disk
from tests.fleet.host import Host

DROP_IN: Final = Path("etc/ssh/sshd_config.d/fault.conf")
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
    host.rack.do("ip", "link", "set", host.port, "down")
    try:
        yield
    finally:
        host.rack.do("ip", "link", "set", host.port, "up")


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
    command = f'sleep {seconds}; exec sh -c "$SSH_ORIGINAL_COMMAND"'
    (host.root / DROP_IN).write_text(f"Match all\nForceCommand {command}\n")
    host.do("systemctl", "reload", "ssh")
    try:
        yield
    finally:
        (host.root / DROP_IN).unlink()
        host.do("systemctl", "reload", "ssh")


@contextmanager
def mute(host: Host) -> Iterator[None]:
    """The host lets connect, and its sshd says nothing."""
    host.do("systemctl", "kill", f"--signal={signal.SIGSTOP.name}", "--kill-whom=main", "ssh")
    try:
        yield
    finally:
        host.do("systemctl", "kill", f"--signal={signal.SIGCONT.name}", "--kill-whom=main", "ssh")


@contextmanager
def down(host: Host) -> Iterator[None]:
    """No sshd listens: connections are refused. Those that stand are left alone."""
    host.do("systemctl", "stop", "ssh")
    try:
        yield
    finally:
        host.do("systemctl", "start", "ssh")


@contextmanager
def wrong_host_key(host: Host) -> Iterator[None]:
    """The host shows a key that nobody knows, as one that was installed anew does, or an impostor."""
    key, kept = "/etc/ssh/ssh_host_ed25519_key", "/etc/ssh/kept_key"
    host.do("mv", key, kept)
    host.do("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
    host.do("systemctl", "restart", "ssh")
    try:
        yield
    finally:
        host.do("mv", kept, key)
        host.do("systemctl", "restart", "ssh")


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
    """Nothing can be written below a folder of the host, by root neither."""
    host.do("mount", "--bind", path, path)
    host.do("mount", "-o", "remount,bind,ro", path)
    try:
        yield
    finally:
        host.do("umount", "--lazy", path)


@contextmanager
def clock_skew(host: Host, seconds: int) -> Iterator[None]:
    """The host's `date` is this much ahead, or behind if negative.

    Hosts on one machine have one clock, so that only what asks `date` is deceived: times of files, of the journal and
    of timers are not.
    """
    date, real = host.root / "usr/bin/date", host.root / "usr/bin/date.real"
    date.rename(real)
    date.write_text(DATE.replace("SECONDS_OFF", str(seconds)))
    date.chmod(0o755)
    try:
        yield
    finally:
        real.replace(date)
