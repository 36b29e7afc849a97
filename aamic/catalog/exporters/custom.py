"""Exporters of the site's own: everything they contribute stands in site.yaml."""

from __future__ import annotations

from typing import Final

from aamic.catalog import emits
from aamic.catalog.base import Contribution
from aamic.catalog.exposition import Family, Sample, between, text
from aamic.catalog.sources import install_of
from aamic.model.fleet import Endpoint, MetricType, Node, Package, Service, Tarball, Unit
from aamic.model.site import CustomExporter

_SHOWN_AS: Final[dict[MetricType, MetricType]] = {"histogram": "untyped", "summary": "untyped"}


def contribute(spec: CustomExporter, hosts: tuple[str, ...]) -> Contribution:
    """The exporter on these hosts; without a command it is only scraped.

    With a tarball as its source, the first word of the command is the tarball's program, wherever it is installed.
    Without hosts it still says what it would emit: hosts that are unknown are a fault, rules that read it are none.
    """
    metrics = tuple(
        metric
        for name, declared in spec.metrics.items()
        for metric in emits.metric(spec.name, name, declared.type, declared.labels)
    )
    endpoint = Endpoint(spec.name, spec.port, spec.path, frozenset(hosts), metrics)
    if not hosts or (spec.command is None and spec.source is None):
        return Contribution(endpoints=(endpoint,))
    install, binary = install_of(spec.source, f"custom-{spec.name}") if spec.source else (None, "")
    service = Service(
        bundle=f"custom-{spec.name}",
        hosts=hosts,
        unit=_unit(spec, install, binary),
        ports={"http": spec.port},
        install=install,
    )
    return Contribution((service,), (endpoint,))


def _unit(spec: CustomExporter, install: Package | Tarball | None, binary: str) -> Unit | None:
    if spec.command is None:
        return None
    program = binary if isinstance(install, Tarball) else spec.command[0]
    return Unit(
        name=f"aami-{spec.name}",
        description=f"Metrics of {spec.name}",
        command=(program, *spec.command[1:]),
        user=spec.user or f"aami-{spec.name}",
        # What it reads and writes is not known here: only what no exporter should need stays closed.
        private_devices=False,
        memory_deny_write_execute=False,
    )


def sample(spec: CustomExporter, node: Node, seconds: float) -> str:
    """One series for each declared metric; each of its labels has the value `sample`."""
    return text(
        Family(
            name,
            _SHOWN_AS.get(declared.type, declared.type),
            f"Declared by exporter {spec.name}.",
            (
                Sample(
                    dict.fromkeys(declared.labels or (), "sample"),
                    _value(declared.type, f"{node.name}/{name}", seconds),
                ),
            ),
        )
        for name, declared in spec.metrics.items()
    )


def _value(kind: MetricType, key: str, seconds: float) -> float:
    return float(round(seconds)) if kind == "counter" else round(between(1, 100, key, seconds=seconds), 3)
