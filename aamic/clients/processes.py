"""Child processes that never outlive this one, and a folder that goes with them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from aamic.errors import OutsideError

_END_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL", "--")
_REMOVE_AT_END = 'read -r done || sleep 1; rm -rf -- "$1"'
"""`read` fails when this process was killed; its children, dying at the same moment, may still write."""


def find_program(path: str, package: str | None = None) -> str:
    """Return the program at `path`, or the one of the same name on PATH.

    Raises:
        OutsideError: There is none; the hint names the package to install.
    """
    found = path if os.access(path, os.X_OK) else shutil.which(Path(path).name)
    if found is None:
        hint = f"install the package `{package}`" if package else None
        raise OutsideError(f"`{Path(path).name}` is not on this machine", hint)
    return found


@contextmanager
def vanishing_folder(prefix: str) -> Iterator[Path]:
    """Make a folder that is removed at the end, even if this process is killed before it could do so itself."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    remover = subprocess.Popen(
        ["sh", "-c", _REMOVE_AT_END, "sh", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
    )
    try:
        yield folder
    finally:
        remover.communicate(b"\n")


@dataclass(frozen=True)
class Process:
    """A running child: what it is called in messages, and where its output goes."""

    name: str
    log: Path
    child: subprocess.Popen[bytes]

    def log_tail(self, lines: int = 15) -> tuple[str, ...]:
        """Return the last lines of its output."""
        return tuple(self.log.read_text(errors="replace").splitlines()[-lines:])


class Processes:
    """Children of this process, killed with their own children when the block is left, or when this process dies.

    Children must be started by the thread that lives longest: the kernel ends them with the thread that made them.
    """

    def __init__(self) -> None:
        self.running: list[Process] = []

    def __enter__(self) -> Self:
        find_program(_END_WITH_PARENT[0], "util-linux")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in tuple(self.running):
            self.kill(process)

    def start(
        self, name: str, command: Sequence[str], folder: Path, log: Path, environment: Mapping[str, str] | None = None
    ) -> Process:
        """Start a program in `folder`, with both its outputs in `log`."""
        with log.open("wb") as output:
            child = subprocess.Popen(
                [*_END_WITH_PARENT, *command],
                cwd=folder,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        process = Process(name, log, child)
        self.running.append(process)
        return process

    def ended(self) -> tuple[Process, ...]:
        """Return the children that ended by themselves."""
        return tuple(process for process in self.running if process.child.poll() is not None)

    def kill(self, process: Process) -> None:
        """Kill a child and its own children at once, wait until it is gone, and forget it."""
        if process.child.poll() is None:
            os.killpg(process.child.pid, signal.SIGKILL)
            process.child.wait()
        self.running.remove(process)
