"""A site as an apply left it on a central host. Frozen, no input or output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SiteCopy:
    """The files of a site, and where they come from.

    `files` maps paths below the site's folder to texts, the main file first. `release` is the name of the apply that
    left it, which begins with its time; `revision` that of the site, '' where it stood in no git; `aamic` the version
    that read it. `rolled_back` is a release that was undone since, ''.
    """

    cluster: str
    files: Mapping[str, str]
    release: str
    revision: str
    aamic: str
    rolled_back: str = ""

    @property
    def main(self) -> str:
        """The path of the site's main file."""
        return next(iter(self.files))
