"""What a dashboard may know of the site that it is made for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Feature = Literal[
    "federation", "replicas", "alertmanager", "alertmanager cluster", "clusters", "slurm", "serve", "thanos", "raw"
]


@dataclass(frozen=True, slots=True)
class Ground:
    """A site as its dashboards see it. `gpus` are how many of each vendor its inventory has, in the catalog's order.

    `nodes` is how many are watched, `gpu_jobs` are the scrape jobs of the vendors' exporters, and `rate` is a range of
    time that holds four samples or more of whatever the widest server has. `predicted` are the series that each shard
    should have, or the single server under its own name.
    """

    cluster: str
    nodes: int
    gpus: tuple[tuple[str, int], ...]
    gpu_jobs: tuple[str, ...]
    features: frozenset[str]
    rate: str = "5m"
    predicted: Mapping[str, int] = field(default_factory=dict)

    @property
    def vendors(self) -> tuple[str, ...]:
        """The vendors of its GPUs."""
        return tuple(vendor for vendor, _ in self.gpus)

    def has(self, feature: Feature) -> bool:
        """Whether the site has this: `clusters` are others that central reads, `raw` is all that shards have."""
        return feature in self.features
