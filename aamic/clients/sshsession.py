"""A session with a host: how it is dialled, what is agreed on, whose key it shows, and who logs in."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from paramiko import PKey, SSHException, Transport

from aamic.clients.knownhosts import KnownHosts, Verdict
from aamic.clients.sshfaults import Target, unknown_key, wrong_key
from aamic.clients.sshkeys import Keys

logging.getLogger("paramiko").setLevel(logging.CRITICAL + 1)  # its threads would print tracebacks of what we tell

_CIPHERS: Final = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes192-ctr", "aes256-ctr")
"""In order of preference; paramiko checks the MACs that the others need in Python."""
_IDLE_POLL: Final = 2.0
"""Seconds after which the thread of a connection looks around; paramiko's own 0.1 s add up over many connections."""
_KEEPALIVE: Final = (
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, getattr(socket, "TCP_KEEPIDLE", 0), 15),
    (socket.IPPROTO_TCP, getattr(socket, "TCP_KEEPINTVL", 0), 10),
    (socket.IPPROTO_TCP, getattr(socket, "TCP_KEEPCNT", 0), 3),
    (socket.IPPROTO_TCP, getattr(socket, "TCP_USER_TIMEOUT", 0), 45_000),
)
"""A host that vanished is noticed in 45 s, by the kernel."""


@dataclass
class Session:
    """An open connection and where it leads."""

    connection: Any
    target: Target

    @property
    def transport(self) -> Transport | None:
        """The connection's transport; None when it is closed."""
        return self.connection.transport if self.connection.is_connected else None

    def open(self) -> None:
        """Connect, verify the host and log in."""
        self.connection.open()
        self.connection.transport.sock.settimeout(_IDLE_POLL)

    def close(self) -> None:
        """Close it at once: a thread that reads is not woken by closing alone."""
        transport = self.connection.client.get_transport()
        if transport is not None:
            with suppress(OSError, AttributeError):
                transport.sock.shutdown(socket.SHUT_RDWR)
            transport.close()


class _Quiet(Transport):  # type: ignore[misc]  # paramiko has no types
    """A transport whose thread ends in silence when the jump host below it is gone: its callers are told anyway."""

    def run(self) -> None:
        with suppress(EOFError, OSError, SSHException):
            super().run()


class _Verify:
    """Judges the key of a host; paramiko's own known keys stay empty, so that it asks here each time."""

    def __init__(self, known: KnownHosts, target: Target, file: Path) -> None:
        self._known, self._target, self._file = known, target, file

    def missing_host_key(self, client: Any, hostname: str, key: PKey) -> None:  # noqa: ARG002  # paramiko's signature
        blob = key.asbytes()
        verdict = self._known.verdict(self._target.names, self._target.port, blob)
        if verdict == Verdict.UNKNOWN:
            raise unknown_key(self._target, key.get_name(), blob, self._file)
        if verdict != Verdict.KNOWN:
            raise wrong_key(self._target, key.get_name(), blob, revoked=verdict == Verdict.REVOKED)


@dataclass(frozen=True)
class _Login:
    """What paramiko calls an authentication strategy."""

    keys: Keys
    target: Target
    configured: tuple[str, ...]

    def authenticate(self, transport: Transport) -> None:
        self.keys.login(transport, self.target, self.configured)


@dataclass(frozen=True)
class Trust:
    """Whom a site trusts, and who it is: the keys of its hosts, where further ones are added, and its own keys."""

    known: KnownHosts
    file: Path
    keys: Keys

    def prepare(self, connection: Any, target: Target, seconds: float) -> None:
        """Make a connection, before it is opened, verify its host and log in as we want; each step has `seconds`."""
        configured = tuple(connection.ssh_config.get("identityfile", ()))
        connection.client.set_missing_host_key_policy(_Verify(self.known, target, self.file))
        connection.connect_timeout = seconds
        connection.connect_kwargs = {
            "auth_strategy": _Login(self.keys, target, configured),
            "transport_factory": _factory(self.known.key_types(target.names, target.port), seconds),
            "banner_timeout": seconds,
            "auth_timeout": seconds,
            "channel_timeout": seconds,
        }


def dial(target: Target, seconds: float) -> socket.socket:
    """A TCP connection that notices when its host vanishes."""
    sock = socket.create_connection((target.host, target.port), seconds)
    for level, option, value in _KEEPALIVE:
        if option:
            sock.setsockopt(level, option, value)
    return sock


def _factory(known: Sequence[str], seconds: float) -> Callable[..., Transport]:
    def transport(sock: Any, **options: Any) -> Transport:
        made = _Quiet(sock, **options)
        made.handshake_timeout = seconds
        security = made.get_security_options()
        security.ciphers = _CIPHERS
        security.key_types = _ordered(security.key_types, known)
        return made

    return transport


def _ordered(offered: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """The types of host keys to ask for, those that are known first, so that a host with several shows that one."""
    names = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}
    first = [name for kind in known for name in names.get(kind, (kind,)) if name in offered]
    return tuple(dict.fromkeys((*first, *offered)))
