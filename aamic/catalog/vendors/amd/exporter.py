"""AMD's device-metrics-exporter as a service of the nodes with AMD GPUs."""

from __future__ import annotations

from typing import Final

from aamic.catalog import neutral
from aamic.catalog.base import Contribution, Exporter, Ground, Vendor
from aamic.catalog.sources import install_of
from aamic.catalog.vendors.amd.detect import DETECTOR
from aamic.catalog.vendors.amd.fields import config, fields, metrics, reported
from aamic.catalog.vendors.amd.options import AmdOptions
from aamic.catalog.vendors.amd.sample import HANDLER_ERRORS, sample
from aamic.catalog.vendors.amd.signs import SIGNS
from aamic.model.fleet import Endpoint, GpuProbe, HostFile, Node, Service, Unit

CONFIG_PATH: Final = "/etc/aami/amd/config.json"


def contribute(options: AmdOptions, ground: Ground) -> Contribution:
    """The exporter on every node with AMD GPUs, its configuration, and the rules that make its metrics neutral."""
    hosts = tuple(name for name, node in ground.nodes.items() if node.gpu and node.gpu.vendor == "amd")
    if not options.enabled or not hosts:
        return Contribution()
    install, binary = install_of(options.source, "amd-metrics-exporter")
    service = Service(
        bundle="gpu-amd",
        hosts=hosts,
        unit=_unit(options, binary),
        ports={"http": options.port},
        # The exporter watches the folder and reads a changed file by itself, the port too.
        files=(HostFile(CONFIG_PATH, config(options), on_change="none"),),
        install=install,
        masks=("amd-metrics-exporter.service",),
    )
    models = sorted({node.gpu.model for node in ground.nodes.values() if node.gpu and node.gpu.vendor == "amd"})
    emitted = tuple(metrics(options, models))
    endpoint = Endpoint("amd", options.port, "/metrics", frozenset(hosts), emitted)
    names = frozenset(metric.name for metric in emitted)
    told = ground.slurm is not None and ground.slurm.job_mapping
    rules = neutral.rule_group("amd", neutral.rows("amd"), names, options.prefix, jobs=told)
    probe = GpuProbe("amd", options.port, "/metrics", frozenset(hosts), options.prefix)
    return Contribution((service,), (endpoint,), (rules,), (probe,))


def _unit(options: AmdOptions, binary: str) -> Unit:
    environment = {"LD_LIBRARY_PATH": "/usr/local/metrics/lib", "GPUAGENT_EVENTS_DISABLE": "1"}
    if options.cper:
        environment["AMD_METRICS_EXPORTER_ENABLE_CPER"] = "1"
    return Unit(
        name="aami-amd-exporter",
        description="AMD GPU metrics (device-metrics-exporter)",
        command=(binary, "-amd-metrics-config", CONFIG_PATH),
        # As in AMD's own unit: it talks to gpuagent through a socket of root, and reads the GPUs' error records.
        user="root",
        after=("network-online.target", "gpuagent.service"),
        wants=("network-online.target", "gpuagent.service"),
        environment=environment,
        writable=("/run/exporter", "/var/lib/amd-metrics-exporter"),
        capabilities=("CAP_PERFMON",) if options.profiler else (),
        private_devices=False,
        memory_deny_write_execute=False,
    )


def series(options: AmdOptions, node: Node) -> int:
    """One series for each field that the model reports and GPU; more for clocks and links."""
    if not options.enabled or node.gpu is None or node.gpu.vendor != "amd":
        return 0
    present = reported(fields(options), node.gpu.model)
    per_gpu = sum(field.series() for field in present if not field.per_host)
    return node.gpu.count * per_gpu + sum(field.per_host for field in present) + len(HANDLER_ERRORS)


EXPORTER: Final = Exporter("amd", AmdOptions, contribute, series, sample)
VENDOR: Final = Vendor("amd", EXPORTER, DETECTOR, SIGNS)
