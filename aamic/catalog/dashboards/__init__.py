"""The dashboards that come with aamic, a module for each; what a site cannot feed of them is left out when it is known.

A module has `build(ground)`, which gives the page of a site with that ground. Queries read what the widest server of a
site has: aggregates and `up` on central, everything on a single server, so they name `gpu:*`, `node:*`, `shard:*` and
`cluster:*` alone, beside `up` and what central scrapes itself. The servers of a pair give central each series twice,
and behind Thanos there is central's copy too: queries aggregate with `max by (...)` before anything is added up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from aamic.catalog.dashboards import clusters, federation, gpu, node, overview, racks, self, slurm
from aamic.catalog.dashboards.ground import Ground
from aamic.model.dashboard import Dashboard

BUILDERS: Final[tuple[Callable[[Ground], Dashboard], ...]] = (
    overview.build,
    racks.build,
    node.build,
    gpu.build,
    slurm.build,
    clusters.build,
    federation.build,
    self.build,
)
"""In the order in which people see them; a dashboard is here and in a module, and nowhere else."""
