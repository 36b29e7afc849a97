"""node_exporter as a service of every node."""

from __future__ import annotations

from typing import Final

from aamic.catalog.base import Contribution, Exporter, Ground
from aamic.catalog.exporters.node.collectors import flags, metrics
from aamic.catalog.exporters.node.options import NodeOptions
from aamic.catalog.exporters.node.sample import sample
from aamic.catalog.sources import install_of
from aamic.model.fleet import Endpoint, Node, Service, Unit

_BASE_SERIES: Final = 600
_SERIES_OF_A_THREAD: Final = 22


def contribute(options: NodeOptions, ground: Ground) -> Contribution:
    """The exporter on every node."""
    if not options.enabled or not ground.nodes:
        return Contribution()
    hosts = tuple(ground.nodes)
    install, binary = install_of(options.source, "node_exporter")
    service = Service(
        bundle="node",
        hosts=hosts,
        unit=_unit(options, binary),
        ports={"http": options.port},
        install=install,
        masks=("prometheus-node-exporter.service",),
    )
    endpoint = Endpoint("node", options.port, "/metrics", frozenset(hosts), tuple(metrics(options)))
    return Contribution((service,), (endpoint,))


def _unit(options: NodeOptions, binary: str) -> Unit:
    return Unit(
        name="aami-node-exporter",
        description="Host metrics (node_exporter)",
        command=(
            binary,
            f"--web.listen-address=:{options.port}",
            f"--collector.textfile.directory={options.textfile_directory}",
            *flags(options.collectors),
        ),
        user="aami-node-exporter",
        writable=(options.textfile_directory,),
        # Hidden homes would be missing among the file systems.
        protect_home="read-only",
    )


def series(options: NodeOptions, node: Node) -> int:
    """About 600 series of a host and 22 of each CPU thread, measured on servers with the default collectors."""
    return _BASE_SERIES + _SERIES_OF_A_THREAD * node.threads if options.enabled else 0


EXPORTER: Final = Exporter("node", NodeOptions, contribute, series, sample)
