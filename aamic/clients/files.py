"""A file that a user names: written whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Rewrite:
    """New content for a file that must still hold the old one."""

    path: Path
    before: bytes
    after: bytes


def rewrite(files: Sequence[Rewrite]) -> None:
    """Exchange the contents of files that exist, each in one step, with its mode kept; all of them or none.

    Raises:
        OutsideError: One has changed since it was read, or cannot be written; every file holds what it held.
    """
    for file in files:
        _expect_unchanged(file)
    for done, file in enumerate(files):
        try:
            _expect_unchanged(file)
            write_whole(file.path, file.after)
        except BaseException:
            for earlier in files[:done]:
                with suppress(OutsideError):
                    write_whole(earlier.path, earlier.before)
            raise


def _expect_unchanged(file: Rewrite) -> None:
    try:
        found = file.path.read_bytes()
    except OSError as error:
        raise OutsideError(f"cannot read `{file.path}`: {error.strerror}", "nothing was written") from error
    if found != file.before:
        raise OutsideError(f"`{file.path}` has changed meanwhile", "nothing was written; run the command again")


def _is_special(path: Path) -> bool:
    return path.exists() and not path.is_file()


def _replace(path: Path, content: bytes) -> None:
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with fresh.open("wb") as file:
            if path.exists():
                before = path.stat()
                with suppress(PermissionError):  # who may not give a file away becomes its owner
                    os.fchown(file.fileno(), before.st_uid, before.st_gid)
                os.fchmod(file.fileno(), stat.S_IMODE(before.st_mode))
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
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
