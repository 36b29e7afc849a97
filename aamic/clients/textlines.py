"""Lines of a file or a pipe that may be of any length."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from aamic.errors import OutsideError

_LONGEST: Final = 65_536
"""Bytes of a line that are kept: far more than the kernel writes in one."""


def lines(stream: BinaryIO, name: str) -> Iterator[bytes]:
    """The lines one by one, of long ones the beginning, so that memory does not depend on what comes.

    Raises:
        OutsideError: What is called `name` cannot be read any more.
    """
    try:
        while line := stream.readline(_LONGEST):
            yield line
            while len(line) == _LONGEST and not line.endswith(b"\n"):
                line = stream.readline(_LONGEST)
    except OSError as error:
        raise OutsideError(f"cannot read {name}: {error.strerror}") from error


def lines_of(path: Path) -> Iterator[bytes]:
    """The lines of a file; OutsideError if it cannot be read."""
    try:
        stream = path.open("rb")
    except OSError as error:
        raise OutsideError(f"cannot read `{path}`: {error.strerror}") from error
    with stream:
        yield from lines(stream, f"`{path}`")
