"""What is too much for the GPUs of a node: the thresholds of the site, else of the catalog."""

from __future__ import annotations

from collections.abc import Mapping

from aamic.catalog.limits import limits
from aamic.model.fleet import Fleet, Gpu
from aamic.ops.events import Bounds


def bounds(fleet: Fleet, node: str) -> Bounds:
    """What is too much on a node; nothing for one without GPUs."""
    gpu = fleet.nodes[node].gpu if node in fleet.nodes else None
    if gpu is None:
        return Bounds({})
    written = fleet.health.codes.get(gpu.vendor)
    return Bounds(_limits(fleet, gpu), None if written is None else frozenset(written), gpu.count)


def _limits(fleet: Fleet, gpu: Gpu) -> Mapping[str, float]:
    """Degrees from which the GPU fails, or if it never does for heat alone, warns."""
    found = limits(gpu.vendor, gpu.model, fleet.health.thresholds)
    named = {name: limit for name, limit in found.items() if name.endswith("_celsius")}
    bounds_of = {name: limit.warn if limit.fail is None else limit.fail for name, limit in named.items()}
    return {name: bound for name, bound in bounds_of.items() if bound is not None}
