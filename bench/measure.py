"""What a process costs, as the kernel counts it."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple


class Cost(NamedTuple):
    """Seconds of processor time (user and system, with the children it waited for), seconds of wall, bytes of RSS."""

    cpu: float
    wall: float
    peak: int


def cost_of(
    command: Sequence[str | Path], folder: Path | None = None, variables: Mapping[str, str] | None = None
) -> tuple[Cost, str]:
    """Run a command to its end; its cost and what it printed. Raises SystemExit when it fails."""
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment() | dict(variables or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        start = time.perf_counter()
        printed = process.stdout.read() if process.stdout else ""
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(map(str, command))} failed:\n{printed[-2000:]}")
    return Cost(used.ru_utime + used.ru_stime, wall, used.ru_maxrss * 1024), printed


def environment() -> dict[str, str]:
    """The environment, but with Python's cache of compiled modules, as every installation has it."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def least(costs: Iterable[Cost]) -> Cost:
    """The least of each: what other work on the machine adds is no property of the program."""
    return Cost(*map(min, zip(*costs, strict=True)))
