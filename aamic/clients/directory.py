"""Hosts that are folders: each is a folder below one root, which stands for the root of its file system.

The same program runs as on a real host, told by AAMIC_ROOT where the host is. Nothing is started, no root is needed.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from aamic.clients.base import Answer
from aamic.errors import HostError


class DirectoryHosts:
    """The folders below `root`, by host name; a folder is made when its host is first changed."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()

    def run(self, host: str, command: Sequence[str], payload: Sequence[bytes], timeout: float) -> Answer:
        """Run a program for the host, alone on its folder.

        Raises:
            HostError: The folder cannot be used, or `timeout` seconds passed.
        """
        folder = self._root / host
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with _locked(folder):
                done = subprocess.run(
                    command,
                    input=b"".join(payload),
                    capture_output=True,
                    timeout=timeout,
                    check=False,
                    cwd="/",
                    env={**os.environ, "AAMIC_ROOT": str(folder)},
                )
        except subprocess.TimeoutExpired as error:
            raise HostError("timeout", f"`{host}`: no answer within {timeout:.0f} seconds") from error
        except OSError as error:
            raise HostError("unreachable", f"`{host}`: cannot use the folder `{folder}`: {error.strerror}") from error
        return Answer(done.returncode, done.stdout, done.stderr)

    def close(self) -> None:
        """There is nothing to close."""


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep others off the folder: on a real host, systemd sees to that."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
