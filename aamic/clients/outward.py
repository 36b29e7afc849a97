"""Links that lead out of a folder that stands for a host: what is written through them lands on this machine."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

_STATE: Final = "var/lib/aamic"
_LINES: Final = re.compile(rb"^(?:[a-z]+\t)?(/[^\t\n\0]+)", re.MULTILINE)
"""A path in a request, in a transaction, in the record of a host and in its list of what to put back."""


def outward_link(folder: Path, payload: Sequence[bytes]) -> str | None:
    """The first link on the way to anything that a call may touch that leads out of a host's folder, if there is one.

    A call touches what its payload names, what the host's own record and lists name, and the state folder. The last
    name of a path is no way: a link there is looked at and replaced as what it is.
    """
    real = os.path.realpath(folder)
    ways = {os.path.dirname(path) for path in _named(folder, payload)} | {f"/{_STATE}"}  # noqa: PTH120  # many paths
    for way in sorted(ways):
        if not _is_within(os.path.realpath(f"{real}/{way}"), real):
            return _first(real, way)
    return next(_links_of_state(real), None)


def _named(folder: Path, payload: Sequence[bytes]) -> Iterator[str]:
    own = folder / _STATE
    kept = (own / "manifest", *own.glob("undo/*/list"))
    for text in (*payload, *(path.read_bytes() for path in kept if path.is_file())):
        yield from map(os.fsdecode, _LINES.findall(text))


def _first(real: str, way: str) -> str:
    """The first name on the way from which on it is outside."""
    names = way.strip("/").split("/")
    ways = ("/".join(names[:number]) for number in range(1, len(names) + 1))
    return next(f"/{each}" for each in ways if not _is_within(os.path.realpath(f"{real}/{each}"), real))


def _links_of_state(real: str) -> Iterator[str]:
    """The program writes its files of the state folder by their names, through a link as well."""
    for where, folders, files in os.walk(f"{real}/{_STATE}"):
        for path in _links(where, (*folders, *files)):
            if not _is_within(os.path.realpath(path), real):
                yield path.removeprefix(real)


def _links(where: str, names: Iterable[str]) -> Iterator[str]:
    return (path for name in names if os.path.islink(path := f"{where}/{name}"))  # noqa: PTH114  # many paths


def _is_within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")
