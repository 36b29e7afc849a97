"""What is too much for the GPUs of a node: the site's thresholds, else those of the alerts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aamic.model.fleet import Fleet, Gpu
from aamic.ops.events import Bounds

_CRITICAL: Final[Mapping[str, Mapping[str, float]]] = {
    "nvidia": {"temperature_celsius": 92.0, "memory_temperature_celsius": 95.0},
    "amd": {"temperature_celsius": 103.0, "memory_temperature_celsius": 100.0},
}
"""Degrees from which the alerts of the preset `gpu` tell of heat; our policy. AMD's sensor is the hotspot."""


def bounds(fleet: Fleet, node: str) -> Bounds:
    """What is too much on a node; nothing for one without GPUs."""
    gpu = fleet.nodes[node].gpu if node in fleet.nodes else None
    if gpu is None:
        return Bounds({})
    written = fleet.slurm.health.codes.get(gpu.vendor) if fleet.slurm else None
    return Bounds(_limits(fleet, gpu), None if written is None else frozenset(written), gpu.count)


def _limits(fleet: Fleet, gpu: Gpu) -> Mapping[str, float]:
    limits = dict(_CRITICAL.get(gpu.vendor, {}))
    for each in fleet.slurm.health.thresholds if fleet.slurm else ():
        if each.vendor == gpu.vendor and each.model in {None, gpu.model}:
            limits |= {
                name: limit.fail for name, limit in each.limits.items() if limit.fail is not None and name in limits
            }
    return limits
