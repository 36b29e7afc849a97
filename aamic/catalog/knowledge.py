"""The files in a vendor's folder that are no modules, read once, when first asked for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

_VENDORS: Final = Path(__file__).parent / "vendors"
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@cache
def table(vendor: str, name: str) -> Mapping[str, Any]:
    """What a file of the vendor's folder says; nothing where the vendor has no such file."""
    path = _VENDORS / vendor / name
    if not path.is_file():
        return {}
    with path.open("rb") as file:
        loaded: Mapping[str, Any] = yaml.load(file, _LOADER)  # noqa: S506  # a safe loader
    return loaded


@cache
def script(vendor: str, name: str) -> bytes | None:
    """A file of the vendor's folder as it is; None where the vendor has no such file."""
    path = _VENDORS / vendor / name
    return path.read_bytes() if path.is_file() else None
