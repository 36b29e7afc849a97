"""The one list of everything the catalog has. A new product is a folder, and a line here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Any, Final, cast

from aamic.catalog import emits
from aamic.catalog.artifacts.thanos.metrics import metrics as thanos_metrics
from aamic.catalog.base import Artifact, Catalog, Exporter, Vendor
from aamic.catalog.exporters.node.exporter import EXPORTER as NODE
from aamic.catalog.exporters.slurm.exporter import EXPORTER as SLURM
from aamic.catalog.vendors import NAMES
from aamic.model.fleet import Fleet, Metric
from aamic.model.tree import Part

Render = Callable[[Fleet], Iterable[Part]]


def _when_needed(module: str) -> Render:
    """The `render` of an artifact's module, imported at its first use: the schema needs no templates."""

    def render(fleet: Fleet) -> Iterable[Part]:
        return cast("Render", import_module(f"aamic.catalog.artifacts.{module}.artifact").render)(fleet)

    return render


def _vendor(name: str) -> Vendor:
    return cast("Vendor", import_module(f"aamic.catalog.vendors.{name}.exporter").VENDOR)


def _of_itself(name: str) -> Callable[[], tuple[Metric, ...]]:
    """What the service that reads an artifact says about itself, read when asked for."""
    return lambda: emits.declared(Path(__file__).parent / "artifacts" / name, name)


EXPORTERS: Final[tuple[Exporter[Any], ...]] = (NODE, SLURM)
VENDORS: Final[tuple[Vendor, ...]] = tuple(map(_vendor, NAMES))
ARTIFACTS: Final[tuple[Artifact, ...]] = (
    Artifact("prometheus", _when_needed("prometheus"), _of_itself("prometheus")),
    Artifact("targets", _when_needed("targets")),
    Artifact("rules", _when_needed("rules")),
    Artifact("alertmanager", _when_needed("alertmanager"), _of_itself("alertmanager")),
    Artifact("units", _when_needed("units")),
    Artifact("drift", _when_needed("drift")),
    Artifact("slurm", _when_needed("slurm")),
    Artifact("serve", _when_needed("serve")),
    Artifact("grafana", _when_needed("grafana")),
    Artifact("thanos", _when_needed("thanos"), thanos_metrics),
)
CATALOG: Final = Catalog(EXPORTERS, VENDORS, ARTIFACTS)
