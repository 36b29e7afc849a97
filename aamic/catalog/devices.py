"""Which GPU a device number of PCI stands for, and which product a long name means: each vendor's `devices.yaml`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from aamic.catalog.written import read


def numbers(folder: Path) -> Mapping[str, tuple[str, ...]]:
    """The `devices.yaml` of a vendor's folder, by number: `0x25b6` is `A2` or `A16`, so it has both."""
    table: Mapping[str, list[int]] = read(folder / "devices.yaml")
    found: dict[str, tuple[str, ...]] = {}
    for model, each in table.items():
        for number in each:
            key = f"0x{number:04x}"
            found[key] = (*found.get(key, ()), model)
    return found


def models_in(name: str, models: Iterable[str]) -> frozenset[str]:
    """The models that a product's full name speaks of, as whole words in any case.

    >>> sorted(models_in("NVIDIA GH200 480GB", ["H200", "GH200"]))
    ['GH200']
    >>> sorted(models_in("AMD Instinct MI250X / MI250", ["MI250", "MI250X"]))
    ['MI250', 'MI250X']
    """
    return frozenset(
        model
        for model in models
        if re.search(rf"(?<![A-Za-z0-9]){re.escape(model)}(?![A-Za-z0-9])", name, re.IGNORECASE)
    )
