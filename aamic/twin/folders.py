"""What a twin changes in the folder of a host: listen addresses, and the folders that systemd would make."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from aamic.twin.units import split_words

_SAFE_ROOT = re.compile(r"[A-Za-z0-9_./@+-]+")
_ITSELF = re.compile(r"(--?[A-Za-z0-9.-]+=http://)127\.0\.0\.1(:[0-9]{1,5})")
_WILDCARD = re.compile(r"(--?[A-Za-z0-9.-]+=)?(?:0\.0\.0\.0|\[::\])?(:[0-9]{1,5})")


def bind(command: Iterable[str], address: str) -> tuple[str, ...]:
    """Bind every listen address of all interfaces to `address` alone, and ask the host itself there.

    >>> bind(["prometheus", "--web.listen-address=0.0.0.0:9090", "--a=:1"], "127.77.0.1")
    ('prometheus', '--web.listen-address=127.77.0.1:9090', '--a=127.77.0.1:1')
    >>> bind(["thanos", "--prometheus.url=http://127.0.0.1:9090"], "127.77.0.1")
    ('thanos', '--prometheus.url=http://127.77.0.1:9090')
    """
    return tuple(
        f"{match[1] or ''}{address}{match[2]}"
        if (match := _WILDCARD.fullmatch(argument) or _ITSELF.fullmatch(argument))
        else argument
        for argument in command
    )


def is_safe_root(path: Path) -> bool:
    """Say whether a folder's path can be put into any configuration without quoting."""
    return _SAFE_ROOT.fullmatch(str(path)) is not None


def make_folders(root: Path, files: Iterable[str]) -> None:
    """Make what systemd-tmpfiles would make of the `d` lines among a host's moved files, all below `root`."""
    for path in files:
        if path.startswith("/etc/tmpfiles.d/"):
            for line in (root / path.lstrip("/")).read_text().splitlines():
                kind, folder, *_ = split_words(line)
                if kind == "d" and Path(folder).is_relative_to(root):
                    Path(folder).mkdir(parents=True, exist_ok=True)
