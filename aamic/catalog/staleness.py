"""How old a sample may be on central before data of a shard count as old."""

from __future__ import annotations

from typing import Final

_SLACK: Final = 80
"""Seconds for scrapes that take their time, and for clocks that differ a little; our policy."""


def federation_stale(federate: float, evaluation: float) -> float:
    """Seconds until data that central reads each `federate` seconds, and shards record each `evaluation`, are old.

    >>> federation_stale(60, 15)
    230
    """
    return 2 * federate + 2 * evaluation + _SLACK
