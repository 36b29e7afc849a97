"""What to set so that dcgm-exporter emits a metric that a site lacks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from aamic.catalog.vendors.nvidia import counters

_WHERE: Final = "exporter `dcgm`, on nodes with NVIDIA GPUs"


def known() -> Iterator[tuple[str, str]]:
    """Every metric that it can emit, with the hint."""
    table = counters.known()
    for name in table["optional_fields"]:
        yield name, f"{_WHERE}: add it to `exporters.dcgm.counters.add`"
    for name in table["fields"]:
        yield name, f"{_WHERE}: it is collected unless `exporters.dcgm` leaves it out"
