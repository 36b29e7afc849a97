"""What a site refers to that stands in none of its own files: keys, secrets, tarballs. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from aamic.compile.fault import dotted
from aamic.model.secret import SECRET_KEYS
from aamic.model.site import Site

Path = tuple[str | int, ...]
_LOGIN: Final = ("key", "known_hosts", "config")


@dataclass(frozen=True, slots=True)
class Outside:
    """A file by its path, an environment variable by its name, or a command; `key` is where the site says so."""

    key: str
    kind: Literal["file", "env", "command"]
    name: str


def outside(site: Site) -> tuple[Outside, ...]:
    """All of it, in the order of the site's model."""
    written = site.model_dump(by_alias=True, exclude_unset=True)
    return (*_login(written.get("ssh", {})), *_walk(written, ()))


def _login(ssh: dict[str, Any]) -> Iterator[Outside]:
    for key in _LOGIN:
        if isinstance(ssh.get(key), str):
            yield Outside(dotted(("ssh", key)), "file", ssh[key])


def _walk(value: Any, path: Path) -> Iterator[Outside]:
    if isinstance(value, dict):
        if found := _secret(value, path) or _tarball(value, path):
            yield found
            return
        for key, item in value.items():
            yield from _walk(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _walk(item, (*path, index))


def _secret(value: dict[str, Any], path: Path) -> Outside | None:
    """A reference to a secret; labels may have such keys as well."""
    if not path or path[-1] not in SECRET_KEYS:
        return None
    match value:
        case {"file": str() as name}:
            return Outside(dotted(path), "file", name)
        case {"env": str() as name}:
            return Outside(dotted(path), "env", name)
        case {"command": [*words]}:
            return Outside(dotted(path), "command", " ".join(map(str, words)))
    return None


def _tarball(value: dict[str, Any], path: Path) -> Outside | None:
    name = value.get("tarball") if "sha256" in value else None
    if not isinstance(name, str) or name.startswith(("http://", "https://")):
        return None
    return Outside(dotted((*path, "tarball")), "file", name)
