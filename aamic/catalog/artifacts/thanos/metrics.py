"""What Thanos' processes say of themselves."""

from __future__ import annotations

from pathlib import Path

from aamic.catalog import emits
from aamic.model.fleet import THANOS_JOBS, Metric


def metrics() -> tuple[Metric, ...]:
    """Every metric of each kind of process, emitted by the kind's job."""
    return tuple(
        metric
        for name, spec in emits.table(Path(__file__).parent)["metrics"].items()
        for kind in spec["components"]
        for metric in emits.metric(THANOS_JOBS[kind], name, spec["type"], spec.get("labels", ()))
    )
