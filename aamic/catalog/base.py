"""What a product of the catalog has to supply. A leaf: products import it, `table` imports the products."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from aamic.model.fleet import Endpoint, Fleet, GpuProbe, Metric, Node, RuleGroup, Service, SlurmSettings
from aamic.model.tree import Part
from aamic.model.types import Model

Options = TypeVar("Options", bound=Model)


@dataclass(frozen=True)
class Ground:
    """What a product may know of the site: pure values, no other product."""

    nodes: Mapping[str, Node]
    scrape_interval: str
    slurm: SlurmSettings | None


@dataclass(frozen=True)
class Contribution:
    """The nouns that a product adds to the fleet; empty where the site has no host for it."""

    services: tuple[Service, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    rules: tuple[RuleGroup, ...] = ()
    probes: tuple[GpuProbe, ...] = ()


@dataclass(frozen=True)
class Fault:
    """A fault that a twin shows: kind `xid`, `afid`, `ecc`, `temperature`, `lost` or `down`, on one GPU or the node."""

    kind: str
    value: str
    gpu: int | None


@dataclass(frozen=True)
class Exporter(Generic[Options]):
    """An exporter: `name` is its key under `exporters:` and its job.

    `contribute(options, ground)` says what it adds; `series(options, node)` predicts the series it emits on a node
    (0 where it does not run there) and must depend only on the node's gpu and threads, so that it can be cached.
    `sample(options, node, faults, seconds)` is the exposition text that this exporter would answer on that node,
    `seconds` after start; twins and tests scrape it.
    """

    name: str
    options: type[Options]
    contribute: Callable[[Options, Ground], Contribution]
    series: Callable[[Options, Node], int]
    sample: Callable[[Options, Node, tuple[Fault, ...], float], str]


@dataclass(frozen=True)
class Vendor:
    """A GPU vendor: `name` as in `gpu.vendor`, and its exporter.

    The exporter contributes the recording rules that make its metrics the vendor-neutral `gpu:*` series.
    """

    name: str
    exporter: Exporter[Any]


@dataclass(frozen=True)
class Artifact:
    """A kind of file: `render` turns the fleet into parts of bundles."""

    name: str
    render: Callable[[Fleet], Iterable[Part]]
    metrics: Callable[[], tuple[Metric, ...]] = field(default=tuple)
    """What the service that reads these files says of itself, for the provenance check."""


@dataclass(frozen=True)
class Catalog:
    """Everything aamic knows to compile; `table.CATALOG` is the one that ships."""

    own_exporters: tuple[Exporter[Any], ...]
    vendors: tuple[Vendor, ...]
    artifacts: tuple[Artifact, ...]

    @property
    def exporters(self) -> tuple[Exporter[Any], ...]:
        """The exporters that have a key under `exporters:`, those of the vendors among them."""
        return (*self.own_exporters, *(vendor.exporter for vendor in self.vendors))
