"""Passwords in URLs that stand where any text may: in commands, which every user of a host can read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from aamic.compile.fault import dotted
from aamic.compile.findings import Findings, Path
from aamic.model.site import Site

_PASSWORD: Final = re.compile(r"://[^/?#@\s]*:[^/?#@\s]+@")


def check_credentials(site: Site, findings: Findings) -> None:
    """Report URLs with a password; those of keys that hold a URL alone are refused by their type."""
    for key in ("notifications", "exporters", "clusters", "serve", "grafana"):
        written = site.model_dump(by_alias=True, exclude_unset=True, include={key})
        for path, text in _texts(written, ()):
            if _PASSWORD.search(text):
                findings.error(
                    f"{dotted(path)} holds a URL with a password",
                    findings.place(*path),
                    "a site holds no secret: let the program read it from a file; "
                    "replace the password if others have seen this file",
                )


def _texts(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, (*path, index))
