"""What was applied from this machine: one line of JSON for each apply and rollback, never changed afterwards."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from aamic.errors import OutsideError


def journal_path() -> Path:
    """Where it stands: below XDG_STATE_HOME, or ~/.local/state."""
    base = os.environ.get("XDG_STATE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".local/state") / "aamic" / "journal.jsonl"


def append(entry: Mapping[str, Any], path: Path | None = None) -> None:
    """Add one line, whole or not at all, even if several do so at the same time.

    Raises:
        OutsideError: It cannot be written.
    """
    path = path or journal_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            _append(descriptor, orjson.dumps(dict(entry)) + b"\n")
        finally:
            os.close(descriptor)
    except OSError as error:
        raise OutsideError(f"cannot write the journal `{path}`: {error.strerror}") from error


def _append(descriptor: int, line: bytes) -> None:
    """Under a lock; what a full disk lets through of a line is taken back."""
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    size = os.fstat(descriptor).st_size
    try:
        while line:
            line = line[os.write(descriptor, line) :]
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, size)
        raise


def entries(path: Path | None = None) -> tuple[dict[str, Any], ...]:
    """Every entry, the oldest first; none where there is no journal."""
    path = path or journal_path()
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise OutsideError(f"cannot read the journal `{path}`: {error.strerror}") from error
    return tuple(orjson.loads(line) for line in lines if line)
