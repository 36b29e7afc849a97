"""What `$name` stands for in the rules that come with aamic: spans that follow a site's intervals, and lists of codes.

Supported are scrape and evaluation intervals up to 2 minutes and a federation interval up to 4: a sample is seen for
5 minutes, so beyond these series vanish between two samples, whatever span a rule takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Final

from aamic.catalog import gpuerrors
from aamic.model.gpuerror import POLICIES

_UNTOLD: Final = frozenset({"workflow", "unlisted"})
"""Codes that no rule names: they are what is left over, with those that nobody knows."""


def terms(scrape: float, evaluation: float, federate: float) -> Mapping[str, str]:
    """All names with their text, for intervals in seconds.

    >>> found = terms(15, 15, 60)
    >>> found["rate"], found["federation_stale"], found["xid_ignored"][:5]
    ('5m', '230', '37|38')
    """
    tick = max(scrape, evaluation)
    spans = {
        "step": 3 * tick,
        "settled": 6 * tick,
        "gap": max(600, 16 * tick),
        "rate": max(300, 4 * tick),
        "down": max(120, 2 * scrape),
        "federation_down": max(180, 2 * federate),
        "replica_down": max(300, 2 * federate),
    }
    stale = 2 * federate + 2 * evaluation + 80
    return {
        **{name: _duration(ceil(seconds)) for name, seconds in spans.items()},
        "federation_stale": str(ceil(stale)),
        **codes(),
    }


def _duration(seconds: int) -> str:
    return f"{seconds}s" if seconds % 60 else f"{seconds // 60}m"


def codes() -> Mapping[str, str]:
    """The lists of codes that rules tell apart, as regular expressions: `xid_fatal`, `afid_corrected`."""
    return {
        f"{gpuerrors.kind(vendor).lower()}_{policy}": "|".join(map(str, listed))
        for vendor in gpuerrors.vendors()
        for policy in POLICIES
        if policy not in _UNTOLD and (listed := gpuerrors.codes(vendor, policy))
    }
