"""The copy of a site that central hosts keep: as text, and read again from hosts that nobody vouches for. Pure.

`aamic/agent/site.sh` reads the first lines, so they are always the same keys in the same order.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from posixpath import normpath
from typing import Any, Final

import orjson

from aamic.compile.text import shown
from aamic.model.sitecopy import SiteCopy

VERSION: Final = 1
LARGEST: Final = 32 * 1024**2
"""Bytes of a copy; a site of 100,000 nodes has a sixth of that."""
_MOST_FILES: Final = 10_000
_LONGEST_NAME: Final = 1000
_HEAD: Final = ("rolled_back", "release", "revision", "aamic")
_RELEASE: Final = re.compile(r"[A-Za-z0-9._+-]{1,100}")
_MAIN: Final = (".yaml", ".yml")
PEM: Final = (".pem", ".crt", ".cer", ".cert")
"""How the names of certificates end, so that a copy cannot bring along what another program takes for its own."""
_SUFFIXES: Final = (*_MAIN, ".csv", *PEM)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]")


def write_copy(copy: SiteCopy) -> bytes:
    """The copy as a central host keeps it; `read_copy` reads it back."""
    head = [f"{json.dumps(key)}: {json.dumps(getattr(copy, key))}," for key in _HEAD]
    files = ",\n".join(json.dumps({"name": name, "text": text}) for name, text in copy.files.items())
    body = [f'"version": {VERSION},', f'"cluster": {json.dumps(copy.cluster)},', '"files": [', files, "]", "}"]
    return "\n".join(["{", *head, *body, ""]).encode()


def read_copy(data: bytes) -> SiteCopy:
    """What a host keeps as the copy of a site.

    Raises:
        ValueError: It is none, or names files that no site has; the message says which.
    """
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise ValueError("it is no whole JSON") from None
    if not isinstance(value, dict) or type(value.get("version")) is not int:
        raise ValueError("it does not say its version")
    if value["version"] != VERSION:
        raise ValueError(f"its version is {value['version']}, and this aamic knows {VERSION}")
    head = {key: _text(value, key) for key in (*_HEAD, "cluster")}
    if not _RELEASE.fullmatch(head["release"]):
        raise ValueError("it names no release")
    return SiteCopy(files=_files(value.get("files")), **head)


def _text(value: Mapping[str, Any], key: str) -> str:
    text = value.get(key)
    if not isinstance(text, str) or len(text) > _LONGEST_NAME or _CONTROL.search(text):
        raise ValueError(f"its `{key}` is no name")
    return text


def _files(value: Any) -> dict[str, str]:
    if not isinstance(value, list) or not value or len(value) > _MOST_FILES:
        raise ValueError("it has no list of files")
    files: dict[str, str] = {}
    for name, text in map(_file, value):
        if reason := _why_not(name):
            raise ValueError(f"it names a file {shown(name)}, which {reason}")
        if name in files:
            raise ValueError(f"it has the file {shown(name)} twice")
        files[name] = text
    if not (main := next(iter(files))).endswith(_MAIN):
        raise ValueError(f"its main file is {shown(main)}, which is no YAML by its name")
    _check_folders(files)
    return files


def _file(value: Any) -> tuple[str, str]:
    match value:
        case {"name": str() as name, "text": str() as text}:
            return name, text
    raise ValueError("one of its files has no name or text")


def _why_not(name: str) -> str:
    """Why no file of a site has this name, or ''."""
    if not name or len(name) > _LONGEST_NAME or _CONTROL.search(name):
        return "is no name of a file"
    if name.startswith(("/", "../")) or name != normpath(name) or name in {".", ".."}:
        return "does not lie below the folder of a site"
    if any(part.startswith(".") for part in name.split("/")):
        return "would be hidden"  # and may be read by a shell, git or CI
    if not name.endswith(_SUFFIXES):
        return "is neither YAML, CSV nor PEM by its name"
    return ""


def _check_folders(names: Iterable[str]) -> None:
    known = set(names)
    for name in known:
        parts = name.split("/")
        for end in range(1, len(parts)):
            if "/".join(parts[:end]) in known:
                raise ValueError(f"it names {shown('/'.join(parts[:end]))} as a file and as a folder")
