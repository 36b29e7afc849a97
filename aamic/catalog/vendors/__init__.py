"""The GPU vendors: a folder each. A new one is its folder, and its name here."""

from __future__ import annotations

from typing import Final

NAMES: Final = (
    "nvidia",
    "amd",
)
"""As in `gpu.vendor`; the folder's `exporter.py` has the `VENDOR`."""
