"""What goes wrong between here and a host, in words: who, where, what was tried, and what may help."""

from __future__ import annotations

import re
import shlex
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aamic.clients.base import Answer
from aamic.clients.knownhosts import SSH_PORT, fingerprint
from aamic.errors import HostError

_WITHOUT_RIGHTS: Final = (
    (re.compile("password is required|terminal is required|a password must be"), "sudo asks for a password"),
    (re.compile("is not in the sudoers file|may not run sudo"), "sudo does not know this user"),
    (re.compile("is not allowed to (execute|run)"), "sudo does not let this user run programs as root"),
    (re.compile("must have a tty"), "sudo wants a terminal"),
    (re.compile("account is locked|account.*expired|account validation failure"), "sudo says that the account is shut"),
    (
        re.compile("effective uid is not 0|no new privileges|must be owned by uid 0"),
        "sudo is not set up to give rights",
    ),
    (re.compile(r"sudo.*(not found|No such file)|No such file.*sudo"), "there is no sudo"),
)
"""Texts of sudo 1.8 and 1.9 in the C locale, and of shells and env that find none."""
_FAILED: Final = (1, 126, 127)
"""How sudo, and those who cannot start it, end."""


@dataclass(frozen=True)
class Target:
    """Where a login goes: a name of the site, the host that is dialled, and the names its key may be known by."""

    name: str
    host: str
    port: int
    user: str
    names: tuple[str, ...]

    @property
    def label(self) -> str:
        """Name, address and port as messages say them; what says nothing new is left out."""
        port = f" port {self.port}" if self.port != SSH_PORT else ""
        where = f"{self.host}{port}" if self.host != self.name else port.strip()
        return f"`{self.name}` ({where})" if where else f"`{self.name}`"


def unreachable(target: Target, error: BaseException, tries: int) -> HostError:
    """The host was not reached, or did not speak SSH to the end of logging in."""
    count = f", {tries} tries" if tries > 1 else ""
    return HostError("unreachable", f"{target.label} is unreachable: {_reason(error)}{count}")


def proxy_command(target: Target) -> HostError:
    """The user's configuration leads over a program of its own, which could not be watched and ended."""
    message = f"{target.label} stands behind a ProxyCommand of the OpenSSH configuration, which is not supported"
    return HostError("unreachable", message, "use `ProxyJump` there, or `ssh.gateway` in the site")


def unknown_key(target: Target, key_type: str, blob: bytes, file: Path) -> HostError:
    """Nothing is known of the host; the hint says how to add its key."""
    scan = f"ssh-keyscan -t {_scanned(key_type)} -p {target.port} {shlex.quote(target.host)}"
    return HostError(
        "unknown-key",
        f"the host key of {target.label} is not known: it shows {key_type} {fingerprint(blob)}",
        f"`{scan} >> {shlex.quote(str(file))}`, and compare its fingerprint {fingerprint(blob)} over a channel you "
        "trust, such as the host's console",
    )


def wrong_key(target: Target, key_type: str, blob: bytes, *, revoked: bool) -> HostError:
    """The host shows another key than the known one, or a revoked one: it may be somebody else."""
    what = "is revoked" if revoked else "is not the one that is known"
    return HostError(
        "wrong-key",
        f"the host key of {target.label} {what}: it shows {key_type} {fingerprint(blob)}",
        "somebody may be in between; if the host was installed anew, compare the fingerprint on its console, remove "
        f"the old key with `ssh-keygen -R {shlex.quote(_known_as(target))} -f FILE`, and add the new one",
    )


def refused(target: Target, tried: Sequence[str], accepted: Sequence[str], remark: str = "") -> HostError:
    """The host did not let the user in."""
    with_what = " and ".join(tried) if tried else "nothing, as there is no key"
    takes = f"; the host takes {plain(', '.join(sorted(accepted)))}" if accepted else ""
    return HostError(
        "refused",
        f"{target.label} refused user `{target.user}`: tried {with_what}{takes}{remark}",
        f"put the public key in ~{target.user}/.ssh/authorized_keys on the host, or set `ssh.user` and `ssh.key`",
    )


def no_programs(target: Target) -> HostError:
    """The host let the user in and does not run programs for it."""
    message = f"{target.label} does not run programs for user `{target.user}`"
    return HostError("refused", message, "look for restrictions in its sshd_config and authorized_keys")


def timed_out(target: Target, seconds: float) -> HostError:
    """The program took too long; nobody knows what it does now."""
    return HostError(
        "timeout",
        f"the program on {target.label} did not end within {seconds:g} s; it may be running still",
        "raise `ssh.command_timeout` if the host is slow",
    )


def lost(target: Target, why: str) -> HostError:
    """The program's end was not seen."""
    return HostError("lost", f"the outcome on {target.label} is unknown: {why}")


def too_much(target: Target, limit: int) -> HostError:
    """The program printed more than anything that belongs to us does."""
    return HostError("broken", f"the program on {target.label} printed more than {limit // 1024**2} MiB")


def no_right(target: Target, answer: Answer) -> HostError | None:
    """The failure that sudo tells; None where the program itself has spoken."""
    if answer.status not in _FAILED or answer.output:
        return None
    told = answer.errors.decode("utf-8", "replace")
    what = next((meaning for pattern, meaning in _WITHOUT_RIGHTS if _said(pattern, told)), None)
    if what is None:
        return None
    return HostError(
        "no-right", f"user `{target.user}` cannot become root on {target.label}: {what}", _remedy(what, target)
    )


def _said(pattern: re.Pattern[str], told: str) -> bool:
    """Whether a line of sudo, or one about it, says so."""
    return any(
        "sudo" in line.lower() or line.startswith("Sorry, user") for line in told.splitlines() if pattern.search(line)
    )


def _remedy(what: str, target: Target) -> str:
    if "terminal" in what:
        return f"add the line `Defaults:{target.user} !requiretty` with `visudo -f /etc/sudoers.d/aamic`"
    if "no sudo" in what:
        return "install sudo, or log in as root with `ssh.user`"
    line = f"{target.user} ALL=(root) NOPASSWD: ALL"
    return f"add the line `{line}` with `visudo -f /etc/sudoers.d/aamic` on the host"


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, socket.gaierror):
        return "its name does not resolve"
    if isinstance(error, EOFError):
        return "it closed the connection"
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return plain(text).strip().rstrip(".").lower() or type(error).__name__


def plain(text: str) -> str:
    """What somebody else said, short and without control characters."""
    return "".join(sign if sign.isprintable() else "?" for sign in text[:200])


def _scanned(key_type: str) -> str:
    """What ssh-keyscan calls a type: `ed25519` for `ssh-ed25519`.

    >>> [_scanned(kind) for kind in ("ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa")]
    ['ed25519', 'ecdsa', 'rsa']
    """
    return key_type.removeprefix("ssh-").partition("-")[0]


def _known_as(target: Target) -> str:
    return target.names[0] if target.port == SSH_PORT else f"[{target.names[0]}]:{target.port}"
