"""The folder of a site: which files it may read, and how."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Protocol

MAX_BYTES = 64 * 1024 * 1024


class Files(Protocol):
    """Where the files beside a site come from; paths are relative to the site's folder, with `/`."""

    def read(self, path: str) -> bytes:
        """Return the bytes of a file, or raise OSError."""

    def match(self, pattern: str) -> list[str]:
        """Return the files that a glob matches, sorted; raise ValueError if it is no valid glob."""


class Folder:
    """A real folder. Nothing outside it is read, not even through a symbolic link."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, path: str) -> bytes:
        """Return the bytes of a file in this folder.

        Raises:
            OSError: It cannot be read, is no regular file, is too large, or lies outside.
        """
        target = self._path / path
        if not Path(os.path.realpath(target)).is_relative_to(os.path.realpath(self._path)):
            raise OSError(errno.EACCES, "it lies outside the folder of the site")
        return read_file(target)

    def match(self, pattern: str) -> list[str]:
        """Return the files that a glob matches, sorted; hidden ones only if the glob names the dot."""
        written = {part for part in PurePosixPath(pattern).parts if part.startswith(".")}
        found = (path.relative_to(self._path) for path in self._path.glob(pattern) if not path.is_dir())
        return sorted(path.as_posix() for path in found if written or not _hidden(path))


class Memory:
    """Files that are nowhere but in memory."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files

    def read(self, path: str) -> bytes:
        """Return the bytes of a file, or raise OSError."""
        if path not in self._files:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return self._files[path]

    def match(self, pattern: str) -> list[str]:
        """Return the files that a glob matches, sorted."""
        return sorted(path for path in self._files if PurePosixPath(path).match(pattern))


class Overlaid:
    """Files of which some have other contents than those that are kept."""

    def __init__(self, files: Files, instead: Mapping[str, bytes]) -> None:
        self._files = files
        self._instead = instead

    def read(self, path: str) -> bytes:
        """Return the bytes of a file, or raise OSError."""
        return self._instead[path] if path in self._instead else self._files.read(path)

    def match(self, pattern: str) -> list[str]:
        """Return the files that a glob matches among those that are kept, sorted."""
        return self._files.match(pattern)


def read_file(path: Path) -> bytes:
    """Return the bytes of a regular file of at most `MAX_BYTES`.

    Raises:
        OSError: It cannot be read, is no regular file (a pipe would block), or is too large.
    """
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file")
    if status.st_size <= MAX_BYTES:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) <= MAX_BYTES:
            return data
    raise OSError(errno.EFBIG, f"it is larger than {MAX_BYTES // 1024**2} MiB")


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
