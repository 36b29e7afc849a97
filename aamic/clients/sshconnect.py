"""Connections to hosts: where they go, over which jump hosts, whose key is there, and how often it is tried."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fabric import Config, Connection
from fabric.connection import derive_shorthand
from paramiko import IncompatiblePeer, SSHException

from aamic.clients.knownhosts import SSH_PORT, read_known_hosts
from aamic.clients.sshconfig import USUAL_KNOWN_HOSTS, beside_hostname, located, read_ssh_config
from aamic.clients.sshfaults import Target, proxy_command, unreachable
from aamic.clients.sshkeys import Keys
from aamic.clients.sshsession import Session, Trust, dial
from aamic.errors import HostError
from aamic.model.fleet import Node, SshSettings

_GATEWAY_REST: Final = 60.0
"""Seconds in which a jump host that failed is not tried again: thousands of hosts may stand behind it."""


@dataclass(frozen=True)
class _Wanted:
    """Where to: name and address, what is known of the login, and the jump host of the site, if any."""

    name: str
    address: str
    user: str | None
    port: int | None
    gateway: str | None


class SharingConnection(Connection):  # type: ignore[misc]  # fabric has no types
    """A connection that leaves its configuration as it is, so that many of them can share one.

    Fabric forgets to declare one attribute, takes its value for a new setting and builds the configuration anew: in the
    meantime it is empty, and a connection that another thread opens finds no settings.
    """

    inline_ssh_env = True


class Connector:
    """Opens connections; safe to use from many threads.

    Args:
        settings: How the site logs in.
        folder: Folder of the site, which paths are relative to.
        sleep: Waits between two tries.

    Raises:
        OutsideError: A file that the site names cannot be read.
    """

    def __init__(self, settings: SshSettings, folder: Path, sleep: Callable[[float], None]) -> None:
        self._settings = settings
        self._sleep = sleep
        self._config = Config(lazy=True, ssh_config=read_ssh_config(settings.config, folder))
        self._any_host = beside_hostname(self._config.base_ssh_config.lookup("*"))
        self._trust = _trust(settings, folder)
        self._gateways: dict[tuple[str, ...], _Gateway] = {}
        self._gateways_lock = threading.Lock()

    def connect(self, node: Node) -> Session:
        """Connect to a node and log in.

        Raises:
            HostError: It is not reached, not trusted, or does not let us in.
        """
        settings = self._settings
        user, port = node.ssh_user or settings.user, node.ssh_port or settings.port
        return self._connect(_Wanted(node.name, node.address, user, port, settings.gateway), ())

    def close(self) -> None:
        """Close the connections to jump hosts."""
        for gateway in self._gateways.values():
            gateway.close()

    def _connect(self, wanted: _Wanted, through: tuple[str, ...]) -> Session:
        """Connect, again and again; `through` are the jump hosts that are being connected to for this."""
        connection, target = self._built(wanted)
        if "proxycommand" in connection.ssh_config and "proxyjump" not in connection.ssh_config and not wanted.gateway:
            raise proxy_command(target)
        hops = _hops(connection, wanted, target.names, through)
        error: BaseException | None = None
        tries = 0
        while tries < self._settings.max_attempts:
            if tries:
                self._sleep(self._pause(tries))
            tries += 1
            try:
                return self._opened(connection, target, hops, through)
            except IncompatiblePeer as fault:
                raise unreachable(target, fault, tries) from fault
            except (OSError, SSHException, EOFError) as fault:
                error = fault
        raise unreachable(target, error or TimeoutError(), tries) from error

    def _pause(self, tries: int) -> float:
        """Seconds to wait: doubled with each try, and spread, so that many hosts do not come back at once."""
        longest: float = min(self._settings.backoff_max, self._settings.backoff_base * 2 ** (tries - 1))
        return longest * random.uniform(0.5, 1)  # noqa: S311  # no secret

    def _built(self, wanted: _Wanted) -> tuple[Any, Target]:
        """A connection that is not open yet, and where it will lead."""
        alias = self._alias(wanted)
        try:
            connection = SharingConnection(
                alias,
                user=wanted.user,
                port=wanted.port,
                config=self._config,
                gateway=False,
                forward_agent=False,
                connect_kwargs={"look_for_keys": False},
            )
        except (ValueError, KeyError) as error:
            message = f"the OpenSSH configuration of `{wanted.name}` cannot be used: {error}"
            raise HostError("unreachable", message) from error
        if wanted.user is None and "user" not in connection.ssh_config:
            connection.user = self._settings.user or "root"
        if wanted.address != wanted.name:
            connection.host = wanted.address
        names = tuple(dict.fromkeys((connection.host, wanted.address, wanted.name)))
        target = Target(wanted.name, connection.host, int(connection.port), connection.user, names)
        self._trust.prepare(connection, target, self._settings.connect_timeout)
        return connection, target

    def _alias(self, wanted: _Wanted) -> str:
        """What the OpenSSH configuration is asked for: the name, or where that says nothing, the address."""
        if wanted.name == wanted.address:
            return wanted.name
        said = self._config.base_ssh_config.lookup(wanted.name)
        return wanted.address if beside_hostname(said) == self._any_host else wanted.name

    def _opened(self, connection: Any, target: Target, hops: Sequence[str], through: tuple[str, ...]) -> Session:
        session = Session(connection, target)
        try:
            if hops:
                connection.gateway = self._gateway(tuple(hops), through)
            else:
                connection.connect_kwargs["sock"] = dial(target, self._settings.connect_timeout)
            session.open()
        except BaseException:
            session.close()
            raise
        return session

    def _gateway(self, hops: tuple[str, ...], through: tuple[str, ...]) -> Any:
        """The open connection to the last of these jump hosts, through the others; shared by all who need it."""
        with self._gateways_lock:
            gateway = self._gateways.setdefault(hops, _Gateway())
        short = derive_shorthand(hops[-1])
        user, port = short["user"], short["port"]
        before = ",".join(hops[:-1]) or None
        wanted = _Wanted(short["host"], short["host"], user, port, before)
        return gateway.connection(lambda: self._connect(wanted, (*through, short["host"])))


class _Gateway:
    """A connection to a jump host, made when it is first needed, and again when it broke."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._failed: HostError | None = None
        self._failed_at = 0.0

    def connection(self, connect: Callable[[], Session]) -> Any:
        with self._lock:
            if self._session is not None and self._session.transport is not None:
                return self._session.connection
            if self._failed is not None and time.monotonic() - self._failed_at < _GATEWAY_REST:
                raise _on_the_way(self._failed)
            try:
                self._session = connect()
            except HostError as error:
                self._failed, self._failed_at = error, time.monotonic()
                raise _on_the_way(error) from error
            return self._session.connection

    def close(self) -> None:
        if self._session is not None:
            self._session.close()


def _on_the_way(error: HostError) -> HostError:
    return HostError(error.kind, f"on the way to it, {error}", error.hint)


def _trust(settings: SshSettings, folder: Path) -> Trust:
    keys = Keys(located(settings.key, folder) if settings.key else None, agent=settings.agent)
    names = [settings.known_hosts] if settings.known_hosts else USUAL_KNOWN_HOSTS
    files = [located(name, folder) for name in names]
    return Trust(read_known_hosts(files), files[0], keys)


def _hops(connection: Any, wanted: _Wanted, names: Sequence[str], through: tuple[str, ...]) -> tuple[str, ...]:
    """The jump hosts on the way: the site's, or those of the OpenSSH configuration; no host is its own."""
    jumps = wanted.gateway or connection.ssh_config.get("proxyjump", "none")
    hops = tuple(hop.strip() for hop in jumps.split(","))
    last = derive_shorthand(hops[-1])
    is_itself = last["host"] in names and (last["port"] or SSH_PORT) == connection.port
    return () if jumps.lower() == "none" or is_itself or last["host"] in through else hops
