"""What a product of the catalog has to supply. A leaf: products import it, `table` imports the products."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from aamic.model.fleet import Endpoint, Fleet, GpuProbe, Metric, Node, RuleGroup, Service, SlurmSettings
from aamic.model.tree import Part
from aamic.model.types import Model

Options = TypeVar("Options", bound=Model)
_PCI_ADDRESS: Final = re.compile(r"([0-9a-f]{4,8}):([0-9a-f]{2}:[0-9a-f]{2}\.[0-7])")


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
    """A fault that a twin shows on one GPU or the node; its kind is one of `aamic/twin/faults.py`.

    The kind `job` is none: its value is the job of Slurm that has the GPU, as the exporter was told.
    """

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
class Asked:
    """What a vendor's program said of a host's GPUs; None and nothing where it said nothing of them.

    `models` are product names without the vendor's, `addresses` those of PCI as `pci_address` writes them, in the
    vendor's order of GPUs.
    """

    driver: str | None = None
    models: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Detector:
    """How a vendor's GPUs are told on a host: by what the kernel knows, then by the vendor's own programs.

    `pci` is the vendor's number in PCI (`0x10de`), `modules` the kernel modules of its driver. `devices` are the
    products that its device numbers stand for (`0x2330` is H100), as in `gpu.model`; a number that is not among them
    is a GPU if its class is one of `classes`, and never if it is one of `ignored`. `programs` are argument lists that
    are tried in order until one answers with status 0, also from `folders`; `read(program, output)` understands what
    it said.

    Raises (read):
        ValueError: It said something else.
    """

    pci: str
    classes: frozenset[str]
    modules: tuple[str, ...]
    devices: Mapping[str, tuple[str, ...]]
    programs: tuple[tuple[str, ...], ...]
    read: Callable[[tuple[str, ...], str], Asked]
    ignored: frozenset[str] = frozenset()
    folders: tuple[str, ...] = ()


def pci_address(text: str) -> str:
    """An address of PCI as the kernel writes it.

    >>> pci_address("00000000:1B:00.0")
    '0000:1b:00.0'

    Raises:
        ValueError: It is none.
    """
    match = _PCI_ADDRESS.fullmatch(text.strip().lower())
    if match is None:
        raise ValueError("an address of PCI is malformed")
    return f"{int(match[1], 16):04x}:{match[2]}"


@dataclass(frozen=True)
class Signs:
    """By what the configuration of other programs tells whose GPUs a node has.

    `models` are regular expressions of types as Slurm has them, in lower case with spaces for `_`, each with the model
    as in `gpu.model`, the most exact one first; `parts` is one of types that are a part of a GPU. `devices` are the
    beginnings of device files, `autodetect` the words of gres.conf, `ports` those where its exporters answer.
    """

    models: tuple[tuple[str, str], ...] = ()
    parts: str | None = None
    devices: tuple[str, ...] = ()
    autodetect: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()


@dataclass(frozen=True)
class Vendor:
    """A GPU vendor: `name` as in `gpu.vendor`, its exporter, and how its GPUs are found on a host.

    The exporter contributes the recording rules that make its metrics the vendor-neutral `gpu:*` series.
    """

    name: str
    exporter: Exporter[Any]
    detector: Detector
    signs: Signs = Signs()


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
