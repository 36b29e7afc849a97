"""A file that a user names: written whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aamic.errors import OutsideError

_ANOTHER: Final = "choose a folder that you may write to"


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


def write_below(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a folder, each in one step; the folder is made, and its other files are left.

    A link of such a name is exchanged for the file, and what it leads to is left.

    Raises:
        OutsideError: One of them, or the folder, cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        number = errno.ENOTDIR if error.errno == errno.EEXIST else error.errno or 0
        raise OutsideError(f"cannot write `{folder}`: {os.strerror(number)}", _ANOTHER) from error
    for name, content in files.items():
        try:
            _replace(folder / name, content)
        except OSError as error:
            raise _cannot(folder / name, error.errno or 0) from error


def expect_folder(folder: Path) -> None:
    """Tell before long work that a folder cannot be made, or that nothing can be written there. Raises OutsideError."""
    there = next(each for each in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(each))
    if not there.is_dir():
        raise _cannot(folder, errno.ENOTDIR)
    if not os.access(there, os.W_OK | os.X_OK):
        raise _cannot(folder, errno.EACCES)


def expect_absent(path: Path) -> None:
    """Tell before long work that a new file could not be made. Raises OutsideError."""
    if path.exists() or path.is_symlink():
        raise _cannot(path, errno.EEXIST)
    expect_writable(path)


@contextmanager
def fresh_secret(path: Path, content: bytes) -> Iterator[None]:
    """A new file that its owner alone can read; it is gone again if what is done meanwhile fails. Raises OutsideError.

    It is never written over another file, nor through a link.
    """
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            made = os.fstat(file.fileno())
            try:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            except BaseException:
                path.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise _cannot(path, error.errno or 0) from error
    try:
        yield
    except BaseException:
        with suppress(OSError):
            if os.path.samestat(path.lstat(), made):
                path.unlink()
        raise


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
            if path.exists() and not path.is_symlink():
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
        errno.EACCES: _ANOTHER,
        errno.EEXIST: "choose another name; nothing was written",
    }
    return OutsideError(f"cannot write `{path}`: {os.strerror(number)}", hints.get(number))
