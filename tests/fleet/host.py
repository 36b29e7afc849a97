"""A real systemd host on this machine: a machine of systemd-nspawn with disks, an address and an sshd of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.fleet import disk
from tests.fleet.rack import Rack, descendants, do

BOOT: Final = """
group=$1 name=$2 root=$3 net=$4
for top in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
    [ -e "$top/cgroup.procs" ] || continue
    mkdir -p "$top/$group"
    echo 0 >"$top/$group/cgroup.procs"
done
exec systemd-nspawn --quiet --register=no --keep-unit --settings=no --link-journal=no --resolv-conf=off --timezone=off \
    --directory="$root" --machine="$name" --network-namespace-path="$net" --boot
"""
"""A control group for each boot, or the systemds of two hosts would end each other's services."""

CABLE: Final = """
net=$1 port=$2 address=$3 gateway=$4 hardware=$5
touch "$net"
unshare --net="$net" true
ip link add "$port" type veth peer name host0 address "$hardware" netns "$net"
ip link set "$port" master lan up
nsenter --net="$net" sh -euc '
    ip link set lo up
    ip address add "$1/24" dev host0
    ip link set host0 up
    ip route add default via "$2"
' sh "$address" "$gateway"
"""


@dataclass
class Host:
    """A host in a rack, with its disks made; `port` is its end of the cable in the rack."""

    rack: Rack
    name: str
    address: str
    folder: Path
    port: str
    boots: int = 0
    _machine: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _leader: int = 0

    @property
    def root(self) -> Path:
        """Its root folder as the test run sees it, also while the host is off."""
        return self.rack.seen(self.folder / "root")

    @property
    def is_on(self) -> bool:
        """Whether it runs."""
        return self._machine is not None and self._machine.poll() is None

    def start(self) -> None:
        """Switch it on, without waiting for anything."""
        assert not self.is_on, f"{self.name} is on already"
        self.boots += 1
        self.plug("up")
        group = f"{self.rack.group}/{self.name}-{self.boots}"
        net = str(self.folder / "net")
        command = self.rack.entering("sh", "-euc", BOOT, "sh", group, self.name, str(self.folder / "root"), net)
        with (self.folder / "console.log").open("ab") as log:
            self._machine = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self.rack.machines.append(self._machine)

    def boot(self) -> None:
        """Switch it on, and wait until its services and its sshd run."""
        self.start()
        self.wait()

    def wait(self, seconds: float = 60) -> None:
        """Wait until it has booted: every unit that starts at boot runs or has failed."""
        assert self._machine is not None
        until = time.monotonic() + seconds
        while time.monotonic() < until and self._machine.poll() is None:
            self._leader = next(filter(_is_systemd, descendants(self._machine.pid)), 0)
            if self._leader:
                state = self.run("systemctl", "is-system-running", "--wait").stdout.strip()
                if state in {"running", "degraded"}:
                    return
            time.sleep(0.02)
        console = (self.folder / "console.log").read_text(errors="replace")
        raise TimeoutError(f"{self.name} did not come up\n{console[-2000:]}")

    def inside(self, *command: str) -> list[str]:
        """The command that runs another one inside, as root and without SSH."""
        return ["nsenter", f"--target={self._leader}", "--all", "--root", "--wd", "--", *command]

    def run(self, *command: str, stdin: str = "", timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a command inside, as root and without SSH."""
        inside = self.inside(*command)
        return subprocess.run(inside, input=stdin, capture_output=True, text=True, timeout=timeout, check=False)

    def do(self, *command: str) -> str:
        """What a command inside said; AssertionError where it fails."""
        done = self.run(*command)
        assert done.returncode == 0, f"{self.name}: {command}: {done.stderr}"
        return done.stdout

    def ssh_command(self, user: str, command: str, *options: str) -> list[str]:
        """The command that runs a shell command over SSH, with OpenSSH's client."""
        told = ["-F", "none", "-i", str(self.rack.key), "-o", f"UserKnownHostsFile={self.rack.known_hosts}"]
        told += [*options, "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "ServerAliveInterval=10"]
        return ["ssh", *told, f"{user}@{self.address}", command]

    def ssh(self, user: str, command: str, *options: str) -> subprocess.CompletedProcess[str]:
        """Run a shell command over SSH, to its end."""
        run = self.ssh_command(user, command, *options)
        return subprocess.run(run, capture_output=True, text=True, timeout=60, check=False)

    def plug(self, state: str) -> None:
        """Put its cable in (`up`) or pull it out (`down`)."""
        self.rack.do("ip", "link", "set", self.port, state)

    def kill(self) -> None:
        """Cut its power: every process is gone at once, without a word to those connected. Its disks stay."""
        assert self._machine is not None
        self.plug("down")
        for process in (*descendants(self._machine.pid), self._machine.pid):
            _kill(process)
        self._machine.wait()

    def reboot(self) -> None:
        """Restart it in order, and wait until it is up again."""
        assert self._machine is not None
        self.run("systemctl", "reboot")
        self._machine.wait(timeout=60)
        self.boot()

    def wipe(self) -> None:
        """Give it empty disks, as on the first day, and boot it."""
        if self.is_on:
            self.kill()
        disk.unmount_disks(self.rack, self.folder)
        prepare(self)
        self.boot()


def add_host(rack: Rack, name: str, number: int) -> Host:
    """Put a host into a rack, from number 2 on, with disks and a cable, switched off."""
    folder = rack.folder / name
    folder.mkdir()
    host = Host(rack, name, rack.address(number), folder, f"port{number}")
    _connect(host, f"02:00:c6:13:{rack.subnet:02x}:{number:02x}")
    public = disk.make_key(folder / "host_key")
    with rack.known_hosts.open("a") as known:
        known.write(f"{name},{host.address} {public}\n")
    prepare(host)
    return host


def _connect(host: Host, hardware: str) -> None:
    """Put in a host's cable. As behind a router, who connects to a host that is off is not told and waits."""
    rack = host.rack
    rack.do("sh", "-euc", CABLE, "sh", str(host.folder / "net"), host.port, host.address, rack.address(1), hardware)
    known = ("lladdr", hardware, "nud", "permanent")
    do("ip", "neighbour", "replace", host.address, *known, "dev", rack.link)


def prepare(host: Host) -> None:
    """Make a host's disks, with its name, keys and accounts."""
    disk.mount_disks(host.rack, host.folder)
    disk.identify(host.root, host.name, host.address)
    disk.let_in(host.root, host.folder / "host_key", host.rack.key.with_suffix(".pub").read_text())
    disk.quieten(host.root)


def wipe_all(hosts: Sequence[Host]) -> None:
    """Give hosts empty disks, and boot them, all at once."""
    with ThreadPoolExecutor(len(hosts)) as pool:
        list(pool.map(Host.wipe, hosts))


def boot_all(hosts: Sequence[Host]) -> None:
    """Boot hosts, all at once."""
    for host in hosts:
        host.start()
    with ThreadPoolExecutor(len(hosts)) as pool:
        list(pool.map(Host.wait, hosts))


def _is_systemd(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/comm").read_text() == "systemd\n"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _kill(process: int) -> None:
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return
