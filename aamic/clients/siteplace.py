"""Files that are named on a command line, as the site would name them: it counts from its own folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from aamic.errors import OutsideError

_MOST: Final = 2 << 20
"""Bytes that are read; neither a key nor certificates have as many."""


class SitePlace:
    """The folder of a site, seen from where a command runs."""

    def __init__(self, folder: Path) -> None:
        self._folder = Path(os.path.realpath(folder))

    def inside(self, path: str) -> str | None:
        """Return the path relative to the site's folder; None if the file lies elsewhere, or a link leads there."""
        if not _real(path).is_relative_to(self._folder) or not Path(os.path.realpath(path)).is_relative_to(
            self._folder
        ):
            return None
        return _real(path).relative_to(self._folder).as_posix()

    def named(self, path: str) -> str:
        """Return how the site names a file that may lie anywhere; absolute paths and `~/` stay unless it is inside."""
        if (inside := self.inside(path)) is not None:
            return inside
        if path.startswith("~") or Path(path).is_absolute():
            return path
        return Path(os.path.relpath(_real(path), self._folder)).as_posix()

    def read(self, path: str) -> bytes:
        """Return what stands in a file. Raises OutsideError, which does not repeat the path: it may be a key."""
        try:
            target = Path(path).expanduser()
            if not target.is_file() and target.exists():
                raise OutsideError("it is no regular file")
            with target.open("rb") as file:
                return file.read(_MOST)
        except (OSError, ValueError, RuntimeError) as error:
            raise OutsideError(getattr(error, "strerror", None) or "no path") from None


def _real(path: str) -> Path:
    """The path with its folder's links followed, and its own name kept."""
    expanded = Path(path).expanduser()
    return Path(os.path.realpath(expanded.parent)) / expanded.name
