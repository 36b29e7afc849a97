"""Error codes that are fatal, and what each is called."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

import yaml

_TABLE: Final = Path(__file__).parents[1] / "rules" / "codes.yaml"
_LISTS: Final = {"nvidia": ("XID", "xid_fatal"), "amd": ("AFID", "afid_fatal")}


@cache
def fatal(vendor: str) -> Mapping[int, str]:
    """The codes of a vendor that take a node out of service, and their names."""
    with _TABLE.open("rb") as file:
        table = yaml.safe_load(file)
    kind, name = _LISTS[vendor]
    return {code: f"{kind} {code}" for code in table[name]}


def named(vendor: str, code: int) -> str:
    """What a code is called, one that is not fatal too."""
    return fatal(vendor).get(code, f"{_LISTS[vendor][0]} {code}")


def always_shown(vendor: str) -> bool:
    """Whether the vendor's exporter reports a code of each GPU from the start, so that its absence means no data."""
    return vendor == "nvidia"
