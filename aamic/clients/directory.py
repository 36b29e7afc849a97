"""Hosts that are folders: each is a folder below one root, which stands for the root of its file system.

The same program runs as on a real host, told by AAMIC_ROOT where the host is. Nothing is started, no root is needed.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from aamic.clients.base import Answer
from aamic.clients.outward import outward_link
from aamic.errors import HostError

_MAKES: Final = "apply"
"""The only verb that makes the folder of a host that has none."""


class DirectoryHosts:
    """The folders below `root`, by host name; a folder is made when its host is first changed."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()

    def run(self, host: str, command: Sequence[str], payload: Sequence[bytes], timeout: float) -> Answer:
        """Run a program for the host, alone on its folder. Other verbs than `apply` see an empty host if it has none.

        Raises:
            HostError: The folder cannot be used, a link leads out of it, or `timeout` seconds passed.
        """
        try:
            with _folder(self._root / host, make=_MAKES in command) as folder, _locked(folder) as lock:
                _refuse_outward(host, folder, payload)
                return _ended(_started(command, folder, lock), b"".join(payload), timeout)
        except subprocess.TimeoutExpired as error:
            raise HostError("timeout", f"`{host}`: no answer within {timeout:.0f} seconds") from error
        except OSError as error:
            told = f"`{host}`: cannot use the folder `{self._root / host}`: {error.strerror}"
            raise HostError("unreachable", told) from error

    def close(self) -> None:
        """There is nothing to close."""


@contextmanager
def _folder(folder: Path, *, make: bool) -> Iterator[Path]:
    """The folder of a host; or for as long as nothing is to be written, an empty one elsewhere."""
    if make:
        folder.mkdir(parents=True, exist_ok=True)
    if make or os.path.lexists(folder):
        yield folder
    else:
        with tempfile.TemporaryDirectory(prefix="aamic-") as empty:
            yield Path(empty)


def _refuse_outward(host: str, folder: Path, payload: Sequence[bytes]) -> None:
    if link := outward_link(folder, payload):
        raise HostError(
            "unreachable",
            f"`{host}`: `{link}` leads out of its folder, so this machine would be changed instead",
            "a link that begins with `/` means this machine here: make it a relative one, or a folder",
        )


def _started(command: Sequence[str], folder: Path, lock: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd="/",
        env={**os.environ, "AAMIC_ROOT": str(folder)},
        start_new_session=True,  # an interrupt of the terminal must not cut a change in two
        pass_fds=(lock,),  # nor let another begin while this one is ending
    )


def _ended(process: subprocess.Popen[bytes], payload: bytes, timeout: float) -> Answer:
    """What the program leaves; one that takes too long is killed, and one that is left by an interrupt goes on."""
    try:
        output, errors = process.communicate(payload, timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return Answer(process.returncode, output, errors)


@contextmanager
def _locked(folder: Path) -> Iterator[int]:
    """Keep others off the folder: on a real host, systemd sees to that. Gives what holds the lock."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)
