"""Managed hosts over SSH: one program at a time on each, as root, over connections that are kept for the next call."""

from __future__ import annotations

import shlex
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from paramiko import Channel

from aamic.clients.base import Answer
from aamic.clients.sshconnect import Connector
from aamic.clients.sshfaults import no_right, unreachable
from aamic.clients.sshprogram import NotStartedError, open_channel, run_program
from aamic.clients.sshsession import Session
from aamic.model.fleet import Node, SshSettings

_SUDO: Final = ("env", "LC_ALL=C", "sudo", "-n", "--")
"""`env` sets the language of sudo's messages in every shell."""


class SshHosts:
    """The nodes of a site, reached over SSH; `clients.base.Hosts` says what is promised.

    Args:
        nodes: The hosts by name.
        settings: How they are logged in to.
        folder: Folder of the site, which the paths in `settings` are relative to.
        kept: How many connections are kept open between calls.
        sleep: Waits between two tries to connect.

    Raises:
        OutsideError: A file that the site names, such as its key, cannot be used.
    """

    def __init__(
        self,
        nodes: Mapping[str, Node],
        settings: SshSettings,
        folder: Path,
        kept: int = 256,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._nodes = nodes
        self._settings = settings
        self._connector = Connector(settings, folder, sleep)
        self._kept = kept
        self._idle: OrderedDict[str, Session] = OrderedDict()
        self._lock = threading.Lock()

    def run(self, host: str, command: Sequence[str], payload: Sequence[bytes], timeout: float) -> Answer:
        """Run one program on a host as root, with `payload` on its standard input, to its end.

        Raises:
            HostError: See `clients.base.Hosts`.
        """
        session, channel = self._ready(host)
        try:
            answer = self._run(session, channel, command, payload, timeout)
        except BaseException:
            session.close()
            raise
        self._keep(host, session)
        return answer

    def close(self) -> None:
        """Close every connection that no call is using."""
        with self._lock:
            sessions, self._idle = list(self._idle.values()), OrderedDict()
        for session in sessions:
            session.close()
        self._connector.close()

    def _ready(self, host: str) -> tuple[Session, Channel]:
        """A connection with a channel that no program was started on: a kept one, or if it is dead, a new one."""
        kept = self._kept_session(host)
        if kept is not None:
            try:
                return kept, open_channel(kept.transport, self._settings.connect_timeout)
            except NotStartedError:
                kept.close()
        session = self._connector.connect(self._nodes[host])
        try:
            return session, open_channel(session.transport, self._settings.connect_timeout)
        except NotStartedError as error:
            session.close()
            raise unreachable(session.target, error, 1) from error

    def _run(
        self, session: Session, channel: Channel, command: Sequence[str], payload: Sequence[bytes], timeout: float
    ) -> Answer:
        sudo = self._settings.become != "none" and session.target.user != "root"
        line = shlex.join([*_SUDO, *command] if sudo else command)
        answer = run_program(channel, session.target, line, payload, timeout)
        channel.close()
        if sudo and (fault := no_right(session.target, answer)):
            raise fault
        return answer

    def _kept_session(self, host: str) -> Session | None:
        with self._lock:
            return self._idle.pop(host, None)

    def _keep(self, host: str, session: Session) -> None:
        """Keep a connection for the next call; the one unused for longest makes room."""
        with self._lock:
            self._idle[host] = session
            surplus = [self._idle.popitem(last=False)[1] for _ in range(len(self._idle) - self._kept)]
        for old in surplus:
            old.close()
