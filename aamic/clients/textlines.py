"""Lines of a file or a pipe that may be of any length."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from aamic.errors import OutsideError

_LONGEST: Final = 65_536
"""Bytes of a line that are kept: far more than the kernel writes in one."""


def lines(stream: BinaryIO) -> Iterator[bytes]:
    """The lines one by one, of long ones the beginning, so that memory does not depend on what comes."""
    while line := stream.readline(_LONGEST):
        yield line
        while len(line) == _LONGEST and not line.endswith(b"\n"):
            line = stream.readline(_LONGEST)


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The file, open for reading; OutsideError if that is not possible."""
    try:
        stream = path.open("rb")
    except OSError as error:
        raise OutsideError(f"cannot read `{path}`: {error.strerror}") from error
    with stream:
        yield stream
