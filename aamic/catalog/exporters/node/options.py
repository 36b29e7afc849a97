"""Options of node_exporter, `exporters.node` in site.yaml."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from aamic.model.site import MetricSpec
from aamic.model.source import PackageSource, Source
from aamic.model.types import AbsolutePath, MetricName, Model, Port

Collector = Literal[
    "arp",
    "bcache",
    "bonding",
    "btrfs",
    "buddyinfo",
    "cgroups",
    "conntrack",
    "cpu",
    "cpu_vulnerabilities",
    "cpufreq",
    "diskstats",
    "dmi",
    "drbd",
    "drm",
    "edac",
    "entropy",
    "ethtool",
    "fibrechannel",
    "filefd",
    "filesystem",
    "hwmon",
    "infiniband",
    "interrupts",
    "ipvs",
    "ksmd",
    "lnstat",
    "loadavg",
    "logind",
    "mdadm",
    "meminfo",
    "meminfo_numa",
    "mountstats",
    "netclass",
    "netdev",
    "netstat",
    "network_route",
    "nfs",
    "nfsd",
    "ntp",
    "nvme",
    "os",
    "perf",
    "powersupplyclass",
    "pressure",
    "processes",
    "qdisc",
    "rapl",
    "runit",
    "schedstat",
    "selinux",
    "slabinfo",
    "sockstat",
    "softirqs",
    "softnet",
    "stat",
    "supervisord",
    "sysctl",
    "systemd",
    "tapestats",
    "tcpstat",
    "textfile",
    "thermal_zone",
    "time",
    "timex",
    "udp_queues",
    "uname",
    "vmstat",
    "watchdog",
    "wifi",
    "xfrm",
    "xfs",
    "zfs",
    "zoneinfo",
]


class Collectors(Model):
    """Which collectors differ from node_exporter's defaults; one that stands in both lists is off."""

    enable: list[Collector] = Field(
        default_factory=list,
        description="Collectors to switch on; one that the installed release does not have ends it at its start.",
    )
    disable: list[Collector] = Field(default_factory=list, description="Collectors to switch off.")


class NodeOptions(Model):
    """Prometheus' node_exporter, on every node."""

    enabled: bool = Field(default=True, description="False leaves it out.")
    port: Port = Field(default=9100, description="Port it listens on.")
    collectors: Collectors = Field(default=Collectors(), description="Which collectors run.")
    textfile_directory: AbsolutePath = Field(
        default="/var/lib/aami/textfile", description="Folder whose *.prom files it serves as well."
    )
    textfile_metrics: dict[MetricName, MetricSpec] = Field(
        default_factory=dict,
        description="Metrics of the site's own *.prom files, and others the catalog does not know.",
    )
    source: Source = Field(
        default=PackageSource(package="prometheus-node-exporter", binary="/usr/bin/prometheus-node-exporter"),
        description="Where it comes from.",
    )
