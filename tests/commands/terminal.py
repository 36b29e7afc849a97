"""A command with somebody at its terminal."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path


def on_terminal(folder: Path, *arguments: str, answer: str | signal.Signals) -> tuple[int, str, str]:
    """The exit code of a command with somebody at its terminal, what it prints, and what the terminal shows.

    The answer is given, or the signal sent, once a question stands there.
    """
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "aamic", *arguments]
    child = subprocess.Popen(command, cwd=folder, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, text=True)
    os.close(theirs)
    told = ""
    try:
        while "[y/N]" not in told:
            told += os.read(ours, 4096).decode()
        if isinstance(answer, signal.Signals):
            child.send_signal(answer)
        else:
            os.write(ours, answer.encode())
        output, _ = child.communicate(timeout=60)
        with suppress(OSError):
            told += os.read(ours, 65536).decode()
    finally:
        child.kill()
        child.wait()
        os.close(ours)
    return child.returncode, output, told
