"""What a dashboard may know of the site that it is made for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Feature = Literal[
    "federation", "replicas", "alertmanager", "alertmanager cluster", "clusters", "slurm", "serve", "thanos"
]


@dataclass(frozen=True, slots=True)
class Ground:
    """A site as its dashboards see it. `vendors` are those of its GPUs, in the catalog's order.

    `rate` is a range of time that holds four samples or more of whatever the widest server has.
    """

    cluster: str
    vendors: tuple[str, ...]
    features: frozenset[str]
    rate: str = "5m"

    def has(self, feature: Feature) -> bool:
        """Whether the site has this; `clusters` are others whose aggregates central reads."""
        return feature in self.features
