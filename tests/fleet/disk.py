"""The disks of a test host: copy-on-write views of this machine's root, with accounts, keys and files of its own."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from aamic.model.tree import File
from tests.fleet.rack import Rack, do

DISKS: Final = {"/": "512M", "/var": "256M"}
"""Every disk of a host with its size. /var is one of its own, as a rename from there to /etc must not be relied on."""

MAKE: Final = """
disk=$1 size=$2 lower=$3 root=$4
shift 4
mkdir -p "$disk" "$root"
mount -t tmpfs -o "size=$size,mode=755" tmpfs "$disk"
mkdir "$disk/upper" "$disk/work"
for hidden; do mknod "$disk/upper/$hidden" c 0 0; done
mount -t overlay -o "lowerdir=$lower,upperdir=$disk/upper,workdir=$disk/work" overlay "$root"
"""

SHARED: Final = (
    "bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "libx32", "mnt", "opt", "proc", "run", "sbin", "srv", "sys",
    "tmp", "usr", "var",
)  # fmt: skip
"""The folders of / that a host has too; homes are none, so that nobody's .bashrc decides what a login does."""

QUIET: Final = (
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "console-getty.service",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "logrotate.timer",
    "man-db.timer",
    "systemd-timesyncd.service",
    "postgresql.service",
    "mariadb.service",
    "docker.service",
    "prometheus.service",
    "prometheus-alertmanager.service",
    "prometheus-node-exporter.service",
    "munge.service",
    "slurmctld.service",
    "slurmd.service",
    "slurmdbd.service",
    "slurmrestd.service",
)
"""What this machine may have installed and a test host must not start."""

ACCOUNTS: Final = {
    "deploy": (2001, "deploy ALL=(ALL:ALL) NOPASSWD: ALL\n"),
    "nosudo": (2002, "nosudo ALL=(ALL:ALL) ALL\n"),
    "stranger": (2003, ""),
}
"""Accounts beside root: may use sudo, would have to give a password for it, may not. With number and sudoers line."""

HOST_KEY: Final = "etc/ssh/ssh_host_ed25519_key"
SSHD: Final = f"""\
HostKey /{HOST_KEY}
PasswordAuthentication no
PrintLastLog no
UseDNS no
MaxStartups 200
"""
SSHD_UNIT: Final = "[Unit]\nStartLimitIntervalSec=0\n"
"""Tests restart sshd more often than systemd puts up with."""


def mount_disks(rack: Rack, folder: Path) -> None:
    """Mount the empty disks of a host below `folder`; its root is then `folder`/root."""
    for path, size in DISKS.items():
        root = folder / "root" / path.lstrip("/")
        hidden = [entry.name for entry in Path(path).iterdir() if path == "/" and entry.name not in SHARED]
        rack.do("sh", "-euc", MAKE, "sh", str(disk_folder(folder, path)), size, path, str(root), *hidden)


def unmount_disks(rack: Rack, folder: Path) -> None:
    """Throw away the disks of a host, with all that was written to them."""
    for path in reversed(DISKS):
        rack.do("umount", "--lazy", str(folder / "root" / path.lstrip("/")))
        rack.do("umount", "--lazy", str(disk_folder(folder, path)))


def disk_of(path: str) -> str:
    """The disk, / or /var, that holds a path of a host."""
    return max((disk for disk in DISKS if Path(path).is_relative_to(disk)), key=len)


def disk_folder(folder: Path, path: str) -> Path:
    """Where the disk that holds the host's `path` is mounted."""
    return folder / f"disk{disk_of(path).replace('/', '-')}"


def identify(root: Path, name: str, address: str) -> None:
    """Give a host its name and its machine-id; an empty one would become this machine's, which D-Bus has too."""
    number = uuid.uuid4().hex
    for path in ("etc/machine-id", "var/lib/dbus/machine-id"):
        (root / path).unlink(missing_ok=True)
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text(f"{number}\n")
    (root / "etc/hostname").write_text(f"{name}\n")
    (root / "etc/hosts").write_text(f"127.0.0.1 localhost\n{address} {name}\n")


def let_in(root: Path, host_key: Path, authorized: str) -> None:
    """Install a host's key, and accounts that the authorized key may log in to."""
    ssh = root / "etc/ssh"
    for key in ssh.glob("ssh_host_*"):
        key.unlink()
    (root / HOST_KEY).touch(0o600)
    (root / HOST_KEY).write_bytes(host_key.read_bytes())
    (ssh / "sshd_config.d/test.conf").write_text(SSHD)
    unit = root / "etc/systemd/system/ssh.service.d/test.conf"
    unit.parent.mkdir()
    unit.write_text(SSHD_UNIT)
    _authorize(root / "root", 0, authorized)
    for account, (number, sudoers) in ACCOUNTS.items():
        add_account(root, account, number, sudoers)
        _authorize(root / "home" / account, number, authorized)


def add_account(root: Path, name: str, number: int, sudoers: str = "") -> None:
    """Give a host that is off an account without a password."""
    lines = {
        "passwd": f"{name}:x:{number}:{number}::/home/{name}:/bin/sh\n",
        "group": f"{name}:x:{number}:\n",
        "shadow": f"{name}:*:19700:0:99999:7:::\n",
    }
    for file, line in lines.items():
        with (root / "etc" / file).open("a") as opened:
            opened.write(line)
    allowed = root / "etc/sudoers.d" / name
    allowed.write_text(sudoers)
    allowed.chmod(0o440)


def _authorize(home: Path, number: int, authorized: str) -> None:
    keys = home / ".ssh/authorized_keys"
    keys.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    keys.write_text(authorized)
    for path in (home, keys.parent, keys):
        os.chown(path, number, number)
    keys.chmod(0o600)


def install(root: Path, files: Mapping[str, File], started: Iterable[str] = (), masked: Iterable[str] = ()) -> None:
    """Put files on a host by absolute path, have units start at boot, and keep others from starting."""
    for path, file in files.items():
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        target.write_bytes(file.content)
        target.chmod(file.mode)
    units = root / "etc/systemd/system"
    for unit in masked:
        _link(units / unit, "/dev/null")
    for unit in started:
        _link(units / "multi-user.target.wants" / unit, f"/etc/systemd/system/{unit}")


def unmask(root: Path, units: Iterable[str]) -> None:
    """Have units that a host does not start by itself start at boot."""
    for unit in units:
        (root / "etc/systemd/system" / unit).unlink()
        _link(root / "etc/systemd/system/multi-user.target.wants" / unit, f"/lib/systemd/system/{unit}")


def quieten(root: Path) -> None:
    """Have only sshd start at boot, whatever this machine has installed."""
    install(root, {}, ["ssh.service"], QUIET)


def _link(path: Path, target: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def make_key(path: Path) -> str:
    """Make a key for SSH without a passphrase, and return its public half."""
    do("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path))
    return " ".join(path.with_name(f"{path.name}.pub").read_text().split()[:2])
