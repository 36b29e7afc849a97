"""dcgm-exporter as a service of the nodes with NVIDIA GPUs."""

from __future__ import annotations

from typing import Any, Final

from aamic.catalog import neutral
from aamic.catalog.base import Contribution, Exporter, Ground, Vendor
from aamic.catalog.sources import install_of
from aamic.catalog.vendors.nvidia.counters import csv, metrics, rows
from aamic.catalog.vendors.nvidia.detect import DETECTOR
from aamic.catalog.vendors.nvidia.options import DcgmOptions
from aamic.catalog.vendors.nvidia.sample import sample
from aamic.catalog.vendors.nvidia.signs import SIGNS
from aamic.model.fleet import Endpoint, GpuProbe, HostFile, Node, RuleGroup, Service, Unit
from aamic.model.quantities import duration_seconds

COUNTERS_PATH: Final = "/etc/aami/dcgm/counters.csv"
JOBS: Final = "/run/aamic/jobs/dcgm"
"""Where prolog and epilog write which job has which GPU, by jobs.sh."""
_FOLDERS: Final = "".join(f"d {folder} 0755 root root - -\n" for folder in ("/run/aamic", "/run/aamic/jobs", JOBS))
_JOBS_FILE: Final = HostFile("/etc/tmpfiles.d/aami-dcgm-jobs.conf", _FOLDERS.encode(), on_change="tmpfiles")
"""As a folder that is not there is an error in the log of each scrape, until the first job."""
_LOCAL: Final = ("localhost", "127.0.0.1", "[::1]")


def contribute(options: DcgmOptions, ground: Ground) -> Contribution:
    """The exporter on every node with NVIDIA GPUs, its counters, and the rules that make its metrics neutral."""
    hosts = tuple(name for name, node in ground.nodes.items() if node.gpu and node.gpu.vendor == "nvidia")
    if not options.enabled or not hosts:
        return Contribution()
    selected = rows(options)
    install, binary = install_of(options.source, "dcgm-exporter")
    service = Service(
        bundle="gpu-nvidia",
        hosts=hosts,
        unit=_unit(options, ground, binary),
        ports={"http": options.port},
        files=(HostFile(COUNTERS_PATH, csv(selected)), *([_JOBS_FILE] if _mapping(ground) else [])),
        install=install,
        masks=("nvidia-dcgm-exporter.service",),
    )
    endpoint = Endpoint("dcgm", options.port, "/metrics", frozenset(hosts), tuple(metrics(selected)))
    probe = GpuProbe("nvidia", options.port, "/metrics", frozenset(hosts))
    return Contribution((service,), (endpoint,), (neutral_rules(options, jobs=_mapping(ground)),), (probe,))


def _mapping(ground: Ground) -> bool:
    return ground.slurm is not None and ground.slurm.job_mapping


def _unit(options: DcgmOptions, ground: Ground, binary: str) -> Unit:
    interval = round(duration_seconds(options.collect_interval or ground.scrape_interval) * 1000)
    command: tuple[str, ...] = (binary, "-f", COUNTERS_PATH, "-a", f":{options.port}", "-c", str(interval))
    common: dict[str, Any] = {"name": "aami-dcgm-exporter", "description": "NVIDIA GPU metrics (dcgm-exporter)"}
    if _mapping(ground):
        command += (f"--hpc-job-mapping-dir={JOBS}",)
    if options.hostengine is None:
        # The exporter holds the hostengine itself: it opens the GPUs, loads NVIDIA's libraries, and needs
        # CAP_SYS_ADMIN for the DCGM_FI_PROF_* fields. NVIDIA's own unit runs it as root too.
        return Unit(
            **common,
            command=command,
            user="root",
            capabilities=("CAP_SYS_ADMIN",),
            private_devices=False,
            memory_deny_write_execute=False,
        )
    local = options.hostengine.rpartition(":")[0] in _LOCAL
    engine = ("nvidia-dcgm.service",) if local else ()
    return Unit(
        **common,
        command=(*command, "-r", options.hostengine),
        user="aami-dcgm-exporter",
        after=("network-online.target", *engine),
        wants=("network-online.target", *engine),
    )


def neutral_rules(options: DcgmOptions, *, jobs: bool = False) -> RuleGroup:
    """The recording rules from DCGM's metrics to `gpu:*`, for the fields that are collected.

    With `jobs` the exporter is told which job has which GPU.
    """
    emitted = frozenset(row.name for row in rows(options) if row.type != "label")
    return neutral.rule_group("nvidia", neutral.rows("nvidia"), emitted, jobs=jobs)


def series(options: DcgmOptions, node: Node) -> int:
    """One series for each field and GPU; more where a field has labels of its own."""
    if not options.enabled or node.gpu is None or node.gpu.vendor != "nvidia":
        return 0
    return node.gpu.count * sum(row.series(node.gpu.count) for row in rows(options))


EXPORTER: Final = Exporter("dcgm", DcgmOptions, contribute, series, sample)
VENDOR: Final = Vendor("nvidia", EXPORTER, DETECTOR, SIGNS)
