"""Hosts reached without SSH, as if at their console: what the program on a host does is apart from how it got there."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence

from aamic.clients.base import Answer
from aamic.errors import HostError
from tests.fleet.host import Host


class ConsoleHosts:
    """Running test hosts, by name."""

    def __init__(self, hosts: Mapping[str, Host]) -> None:
        self._hosts = hosts

    def run(self, host: str, command: Sequence[str], payload: Sequence[bytes], timeout: float) -> Answer:
        """Run a program as root, to its end."""
        try:
            done = subprocess.run(
                self._hosts[host].inside(*command),
                input=b"".join(payload),
                capture_output=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise HostError("timeout", f"`{host}`: no answer within {timeout} seconds") from error
        return Answer(done.returncode, done.stdout, done.stderr)

    def close(self) -> None:
        """There is nothing to close."""
