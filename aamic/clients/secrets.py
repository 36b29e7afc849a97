"""Values of secrets, read where aamic runs, at the moment they are needed. No message ever holds one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from aamic.errors import OutsideError

TIMEOUT: Final = 30.0
MAX_BYTES: Final = 1 << 20


def read_secret(reference: Mapping[str, Any], folder: Path, timeout: float = TIMEOUT) -> bytes:
    """Return the value that a reference of site.yaml stands for, without one line break at its end.

    `folder` is the site's: files are relative to it, and commands run in it, for at most `timeout` seconds.

    Raises:
        OutsideError: There is no value, it is empty, or it cannot be read. The message names the reference alone.
    """
    value = _value(reference, folder, timeout)
    if len(value) > MAX_BYTES:
        raise OutsideError(f"{told(reference)} is larger than {MAX_BYTES:,} bytes", "it is hardly a secret")
    value = value.removesuffix(b"\r\n" if value.endswith(b"\r\n") else b"\n")
    if not value:
        raise OutsideError(f"{told(reference)} is empty", "a program cannot log in with nothing")
    return value


def told(reference: Mapping[str, Any]) -> str:
    """What messages call a reference.

    >>> told({"env": "SLACK_URL"}), told({"command": ["pass", "show", "gpu/slack"]})
    ('the secret of the variable `SLACK_URL`', 'the secret of the command `pass show gpu/slack`')
    """
    if "file" in reference:
        return f"the secret of the file `{reference['file']}`"
    if "env" in reference:
        return f"the secret of the variable `{reference['env']}`"
    return f"the secret of the command `{' '.join(reference['command'])}`"


def _value(reference: Mapping[str, Any], folder: Path, timeout: float) -> bytes:
    if "file" in reference:
        return _from_file(reference, folder)
    if "env" in reference:
        return _from_env(reference)
    return _from_command(reference, folder, timeout)


def _from_file(reference: Mapping[str, Any], folder: Path) -> bytes:
    try:
        with (folder / Path(reference["file"]).expanduser()).open("rb") as file:
            return file.read(MAX_BYTES + 2)
    except OSError as error:
        hint = "put the value there, for whoever runs aamic to read; the path is relative to the site"
        raise OutsideError(f"{told(reference)} cannot be read: {error.strerror}", hint) from error


def _from_env(reference: Mapping[str, Any]) -> bytes:
    value = os.environb.get(reference["env"].encode())
    if value is None:
        raise OutsideError(f"{told(reference)} is not set", f"set `{reference['env']}` where aamic runs")
    return value


def _from_command(reference: Mapping[str, Any], folder: Path, timeout: float) -> bytes:
    command: Sequence[str] = reference["command"]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=False, cwd=folder
        )
    except subprocess.TimeoutExpired:
        # Not `from` the error: it carries what the command has printed.
        raise OutsideError(
            f"{told(reference)} took longer than {timeout:g} seconds", "does it ask for input?"
        ) from None
    except OSError as error:
        hint = "commands run in the folder of the site, without a shell"
        raise OutsideError(f"{told(reference)} cannot be run: {error.strerror}", hint) from error
    if done.returncode:
        raise OutsideError(f"{told(reference)} ended with status {done.returncode}", "run it by hand to see why")
    return done.stdout
