"""Where test hosts stand: their disks, their network and their processes, all of which end with the test run.

Everything lives in namespaces of one process, the warden: mounts, links and processes. It reads a pipe that only the
test run holds, so that it ends when the run does, even by SIGKILL, and the kernel ends with it whatever it held.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

NEEDED: Final = ("systemd-nspawn", "ip", "tc", "nsenter", "unshare", "mount", "ssh", "ssh-keygen", "sudo", "sshd")

WARDEN: Final = """
mount -t tmpfs tmpfs /run
ip link add lan type bridge
ip link set lan up
echo ready
exec cat >/dev/null
"""
"""The first process of the namespaces. /run is its own, as systemd-nspawn leaves folders there."""

PRIVATE: Final = """
mount --make-rprivate / 2>/dev/null || {
    mount --rbind / "$2"
    mount --make-rprivate "$2"
    cd "$2"
    exec chroot . sh -euc "$1"
}
exec sh -euc "$1"
"""
"""Where / is no mount, as in a plain chroot, it becomes one: systemd-nspawn insists."""

OUTER: Final = """
unshare --mount --net --pid --fork --kill-child --mount-proc --propagation unchanged sh -euc "$1" sh "$2" "$3"
for top in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
    [ ! -d "$top/$4" ] || find "$top/$4" -depth -type d -exec rmdir {} +
done
"""
"""Control groups outlive their processes, so that they are removed when the last process has gone."""


def can_boot() -> bool:
    """Whether this machine can run a host: root, and the programs for it."""
    return os.geteuid() == 0 and all(shutil.which(program) for program in NEEDED)


def do(*command: str) -> str:
    """What a command said; AssertionError with its message where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def descendants(parent: int) -> Iterator[int]:
    """The processes below a process, nearest first."""
    try:
        listed = Path(f"/proc/{parent}/task/{parent}/children").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return
    children = [int(child) for child in listed.split()]
    yield from children
    for child in children:
        yield from descendants(child)


@dataclass(frozen=True)
class Rack:
    """The namespaces of a test run's hosts, whose network is 198.19.`subnet`.0/24; the test run has its address 1.

    `key` is the private key that every account of every host lets in; `machines` are the hosts ever switched on.
    """

    folder: Path
    warden: int
    subnet: int
    group: str
    key: Path
    machines: list[subprocess.Popen[bytes]] = field(default_factory=list, repr=False)

    @property
    def link(self) -> str:
        """The test run's end of the cable to the rack."""
        return f"aamic{self.subnet}"

    def address(self, number: int) -> str:
        """The address of the host with this number, from 2 on."""
        return f"198.19.{self.subnet}.{number}"

    def entering(self, *command: str) -> list[str]:
        """The command that runs a command in the rack, beside its hosts."""
        namespaces = ("--mount", "--net", "--pid", "--root", "--wd")
        return ["nsenter", f"--target={self.warden}", *namespaces, "--", *command]

    def do(self, *command: str) -> str:
        """What a command in the rack said; AssertionError where it fails."""
        return do(*self.entering(*command))

    def seen(self, path: Path) -> Path:
        """Where the test run sees a path of the rack."""
        return Path(f"/proc/{self.warden}/root{path}")

    @property
    def known_hosts(self) -> Path:
        """The file with the key of every host, by name and address."""
        return self.folder / "known_hosts"

    def site_ssh(self, user: str = "root", **more: object) -> str:
        """The `ssh` of a site as a line of YAML, so that this machine's own agent and configuration do not matter."""
        told = {"user": user, "key": str(self.key), "known_hosts": str(self.known_hosts)}
        return f"ssh: {json.dumps({**told, 'agent': False, 'config': False, **more})}\n"


@contextmanager
def racked(folder: Path) -> Iterator[Rack]:
    """An empty rack; it and all that stands in it are gone afterwards."""
    folder = folder.resolve()
    group = f"aamic-{os.getpid()}-{time.monotonic_ns()}"
    machines: list[subprocess.Popen[bytes]] = []
    with ExitStack() as stack:
        stack.callback(_wait_for, machines)
        warden = stack.enter_context(_warden(folder, group))
        subnet = stack.enter_context(_network(warden))
        do("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "controller", "-f", str(folder / "controller"))
        yield Rack(folder, warden, subnet, group, folder / "controller", machines)


def _wait_for(machines: Iterable[subprocess.Popen[bytes]]) -> None:
    for machine in machines:
        machine.wait()


@contextmanager
def _warden(folder: Path, group: str) -> Iterator[int]:
    (folder / "base").mkdir()
    command = ["sh", "-c", OUTER, "sh", PRIVATE, WARDEN, str(folder / "base"), group]
    outer = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    assert outer.stdin is not None
    assert outer.stdout is not None
    try:
        assert outer.stdout.readline() == b"ready\n"
        *_, warden = descendants(outer.pid)
        yield warden
    finally:
        outer.stdin.close()
        outer.wait()
        outer.stdout.close()


@contextmanager
def _network(warden: int) -> Iterator[int]:
    """Connect the rack to this machine by a free subnet; the name of the link is what reserves it."""
    inside = ["nsenter", f"--target={warden}", "--net", "--"]
    for tried in range(250):
        subnet = (os.getpid() + tried) % 250 + 1
        link = f"aamic{subnet}"
        add = ["ip", "link", "add", link, "type", "veth", "peer", "name", "uplink", "netns", str(warden)]
        if subprocess.run(add, capture_output=True, check=False).returncode == 0:
            break
    else:
        raise AssertionError("no subnet of 198.19.0.0/16 is free")
    try:
        do("ip", "address", "add", f"198.19.{subnet}.1/24", "dev", link)
        do("ip", "link", "set", link, "up")
        do(*inside, "ip", "link", "set", "uplink", "master", "lan", "up")
        yield subnet
    finally:
        do("ip", "link", "delete", link)
