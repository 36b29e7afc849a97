"""node_exporter as a service of every node."""

from __future__ import annotations

from typing import Final

from aamic.catalog.base import Contribution, Exporter, Ground
from aamic.catalog.exporters.node.collectors import flags, metrics, running
from aamic.catalog.exporters.node.options import NodeOptions
from aamic.catalog.exporters.node.sample import sample
from aamic.catalog.sources import install_of
from aamic.model.fleet import Endpoint, HostFile, Node, Service, Unit

_NEEDS: Final = {"perf": "CAP_PERFMON", "slabinfo": "CAP_DAC_READ_SEARCH", "rapl": "CAP_DAC_READ_SEARCH"}
"""What a collector reads that only root may; the defaults do without, as rapl then says by its own success metric."""
_BASE_SERIES: Final = 600
_SERIES_OF_A_THREAD: Final = 22
_SERIES_OF_THE_CHECK: Final = 10
"""What aamic-check writes, and the time of its file."""


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
        files=_textfile_folder(options),
        install=install,
        masks=("prometheus-node-exporter.service",),
        textfiles=options.textfile_directory if _has_textfiles(options) else None,
    )
    endpoint = Endpoint("node", options.port, "/metrics", frozenset(hosts), tuple(metrics(options, _parts(ground))))
    return Contribution((service,), (endpoint,))


def _parts(ground: Ground) -> frozenset[str]:
    """What of Slurm's side writes textfiles: the node check where a node of Slurm has GPUs, the drain controller."""
    slurm = ground.slurm
    if slurm is None:
        return frozenset()
    drains = slurm.auto_drain != "off"
    checks = (drains or slurm.pre_job_check) and any(ground.nodes[name].gpu for name in slurm.nodes)
    return frozenset(name for name, here in (("node check", checks), ("drain controller", drains)) if here)


def _has_textfiles(options: NodeOptions) -> bool:
    return "textfile" in running(options.collectors)


def _textfile_folder(options: NodeOptions) -> tuple[HostFile, ...]:
    """Makes the folder that is aamic's own; one that the site names has an owner already."""
    if options.textfile_directory != NodeOptions().textfile_directory:
        return ()
    line = f"d {options.textfile_directory} 0755 root root - -\n"
    return (HostFile("/etc/tmpfiles.d/aami-node-exporter.conf", line.encode(), on_change="tmpfiles"),)


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
        capabilities=tuple(sorted({_NEEDS[name] for name in options.collectors.enable if name in _NEEDS})),
        # Hidden homes would be missing among the file systems.
        protect_home="read-only",
    )


def series(options: NodeOptions, node: Node) -> int:
    """About 600 series of a host and 22 of each CPU thread, with the default collectors; 10 of aamic's own check."""
    if not options.enabled:
        return 0
    check = _SERIES_OF_THE_CHECK if _has_textfiles(options) else 0
    return _BASE_SERIES + _SERIES_OF_A_THREAD * node.threads + check


EXPORTER: Final = Exporter("node", NodeOptions, contribute, series, sample)
