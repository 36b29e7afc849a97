"""One root folder for each host: its bundles' files, with the absolute paths inside them moved below it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from aamic.model.tree import Bundle, File

OURS = ("/etc/aami", "/var/lib/aami")
"""Folders of managed hosts whose paths are moved, beside the site's own storage paths."""

_PART_OF_A_PATH = r"A-Za-z0-9._@-"


def reroot(content: bytes, folders: Collection[str], root: str) -> bytes:
    """Put `root` before each path that is one of `folders` or lies below it.

    >>> reroot(b"path: /etc/aami/rules.yml, /etc/aamic, /mnt/etc/aami", ["/etc/aami"], "/tmp/t")
    b'path: /tmp/t/etc/aami/rules.yml, /etc/aamic, /mnt/etc/aami'
    """
    names = "|".join(re.escape(folder) for folder in sorted(folders, reverse=True))
    pattern = f"(?<![/{_PART_OF_A_PATH}])(?:{names})(?![{_PART_OF_A_PATH}])"
    return re.sub(pattern.encode(), lambda match: root.encode() + match[0], content)


def host_files(bundles: Iterable[Bundle], of: Collection[str] | None = None) -> dict[str, dict[str, File]]:
    """Return for each host (or only for some of them) its files by absolute path, the union of its bundles."""
    hosts: dict[str, dict[str, File]] = {}
    for bundle in bundles:
        for host in bundle.hosts if of is None else set(of).intersection(bundle.hosts):
            hosts.setdefault(host, {}).update({file.path: file for file in bundle.files})
    return hosts


def write_host(root: Path, files: Mapping[str, File], folders: Collection[str]) -> None:
    """Write a host's files below `root`, moved there."""
    for path, file in files.items():
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(reroot(file.content, folders, str(root)))
