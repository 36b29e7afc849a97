"""What Thanos' processes say of themselves, and the scrape jobs in which central reads them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, get_args

from aamic.catalog import emits
from aamic.model.fleet import Metric, ThanosKind

KINDS: Final[tuple[ThanosKind, ...]] = get_args(ThanosKind)
JOBS: Final[Mapping[ThanosKind, str]] = {kind: f"thanos-{kind}" for kind in KINDS}
"""Their targets have the label `host`, and no `node`: what is up does not tell that a node is."""


def metrics() -> tuple[Metric, ...]:
    """Every metric of each kind of process, emitted by the kind's job."""
    return tuple(
        metric
        for name, spec in emits.table(Path(__file__).parent)["metrics"].items()
        for kind in spec["components"]
        for metric in emits.metric(JOBS[kind], name, spec["type"], spec.get("labels", ()))
    )
