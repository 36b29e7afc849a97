"""A file that a user names: written whole or not at all."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from aamic.errors import OutsideError


def expect_writable(path: Path) -> None:
    """Tell before long work that its outcome could not be written. Raises OutsideError."""
    folder = path.parent
    if path.is_dir():
        raise _cannot(path, errno.EISDIR)
    if not folder.is_dir():
        raise _cannot(path, errno.ENOTDIR if folder.exists() else errno.ENOENT)
    if not os.access(path if _is_special(path) else folder, os.W_OK):
        raise _cannot(path, errno.EACCES)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file in one step: a reader sees all of it, or what stood there before. Raises OutsideError.

    What is no plain file, such as a pipe, is written to as it is.
    """
    try:
        if _is_special(path):
            path.write_bytes(content)
        else:
            _replace(path.resolve(), content)
    except OSError as error:
        raise _cannot(path, error.errno or 0) from error


def _is_special(path: Path) -> bool:
    return path.exists() and not path.is_file()


def _replace(path: Path, content: bytes) -> None:
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.write_bytes(content)
        fresh.replace(path)
    except BaseException:
        with suppress(OSError):
            fresh.unlink()
        raise


def _cannot(path: Path, number: int) -> OutsideError:
    hints = {
        errno.ENOENT: "make its folder first",
        errno.EISDIR: "name a file in it",
        errno.EACCES: "choose a folder that you may write to",
    }
    return OutsideError(f"cannot write `{path}`: {os.strerror(number)}", hints.get(number))
