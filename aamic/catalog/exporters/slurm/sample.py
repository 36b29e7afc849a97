"""What the Slurm exporter would answer on the controller of a small, busy cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aamic.catalog.base import Fault
from aamic.catalog.exporters.slurm.options import SlurmOptions
from aamic.catalog.exposition import Family, Sample, between, text
from aamic.model.fleet import Node

_PARTITION: Final = {"partition": "gpu"}
_NODES: Final = {"allocated": 24.0, "drained": 1.0, "idle": 6.0, "mixed": 1.0}
_JOBS: Final = {"PENDING": 9.0, "RUNNING": 14.0}
_CPUS: Final = 4096.0


def sample(options: SlurmOptions, node: Node, faults: tuple[Fault, ...], seconds: float) -> str:  # noqa: ARG001  # GPUs are not its business
    """The exposition text; empty where the exporter is switched off."""
    if not options.enabled:
        return ""
    busy = round(between(0.6, 0.95, node.name, seconds=seconds) * _CPUS)
    return text(
        (
            _gauge("slurm_cpus_total", "Total cpus", ({}, _CPUS)),
            _gauge("slurm_cpus_idle", "Total idle cpus", ({}, _CPUS - busy)),
            _gauge("slurm_cpu_load", "Total cpu load", ({}, float(busy))),
            _gauge("slurm_node_count_per_state", "nodes per state", *_by("state", _NODES)),
            _gauge("slurm_partition_total_cpus", "Total cpus per partition", (_PARTITION, _CPUS)),
            _gauge("slurm_partition_idle_cpus", "Idle cpus per partition", (_PARTITION, _CPUS - busy)),
            _gauge(
                "slurm_partition_job_state_total",
                "total jobs per partition per state",
                *(({**_PARTITION, **labels}, count) for labels, count in _by("state", _JOBS)),
            ),
            _gauge("slurm_account_job_state_total", "total jobs per account per job state", *_account()),
            _gauge("slurm_pending_reason_total", "count of the reason jobs are pending", ({"reason": "Priority"}, 9.0)),
            _counter("slurm_node_scrape_error", "slurm node info scrape errors"),
            _counter("job_scrape_errors", "job scrape errors"),
        )
    )


def _by(label: str, values: Mapping[str, float]) -> tuple[tuple[dict[str, str], float], ...]:
    return tuple(({label: name}, value) for name, value in values.items())


def _account() -> tuple[tuple[dict[str, str], float], ...]:
    return tuple(({"account": "research", **labels}, count) for labels, count in _by("state", _JOBS))


def _gauge(name: str, help_: str, *samples: tuple[Mapping[str, str], float]) -> Family:
    return Family(name, "gauge", help_, tuple(Sample(labels, value) for labels, value in samples))


def _counter(name: str, help_: str) -> Family:
    return Family(name, "counter", help_, (Sample({}, 0.0),))
