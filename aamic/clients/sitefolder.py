"""The files of a site that is written anew: all of them or none, and nowhere but in a folder of their own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from aamic.errors import OutsideError


def write_site(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files by their paths below `folder`, which is empty, or made if it is missing.

    Raises:
        OutsideError: The folder is not empty, or the file system refuses; nothing is left then.
    """
    made: list[Path] = []
    try:
        _expect_empty(folder)
        for name, content in files.items():
            _make_folders(folder, name, made)
            _write(folder / name, content, made)
    except OSError as error:
        _take_back(made)
        raise OutsideError(f"cannot write to `{folder}`: {error.strerror}", "nothing was written") from error
    except BaseException:
        _take_back(made)
        raise


def _expect_empty(folder: Path) -> None:
    """Refuse a folder that holds anything: what is there may read the new files, or be read with them."""
    if not os.path.lexists(folder):
        return
    if not folder.is_dir():
        raise OutsideError(f"`{folder}` is no folder", "name an empty folder")
    if any(folder.iterdir()):
        raise OutsideError(f"the folder `{folder}` is not empty", "nothing was written; name one that is, or a new one")


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
