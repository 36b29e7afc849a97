"""What the exporter emits on a GPU: names, labels, and how many series of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Final, Literal

from aamic.catalog import emits
from aamic.model.fleet import Metric

_TWO_TILES: Final = ("1350", "1450", "1550")
"""Of the Data Center GPU Max: intel/xpumanager v1.3.7, core/resources/config/pci.ids."""


@dataclass(frozen=True, slots=True)
class Family:
    """One metric before the client library has added to its name; `values` are those of its own labels."""

    name: str
    type: Literal["gauge", "counter"]
    unit: str
    level: Literal["gpu", "tile", "summed"]
    values: Mapping[str, tuple[str, ...]]

    @property
    def shown(self) -> str:
        """The name of its series."""
        return f"{self.name}_total" if self.type == "counter" else self.name

    def labels(self) -> Iterator[dict[str, str]]:
        """Every combination of its own labels."""
        return (dict(zip(self.values, chosen, strict=True)) for chosen in product(*self.values.values()))

    def parts(self, tiles: int) -> tuple[int | None, ...]:
        """The tiles that it is reported of; None is the GPU."""
        of_tiles = tuple(range(tiles))
        if tiles == 1 or self.level == "gpu":
            return (None,)
        return of_tiles if self.level == "tile" else (None, *of_tiles)


def tiles(model: str) -> int:
    """Tiles of a GPU, by its product name.

    >>> tiles("Max 1550"), tiles("Flex 170")
    (2, 1)
    """
    return 2 if any(name in model for name in _TWO_TILES) else 1


def known() -> Mapping[str, Any]:
    """The table of emits.yaml."""
    return emits.table(Path(__file__).parent)


def families() -> tuple[Family, ...]:
    """Every metric that is there on each GPU."""
    return tuple(
        Family(
            name, spec["type"], spec["unit"], spec["level"], {k: tuple(v) for k, v in spec.get("values", {}).items()}
        )
        for name, spec in known()["metrics"].items()
    )


def metrics() -> Iterator[Metric]:
    """What the exporter emits, with the labels that a series can have."""
    common = {*known()["labels"]["gpu"], *known()["labels"]["sometimes"]}
    for family in families():
        labels = frozenset(common.union(family.values))
        yield Metric(family.shown, family.type, labels, "xpum")
        if family.type == "counter":
            yield Metric(f"{family.name}_created", "gauge", labels, "xpum")


def series(model: str) -> int:
    """Series of one GPU; a counter has two of each."""
    return sum(
        (2 if family.type == "counter" else 1) * len(tuple(family.labels())) * len(family.parts(tiles(model)))
        for family in families()
    )
