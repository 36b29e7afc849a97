"""Hosts for the benchmark: real sshds on loopback addresses, each with a host key and a root of its own.

The roots are chroots, so systemd does not run there: stand-ins answer for it that every unit is up. What aamic says to
hosts and what they answer is what it would be; that services really restart is tested in `tests/fleet`.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
_ENDS_WITH_US: Final = ("setpriv", "--pdeathsig", "KILL", "--")
_APART: Final = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--")
_PATIENCE: Final = 120.0

_SYSTEMCTL: Final = """\
#!/bin/sh
state() { # UNIT
    if [ "$(readlink "/etc/systemd/system/$1")" = /dev/null ]; then echo masked inactive dead
    elif [ -e "/etc/systemd/system/$1" ]; then echo loaded active running
    else echo not-found inactive dead
    fi
}
show() { # UNIT...
    for unit in "$@"; do
        set -- $(state "$unit")
        printf 'LoadState=%s\\nActiveState=%s\\nSubState=%s\\nNeedDaemonReload=no\\n\\n' "$1" "$2" "$3"
    done
}
case $*/ in
*"-P MainPID"*) echo 4711 ;;
*"-P NRestarts"*) echo 0 ;;
show*) while [ "$1" != -- ]; do shift; done && shift && show "$@" ;;
is-active*) echo active ;;
esac
"""
_SYSTEMD_RUN: Final = """\
#!/bin/sh
case $* in *--on-active*) exit ;; esac
while [ "${1#-}" != "$1" ]; do shift; done
exec "$@"
"""
_DPKG_QUERY: Final = """\
#!/bin/sh
shift 2
printf 'package\\t%s\\t1.0\\tinstalled\\n' "$@"
"""
_NOTHING: Final = "#!/bin/sh\n"
STAND_INS: Final = {
    "usr/bin/systemctl": _SYSTEMCTL,
    "usr/bin/systemd-run": _SYSTEMD_RUN,
    "usr/bin/systemd-analyze": _NOTHING,
    "usr/bin/systemd-tmpfiles": _NOTHING,
    "usr/bin/systemd-sysusers": _NOTHING,
    "usr/bin/dpkg-query": _DPKG_QUERY,
    "root/.profile": "",
    "root/.bashrc": "",
}
"""Programs that need systemd, a package that is installed whatever it is called, and a shell that starts at once."""
_MOUNTS: Final = "1 1 0:1 / / rw - overlay overlay rw\n"
_SOCKETS: Final = "  sl  local_address rem_address   st\n"
_SOCKET: Final = "   0: 00000000:{port:04X} 00000000:0000 0A\n"


@dataclass(frozen=True)
class Farm:
    """Hosts that answer: `names` with their `addresses`, all on one port, and how to log in to them as root."""

    names: tuple[str, ...]
    addresses: tuple[str, ...]
    port: int
    key: Path
    known_hosts: Path
    public_keys: tuple[str, ...]
    pid: int

    def root(self, name: str) -> Path:
        """The root of a host, as it is seen from here."""
        return Path(f"/proc/{self.pid}/root/mnt/{name}/root")


def address(index: int) -> str:
    return f"127.10.{1 + index // 200}.{1 + index % 200}"


@contextmanager
def farm(folder: Path, count: int, listening: Sequence[int]) -> Iterator[Farm]:
    """So many hosts; they tell that somebody listens on these ports, which are those of their services.

    Raises:
        SystemExit: They cannot be had here.
    """
    if os.geteuid() != 0 or shutil.which("sshd", path="/usr/sbin") is None:
        raise SystemExit("needs root and /usr/sbin/sshd: hosts are chroots in a mount namespace of their own")
    names = tuple(f"host-{number + 1:03}" for number in range(count))
    addresses = tuple(map(address, range(count)))
    port = _free_port()
    _write_stand_ins(folder / "stand-ins", listening)
    keys = _write(folder, names, addresses, port)
    known = folder / "known_hosts"
    known.write_text("".join(f"[{at}]:{port} {key}\n" for at, key in zip(addresses, keys, strict=True)))
    with _running(folder) as pid:
        yield Farm(names, addresses, port, folder / "client", known, keys, pid)


def _write_stand_ins(folder: Path, listening: Sequence[int]) -> None:
    """Programs, and of /proc what is read there: the sockets of this machine are none of a host's business."""
    sockets = _SOCKETS + "".join(_SOCKET.format(port=port) for port in listening)
    files = STAND_INS | {"proc/net/tcp": sockets, "proc/self/mountinfo": _MOUNTS, "proc/uptime": ""}
    for path, text in (files | {"proc/sys/kernel/random/boot_id": ""}).items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o755)
    (folder / "root").chmod(0o700)


def _write(folder: Path, names: Sequence[str], addresses: Sequence[str], port: int) -> tuple[str, ...]:
    """All that farm.sh and sshd read; returns the public keys of the hosts."""
    for part in ("sshd", "keys"):
        (folder / part).mkdir(parents=True)
    (folder / "hosts").write_text("".join(f"{name}\n" for name in names))
    for name, at in zip(names, addresses, strict=True):
        (folder / "sshd" / name).write_text(_config(folder, name, at, port))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(_make_key, [folder / "client", *(folder / "keys" / name for name in names)]))
    return tuple(" ".join((folder / "keys" / f"{name}.pub").read_text().split()[:2]) for name in names)


def _make_key(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "bench", "-f", path], check=True)


def _config(folder: Path, name: str, at: str, port: int) -> str:
    return f"""\
ListenAddress {at}:{port}
HostKey {folder}/keys/{name}
PidFile none
UsePAM no
UseDNS no
StrictModes no
AuthorizedKeysFile {folder}/client.pub
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
ChrootDirectory /mnt/{name}/root
Subsystem sftp internal-sftp
"""


@contextmanager
def _running(folder: Path) -> Iterator[int]:
    """The farm; yields a process that sees the roots of its hosts."""
    with (folder / "farm.log").open("wb") as log:
        process = subprocess.Popen(
            [*_ENDS_WITH_US, *_APART, "sh", HERE / "farm.sh", folder],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _await(process, folder)
        yield int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])
    finally:
        process.kill()
        process.wait()


def _await(process: subprocess.Popen[bytes], folder: Path) -> None:
    until = time.monotonic() + _PATIENCE
    while not (folder / "ready").exists():
        if process.poll() is not None or time.monotonic() > until:
            raise SystemExit(f"the hosts did not come up:\n{(folder / 'farm.log').read_text()}")
        time.sleep(0.05)


def _free_port() -> int:
    with socket.create_server((address(0), 0)) as probe:
        return int(probe.getsockname()[1])
