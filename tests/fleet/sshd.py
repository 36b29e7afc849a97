"""A real sshd on a loopback address, with keys of its own; gone at the end with all its sessions."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
USER = "root"
"""Who can log in."""
_ENDS_WITH_US = ("setpriv", "--pdeathsig", "KILL", "--", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--")
"""Whatever sessions started ends with sshd, as it is the first process of a PID namespace."""
_WITH_FILES_OF_ITS_OWN = """
cd "$1"
for file in passwd shadow sudoers.d; do
    [ ! -e "/etc/$file" ] || mount --bind "$1/$file" "/etc/$file" || exit 1
done
shift; exec "$@"
"""
"""Users for sshd alone: in its mount namespace, other files lie over those of the machine.

Root too has another home and shell there: start-up files of the machine's own take time, and locks that outlive a kill.
"""


def can_serve() -> bool:
    """Whether sshd is installed, and may run here in a namespace of its own."""
    if SSHD is None or os.geteuid() != 0:
        return False
    tried = subprocess.run([*_ENDS_WITH_US, "true"], stderr=subprocess.DEVNULL, check=False)
    return tried.returncode == 0


@dataclass(frozen=True)
class Sshd:
    """A running sshd. `folder` has its log, host keys, `authorized_keys` and `client`, a private key that it takes."""

    address: str
    port: int
    folder: Path
    pid: int

    @property
    def key(self) -> Path:
        return self.folder / "client"

    def public(self, kind: str = "ed25519") -> str:
        """The type and text of a host key, as known_hosts has them."""
        return " ".join((self.folder / f"host_{kind}.pub").read_text().split()[:2])

    def line(self, name: str | None = None, kind: str = "ed25519") -> str:
        """A line of known_hosts for this server, or for another name."""
        return f"{name or f'[{self.address}]:{self.port}'} {self.public(kind)}\n"

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def logins(self) -> int:
        """How often somebody logged in."""
        return self.log().count("Accepted publickey")

    def kill_sessions(self) -> int:
        """Kill every open session as a crash would; returns how many there were."""
        return self._signal(signal.SIGKILL)

    def stop_sessions(self) -> int:
        """Let every open session fall silent, as a network that drops everything would; returns how many there were."""
        return self._signal(signal.SIGSTOP)

    def _signal(self, number: signal.Signals) -> int:
        (server,) = _children(self.pid)
        # The orphans of programs that were given up are its children too.
        sessions = [each for each in _children(server) if _is_session(each)]
        for each in (*(below for session in sessions for below in _children(session)), *sessions):
            with suppress(ProcessLookupError):
                os.kill(each, number)
        return len(sessions)


def _is_session(process: int) -> bool:
    """Whether a process is a session; one that has just ended is none."""
    try:
        return Path(f"/proc/{process}/comm").read_text() == "sshd\n"
    except (FileNotFoundError, ProcessLookupError):
        return False


@contextmanager
def sshd(
    folder: Path,
    address: str = "127.0.0.1",
    config: str = "",
    kinds: Sequence[str] = ("ed25519",),
    users: Mapping[str, str] | None = None,
) -> Iterator[Sshd]:
    """Start sshd with one host key of each kind; `config` goes before its own settings, so that it wins.

    `users` are further users that only this sshd knows, each with what sudo's configuration says of it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = _free_port(address)
    for kind in kinds:
        make_key(folder / f"host_{kind}", kind)
    make_key(folder / "client")
    shutil.copy(folder / "client.pub", folder / "authorized_keys")
    (folder / "config").write_text(config + _config(folder, address, port, kinds))
    Path("/run/sshd").mkdir(exist_ok=True)
    command = [str(SSHD), "-D", "-e", "-f", str(folder / "config")]
    _write_users(folder, users or {})
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [*_ENDS_WITH_US, "sh", "-c", _WITH_FILES_OF_ITS_OWN, "sh", str(folder), *command],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        _wait_until_up(server, address, port, folder / "log")
        yield Sshd(address, port, folder, server.pid)
    finally:
        server.kill()
        server.wait()


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "") -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", path.name, "-f", path], check=True)
    return path


def _write_users(folder: Path, users: Mapping[str, str]) -> None:
    new = enumerate(users, start=61_000)
    passwd = "".join(f"{user}:x:{number}:65534::/:/bin/sh\n" for number, user in new)
    others = Path("/etc/passwd").read_text().partition("\n")[2]
    (folder / "passwd").write_text(f"root:x:0:0::{folder}:/bin/sh\n{others}{passwd}")
    shadow = Path("/etc/shadow").read_text() + "".join(f"{user}:*:19000:0:99999:7:::\n" for user in users)
    (folder / "shadow").touch(0o600)
    (folder / "shadow").write_text(shadow)
    (folder / "sudoers.d").mkdir()
    for user, rule in users.items():
        (folder / "sudoers.d" / user).write_text(rule)
        (folder / "sudoers.d" / user).chmod(0o440)


def _config(folder: Path, address: str, port: int, kinds: Sequence[str]) -> str:
    keys = "\n".join(f"HostKey {folder}/host_{kind}" for kind in kinds)
    return f"""\
ListenAddress {address}:{port}
{keys}
PidFile none
UsePAM no
StrictModes no
AuthorizedKeysFile {folder}/authorized_keys
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
PrintMotd no
UseDNS no
MaxStartups 200
LogLevel VERBOSE
"""


def _free_port(address: str) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_up(server: subprocess.Popen[bytes], address: str, port: int, log: Path) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex((address, port)) == 0:
                return
        assert server.poll() is None, log.read_text()
        time.sleep(0.02)
    raise AssertionError(log.read_text())


def _children(parent: int) -> list[int]:
    """Its children; none of a process that has just ended."""
    try:
        return [int(child) for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []
