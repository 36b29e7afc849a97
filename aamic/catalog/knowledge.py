"""The files in a vendor's folder that are no modules, read once, when first asked for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from aamic.catalog.written import read

_VENDORS: Final = Path(__file__).parent / "vendors"


@cache
def table(vendor: str, name: str) -> Mapping[str, Any]:
    """What a file of the vendor's folder says; nothing where the vendor has no such file."""
    path = _VENDORS / vendor / name
    if not path.is_file():
        return {}
    loaded: Mapping[str, Any] = read(path)
    return loaded


@cache
def script(vendor: str, name: str) -> bytes | None:
    """A file of the vendor's folder as it is; None where the vendor has no such file."""
    path = _VENDORS / vendor / name
    return path.read_bytes() if path.is_file() else None
