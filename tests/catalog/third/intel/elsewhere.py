"""What lets XPU Manager emit a metric that a site lacks."""

from __future__ import annotations

from collections.abc import Iterator

from .metrics import known as table
from .metrics import metrics


def known() -> Iterator[tuple[str, str]]:
    """Every metric that it can emit, with the hint."""
    where = "exporter `xpum`, on nodes with Intel GPUs"
    for name, when in table()["optional"].items():
        yield name, f"{where}, where {when}: aamic does not count on it"
    for metric in metrics():
        yield metric.name, f"{where}: it is collected unless `exporters.xpum` is switched off"
