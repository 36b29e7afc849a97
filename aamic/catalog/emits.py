"""What exporters emit, from the `emits.yaml` in each product's folder: read once, when first asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from aamic.catalog.written import read
from aamic.model.fleet import Metric, MetricType


@cache
def table(folder: Path) -> Mapping[str, Any]:
    """The `emits.yaml` of a product's folder; the keys are that product's own."""
    loaded: Mapping[str, Any] = read(folder / "emits.yaml")
    return loaded


def metric(emitted_by: str, name: str, kind: MetricType, labels: Iterable[str] | None) -> list[Metric]:
    """The names under which a family is stored: three for a histogram, two for a summary, else its own.

    >>> [m.name for m in metric("x", "http_seconds", "summary", ["code"])]
    ['http_seconds', 'http_seconds_sum', 'http_seconds_count']
    """
    known = None if labels is None else frozenset(labels)
    if kind == "histogram":
        return [
            Metric(f"{name}_bucket", kind, None if known is None else known | {"le"}, emitted_by),
            Metric(f"{name}_sum", kind, known, emitted_by),
            Metric(f"{name}_count", kind, known, emitted_by),
        ]
    if kind == "summary":
        return [
            Metric(name, kind, None if known is None else known | {"quantile"}, emitted_by),
            Metric(f"{name}_sum", kind, known, emitted_by),
            Metric(f"{name}_count", kind, known, emitted_by),
        ]
    return [Metric(name, kind, known, emitted_by)]


def declared(folder: Path, emitted_by: str) -> tuple[Metric, ...]:
    """Every metric under `metrics:` of a folder's `emits.yaml`."""
    return tuple(
        each
        for name, spec in table(folder)["metrics"].items()
        for each in metric(emitted_by, name, spec["type"], spec.get("labels", ()))
    )
