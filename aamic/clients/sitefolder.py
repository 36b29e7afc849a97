"""The files of a site that is written anew: all of them or none, and never over or through what is there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from aamic.errors import OutsideError


def write_site(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files by their paths below `folder`, which is made if it is missing.

    Raises:
        OutsideError: One of them is there already, a link or file stands where a folder must be, or the file system
            refuses; nothing is left then.
    """
    _expect_free(folder, files)
    made: list[Path] = []
    try:
        for name, content in files.items():
            _make_folders(folder, name, made)
            _write(folder / name, content, made)
    except OSError as error:
        _take_back(made)
        raise OutsideError(f"cannot write to `{folder}`: {error.strerror}", "nothing was written") from error
    except BaseException:
        _take_back(made)
        raise


def _expect_free(folder: Path, files: Mapping[str, bytes]) -> None:
    if os.path.lexists(folder) and not folder.is_dir():
        raise OutsideError(f"`{folder}` is no folder", "name an empty folder")
    for name in files:
        if os.path.lexists(folder / name):
            raise OutsideError(f"`{folder / name}` is there already", "nothing was written; name an empty folder")
        for above in reversed((folder / name).relative_to(folder).parents[:-1]):
            place = folder / above
            if place.is_symlink() or (place.exists() and not place.is_dir()):
                raise OutsideError(f"`{place}` is no folder", "nothing was written; name an empty folder")


def _make_folders(folder: Path, name: str, made: list[Path]) -> None:
    missing = [each for each in (folder / name).parents if not each.exists()]
    for each in reversed(missing):
        each.mkdir()
        made.append(each)


def _write(path: Path, content: bytes, made: list[Path]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
    made.append(path)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _take_back(made: list[Path]) -> None:
    for path in reversed(made):
        with suppress(OSError):
            path.rmdir() if path.is_dir() else path.unlink()
