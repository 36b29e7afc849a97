"""A real systemd host on this machine: a copy-on-write view of its own root, with an address of its own.

The host is a machine of systemd-nspawn in its own network namespace, reached over a veth pair with addresses of
198.18.0.0/15, the range for benchmarks, so that nothing leaves the machine.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from aamic.model.tree import File

NEEDED = ("systemd-nspawn", "ip", "nsenter", "mount", "prometheus")
QUIET = (
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "fstrim.timer",
    "logrotate.timer",
    "man-db.timer",
    "ssh.service",
    "postgresql.service",
    "mariadb.service",
    "docker.service",
)
"""What this machine may have installed and a test host must not start."""


def can_boot() -> bool:
    """Whether this machine can run a host: root, and the programs for it."""
    return os.geteuid() == 0 and all(shutil.which(program) for program in NEEDED)


@dataclass(frozen=True)
class Host:
    """A running host; `leader` is the process number of its systemd, seen from outside."""

    name: str
    address: str
    leader: int

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command inside, as root."""
        inside = ["nsenter", "--target", str(self.leader), "--all", "--", *command]
        return subprocess.run(inside, capture_output=True, text=True, timeout=60, check=False)


@dataclass(frozen=True)
class Setup:
    """What a host is to be: its files by absolute path, units started at boot, and units that must not start."""

    name: str
    files: Mapping[str, File]
    started: Iterable[str]
    masked: Iterable[str]


@contextmanager
def real_host(folder: Path, subnet: int, setup: Setup) -> Iterator[Host]:
    """Boot a host at 198.19.`subnet`.2; everything of it is gone afterwards."""
    with ExitStack() as stack:
        root = _root(stack, folder)
        _install(root, setup)
        namespace = _network(stack, subnet)
        machine = stack.enter_context(_machine(root, setup.name, namespace, folder / "console.log"))
        host = Host(setup.name, f"198.19.{subnet}.2", _leader(machine.pid))
        _wait_until_up(host, folder / "console.log")
        yield host


def _do(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)


def _root(stack: ExitStack, folder: Path) -> Path:
    layers, root = folder / "layers", folder / "root"
    layers.mkdir()
    root.mkdir()
    _do("mount", "-t", "tmpfs", "-o", "size=1G", "tmpfs", str(layers))
    stack.callback(_do, "umount", "--lazy", str(layers))
    (layers / "upper").mkdir()
    (layers / "work").mkdir()
    options = f"lowerdir=/,upperdir={layers}/upper,workdir={layers}/work"
    _do("mount", "-t", "overlay", "overlay", "-o", options, str(root))
    stack.callback(_do, "umount", "--lazy", str(root))
    return root


def _install(root: Path, setup: Setup) -> None:
    (root / "etc/machine-id").write_text("")
    (root / "etc/hostname").write_text(f"{setup.name}\n")
    units = root / "etc/systemd/system"
    for path, file in setup.files.items():
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.content)
        target.chmod(file.mode)
    for unit in (*QUIET, *setup.masked):
        (units / unit).unlink(missing_ok=True)
        (units / unit).symlink_to("/dev/null")
    wanted = units / "multi-user.target.wants"
    wanted.mkdir(exist_ok=True)
    for unit in setup.started:
        (wanted / unit).symlink_to(units / unit)


def _network(stack: ExitStack, subnet: int) -> str:
    namespace, link = f"aamic-{os.getpid()}-{subnet}", f"aamic{subnet}"
    _do("ip", "netns", "add", namespace)
    stack.callback(_do, "ip", "netns", "delete", namespace)
    _do("ip", "link", "add", link, "type", "veth", "peer", "name", "host0", "netns", namespace)
    stack.callback(subprocess.run, ["ip", "link", "delete", link], capture_output=True, check=False)
    _do("ip", "address", "add", f"198.19.{subnet}.1/24", "dev", link)
    _do("ip", "link", "set", link, "up")
    for command in (f"address add 198.19.{subnet}.2/24 dev host0", "link set host0 up", "link set lo up"):
        _do("ip", "-n", namespace, *command.split())
    return namespace


@contextmanager
def _machine(root: Path, name: str, namespace: str, console: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [
        "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", f"--directory={root}", f"--machine={name}",
        f"--network-namespace-path=/run/netns/{namespace}", "--boot", "--resolv-conf=off", "--timezone=off",
    ]  # fmt: skip
    with console.open("wb") as log:
        machine = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", *command],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        yield machine
    finally:
        for child in (*_children(machine.pid), machine.pid):
            os.kill(child, signal.SIGKILL)
        machine.wait()


def _children(parent: int) -> list[int]:
    listed = Path(f"/proc/{parent}/task/{parent}/children")
    return [int(child) for child in listed.read_text().split()] if listed.exists() else []


def _leader(machine: int) -> int:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        for child in _children(machine):
            if Path(f"/proc/{child}/comm").read_text().strip() == "systemd":
                return child
        time.sleep(0.05)
    raise TimeoutError("the host's systemd did not start")


def _wait_until_up(host: Host, console: Path) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if host.run("systemctl", "is-system-running").stdout.strip() in {"running", "degraded"}:
            return
        time.sleep(0.2)
    raise TimeoutError(f"the host did not come up\n{console.read_text(errors='replace')[-2000:]}")
