"""What to set so that AMD's exporter emits a metric that a site lacks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from aamic.catalog.vendors.amd import fields
from aamic.catalog.vendors.amd.options import AmdOptions

_WHERE: Final = "exporter `amd`, on nodes with AMD GPUs"


def known() -> Iterator[tuple[str, str]]:
    """Every metric that it can emit, with the hint."""
    prefix = AmdOptions().prefix
    collected = {field.name for field in fields.fields(AmdOptions(profiler=True, cper=True))}
    for name, spec in fields.known()["metrics"].items():
        if name not in collected:
            how = "its configuration by aamic does not ask for this field"
        elif name.startswith(fields.PROFILER):
            how = "set `exporters.amd.profiler: true`"
        elif name == fields.AFID:
            how = "set `exporters.amd.cper: true`"
        else:
            how = f"it is there on {' and '.join(spec['platforms'])}"
        yield prefix + name, f"{_WHERE}: {how}"
