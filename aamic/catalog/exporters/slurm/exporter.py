"""The Slurm exporter as a service of the controller."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from aamic.catalog import emits
from aamic.catalog.base import Contribution, Exporter, Ground
from aamic.catalog.exporters.slurm.options import SlurmOptions
from aamic.catalog.exporters.slurm.sample import sample
from aamic.catalog.sources import install_of
from aamic.model.fleet import Endpoint, Metric, Node, Service, Unit

_FOLDER: Final = Path(__file__).parent


def contribute(options: SlurmOptions, ground: Ground) -> Contribution:
    """The exporter on the Slurm controller, if the site has one."""
    if not options.enabled or ground.slurm is None or not ground.slurm.exporter:
        return Contribution()
    hosts = (ground.slurm.controller,)
    install, binary = install_of(options.source, "prometheus-slurm-exporter")
    fallback = "true" if options.cli_fallback else "false"
    unit = Unit(
        name="aami-slurm-exporter",
        description="Slurm metrics (prometheus-slurm-exporter)",
        command=(binary, f"-web.listen-address=:{options.port}", f"-slurm.cli-fallback={fallback}"),
        user="aami-slurm-exporter",
        # squeue and sinfo prove who they are through munge.
        after=("network-online.target", "munge.service", "slurmctld.service"),
    )
    service = Service(
        bundle="slurm",
        hosts=hosts,
        unit=unit,
        ports={"http": options.port},
        install=install,
        masks=("prometheus-slurm-exporter.service",),
    )
    endpoint = Endpoint("slurm", options.port, "/metrics", frozenset(hosts), tuple(metrics()))
    return Contribution((service,), (endpoint,))


def known() -> Mapping[str, Mapping[str, Any]]:
    """The sections of emits.yaml by name; those that are no default need flags which aamic does not set."""
    sections: Mapping[str, Mapping[str, Any]] = emits.table(_FOLDER)["collectors"]
    return sections


def metrics() -> Iterator[Metric]:
    """What the exporter emits with the flags that it is given."""
    for section in known().values():
        if section["default"]:
            for name, spec in section["metrics"].items():
                yield from emits.metric("slurm", name, spec["type"], spec.get("labels", ()))


def series(options: SlurmOptions, node: Node) -> int:  # noqa: ARG001  # what every exporter is asked with
    """Nothing: a node does not tell whether it is the controller, and one host's few hundred series weigh little."""
    return 0


EXPORTER: Final = Exporter("slurm", SlurmOptions, contribute, series, sample)
