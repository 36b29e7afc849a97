"""Programs of this machine that check what was rendered."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aamic.errors import OutsideError

_DEADLINE: Final = 300.0


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool answered; `output` is both of its outputs."""

    passed: bool
    output: str


def has_tool(name: str) -> bool:
    """Whether a program is on this machine's PATH."""
    return shutil.which(name) is not None


def run_tool(command: Sequence[str]) -> ToolResult:
    """Run a tool to its end. Raises OutsideError when it cannot be run or does not end within five minutes."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_DEADLINE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise OutsideError(f"`{command[0]}` could not be run: {error}") from error
    return ToolResult(done.returncode == 0, done.stdout.decode(errors="replace"))
