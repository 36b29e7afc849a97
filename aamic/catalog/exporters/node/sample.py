"""What node_exporter would answer on a healthy GPU server: a choice of its families, those that rules read among them.

`node_time_seconds` and `aamic_check_timestamp_seconds` are left out: they are the host's clock, and a sample must be
the same whenever it is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from aamic.catalog.base import Fault
from aamic.catalog.exporters.node.collectors import running
from aamic.catalog.exporters.node.options import NodeOptions
from aamic.catalog.exposition import Family, Sample, between, share, text
from aamic.model.fleet import Node

_GIB: Final = 2.0**30
_BOOTED: Final = 1_760_000_000.0
_APPLIED: Final = 1_764_065_700.0
"""When the release of the sample was applied, as its name says."""
_UPTIME: Final = 86_400.0
"""How long the host was up when the sample's time began, in seconds."""
_CPU_SHARES: Final = {
    "idle": 0.70,
    "iowait": 0.01,
    "irq": 0.0,
    "nice": 0.0,
    "softirq": 0.01,
    "steal": 0.0,
    "system": 0.06,
    "user": 0.22,
}
_FILE_SYSTEMS: Final = (
    ({"device": "/dev/nvme0n1p2", "fstype": "ext4", "mountpoint": "/"}, 440 * _GIB),
    ({"device": "/dev/nvme1n1", "fstype": "xfs", "mountpoint": "/scratch"}, 14_300 * _GIB),
)
_DISKS: Final = ({"device": "nvme0n1"}, {"device": "nvme1n1"})
_NICS: Final = ({"device": "eth0"}, {"device": "ib0"})
_HCAS: Final = ({"device": "mlx5_0", "port": "1"}, {"device": "mlx5_1", "port": "1"})
_MEMORY_CONTROLLERS: Final = ({"controller": "0"}, {"controller": "1"})
_SENSORS: Final = ({"chip": "nvme_nvme0", "sensor": "temp1"}, {"chip": "nvme_nvme1", "sensor": "temp1"})
_UNITS: Final = ("aami-node-exporter.service", "slurmd.service", "ssh.service")
_UNIT_STATES: Final = ("activating", "active", "deactivating", "failed", "inactive")

Labels = Mapping[str, str]


@dataclass(frozen=True)
class _Host:
    """One host at one moment, seconds after its sample's time began."""

    node: Node
    seconds: float

    def gauge(self, name: str, low: float, high: float, *labels: Labels) -> Family:
        """A reading between two bounds for each set of labels."""
        return self.family(name, "gauge", lambda key: between(low, high, key, seconds=self.seconds), *labels)

    def fixed(self, name: str, value: float, *labels: Labels) -> Family:
        """The same gauge value for each set of labels, at any time."""
        return self.family(name, "gauge", lambda _: value, *labels)

    def counter(self, name: str, rate: float, *labels: Labels) -> Family:
        """A counter that grows by about `rate` a second since the host was started."""
        elapsed = _UPTIME + self.seconds
        return self.family(name, "counter", lambda key: round((0.5 + share(key)) * rate * elapsed), *labels)

    def family(self, name: str, kind: str, value: Callable[[str], float], *labels: Labels) -> Family:
        """A family whose values depend on a key for each set of labels."""
        keyed = ((own, f"{self.node.name}/{name}/{'/'.join(own.values())}") for own in labels or ({},))
        return Family(name, kind, name.replace("_", " "), tuple(Sample(own, float(value(key))) for own, key in keyed))


def sample(options: NodeOptions, node: Node, faults: tuple[Fault, ...], seconds: float) -> str:  # noqa: ARG001  # GPUs are not its business
    """The exposition text of a node, for the collectors that run; empty where the exporter does not."""
    if not options.enabled:
        return ""
    on = running(options.collectors)
    host = _Host(node, seconds)
    return text(
        family
        for collector, families in _COLLECTORS.items()
        if collector in on
        for family in sorted(families(host), key=lambda family: family.name)
    )


def _bonding(host: _Host) -> Iterator[Family]:
    yield host.fixed("node_bonding_active", 2, {"master": "bond0"})
    yield host.fixed("node_bonding_slaves", 2, {"master": "bond0"})


def _conntrack(host: _Host) -> Iterator[Family]:
    yield host.gauge("node_nf_conntrack_entries", 200, 900)
    yield host.fixed("node_nf_conntrack_entries_limit", 262_144)


def _cpu(host: _Host) -> Iterator[Family]:
    elapsed = _UPTIME + host.seconds
    yield Family(
        "node_cpu_seconds_total",
        "counter",
        "Seconds the CPUs spent in each mode.",
        tuple(
            Sample({"cpu": str(cpu), "mode": mode}, round(part * elapsed, 2))
            for cpu in range(host.node.threads)
            for mode, part in _CPU_SHARES.items()
        ),
    )


def _diskstats(host: _Host) -> Iterator[Family]:
    yield host.counter("node_disk_io_time_seconds_total", 0.05, *_DISKS)
    yield host.counter("node_disk_read_bytes_total", 4e6, *_DISKS)
    yield host.counter("node_disk_written_bytes_total", 9e6, *_DISKS)
    yield host.counter("node_disk_reads_completed_total", 40, *_DISKS)
    yield host.counter("node_disk_writes_completed_total", 90, *_DISKS)


def _edac(host: _Host) -> Iterator[Family]:
    yield host.counter("node_edac_correctable_errors_total", 0, *_MEMORY_CONTROLLERS)
    yield host.counter("node_edac_uncorrectable_errors_total", 0, *_MEMORY_CONTROLLERS)


def _exporter(host: _Host) -> Iterator[Family]:
    build = {"branch": "HEAD", "goarch": "amd64", "goos": "linux", "goversion": "go1.19.8"}
    yield host.fixed("node_exporter_build_info", 1, {**build, "revision": "", "version": "1.5.0"})
    yield host.fixed("node_scrape_collector_success", 1, *({"collector": name} for name in _COLLECTORS))
    yield host.counter("process_cpu_seconds_total", 0.01)
    yield host.fixed("process_resident_memory_bytes", 21_000_000)
    yield host.fixed("process_start_time_seconds", _BOOTED + 30)


def _filefd(host: _Host) -> Iterator[Family]:
    yield host.gauge("node_filefd_allocated", 2000, 9000)
    yield host.fixed("node_filefd_maximum", 9.223372036854775807e18)


def _filesystem(host: _Host) -> Iterator[Family]:
    labels = tuple(own for own, _ in _FILE_SYSTEMS)
    yield Family(
        "node_filesystem_size_bytes",
        "gauge",
        "Filesystem size in bytes.",
        tuple(Sample(own, size) for own, size in _FILE_SYSTEMS),
    )
    for name, part in (("avail", 0.55), ("free", 0.6)):
        values = tuple(
            Sample(own, float(round(size * part * (0.9 + share(host.node.name, own["device"]) / 10))))
            for own, size in _FILE_SYSTEMS
        )
        yield Family(f"node_filesystem_{name}_bytes", "gauge", f"Filesystem space {name} in bytes.", values)
    yield host.fixed("node_filesystem_device_error", 0, *labels)
    yield host.fixed("node_filesystem_files", 29_000_000, *labels)
    yield host.gauge("node_filesystem_files_free", 20_000_000, 28_000_000, *labels)
    yield host.fixed("node_filesystem_readonly", 0, *labels)


def _hwmon(host: _Host) -> Iterator[Family]:
    yield host.gauge("node_hwmon_temp_celsius", 32, 52, *_SENSORS)
    yield host.fixed("node_hwmon_temp_crit_celsius", 84.85, *_SENSORS)


def _infiniband(host: _Host) -> Iterator[Family]:
    yield host.counter("node_infiniband_link_downed_total", 0, *_HCAS)
    yield host.counter("node_infiniband_link_error_recovery_total", 0, *_HCAS)
    yield host.counter("node_infiniband_port_data_received_bytes_total", 6e9, *_HCAS)
    yield host.counter("node_infiniband_port_data_transmitted_bytes_total", 6e9, *_HCAS)
    yield host.fixed("node_infiniband_physical_state_id", 5, *_HCAS)
    yield host.fixed("node_infiniband_rate_bytes_per_second", 5e10, *_HCAS)
    yield host.fixed("node_infiniband_state_id", 4, *_HCAS)
    yield host.counter("node_infiniband_symbol_error_total", 0, *_HCAS)


def _loadavg(host: _Host) -> Iterator[Family]:
    for minutes in (1, 5, 15):
        yield host.gauge(f"node_load{minutes}", 0.1 * host.node.threads, 0.4 * host.node.threads)


def _mdadm(host: _Host) -> Iterator[Family]:
    states = ("active", "failed", "spare")
    mirror = ({"device": "md0", "state": state} for state in states)
    yield host.family("node_md_disks", "gauge", lambda key: 2.0 if key.endswith("/active") else 0.0, *mirror)
    yield host.fixed("node_md_disks_required", 2, {"device": "md0"})


def _meminfo(host: _Host) -> Iterator[Family]:
    total = 2048 * _GIB
    yield host.fixed("node_memory_MemTotal_bytes", total)
    yield host.gauge("node_memory_MemAvailable_bytes", 0.5 * total, 0.8 * total)
    yield host.gauge("node_memory_MemFree_bytes", 0.2 * total, 0.4 * total)
    yield host.gauge("node_memory_Cached_bytes", 0.1 * total, 0.3 * total)
    yield host.fixed("node_memory_SwapTotal_bytes", 0)
    yield host.fixed("node_memory_SwapFree_bytes", 0)


def _netclass(host: _Host) -> Iterator[Family]:
    yield host.fixed("node_network_up", 1, *_NICS)
    yield host.fixed("node_network_speed_bytes", 1.25e10, *_NICS)
    yield host.fixed("node_network_mtu_bytes", 9000, *_NICS)
    yield host.family("node_network_carrier_changes_total", "counter", lambda _: 1.0, *_NICS)


def _netdev(host: _Host) -> Iterator[Family]:
    for way in ("receive", "transmit"):
        yield host.counter(f"node_network_{way}_bytes_total", 8e7, *_NICS)
        yield host.counter(f"node_network_{way}_packets_total", 6e4, *_NICS)
        yield host.counter(f"node_network_{way}_errs_total", 0, *_NICS)
        yield host.counter(f"node_network_{way}_drop_total", 0, *_NICS)


def _pressure(host: _Host) -> Iterator[Family]:
    for what in ("cpu_waiting", "io_stalled", "io_waiting", "memory_stalled", "memory_waiting"):
        yield host.counter(f"node_pressure_{what}_seconds_total", 0.001)


def _stat(host: _Host) -> Iterator[Family]:
    yield host.fixed("node_boot_time_seconds", round(_BOOTED + 1e6 * share(host.node.name)))
    yield host.counter("node_context_switches_total", 50_000)
    yield host.counter("node_forks_total", 5)
    yield host.gauge("node_procs_running", 1, 40)
    yield host.fixed("node_procs_blocked", 0)


def _systemd(host: _Host) -> Iterator[Family]:
    states = ({"name": unit, "state": state, "type": "simple"} for unit in _UNITS for state in _UNIT_STATES)
    yield host.family("node_systemd_unit_state", "gauge", lambda key: float("/active/" in key), *states)
    yield host.fixed("node_systemd_system_running", 1)


def check_text(node: Node) -> str:
    """What aamic-check would write on a node whose files are as they were applied."""
    return text(_check(_Host(node, 0.0)))


def _check(host: _Host) -> Iterator[Family]:
    states = ({"state": state} for state in ("changed", "missing", "ok", "permissions"))
    yield host.fixed("aamic_applied_timestamp_seconds", _APPLIED)
    yield host.fixed("aamic_apply_pending", 0)
    yield host.fixed("aamic_check_success", 1)
    yield host.family("aamic_managed_files", "gauge", lambda key: 24.0 if key.endswith("/ok") else 0.0, *states)
    yield host.fixed("aamic_release_info", 1, {"release": "20251125T101500Z-3f2c1ab"})


def _textfile(host: _Host) -> Iterator[Family]:
    yield from _check(host)
    yield host.fixed("node_textfile_scrape_error", 0)


def _timex(host: _Host) -> Iterator[Family]:
    yield host.gauge("node_timex_offset_seconds", -0.00002, 0.00002)
    yield host.gauge("node_timex_estimated_error_seconds", 0, 0.0001)
    yield host.gauge("node_timex_maxerror_seconds", 0, 0.02)
    yield host.fixed("node_timex_sync_status", 1)


def _uname(host: _Host) -> Iterator[Family]:
    system = {"domainname": "(none)", "machine": "x86_64", "nodename": host.node.name, "release": "6.1.0-25-amd64"}
    yield host.fixed("node_uname_info", 1, {**system, "sysname": "Linux", "version": "#1 SMP"})


def _vmstat(host: _Host) -> Iterator[Family]:
    yield host.family("node_vmstat_oom_kill", "untyped", lambda _: 0.0)
    yield host.family("node_vmstat_pgmajfault", "untyped", lambda key: round(1000 * share(key)))


_COLLECTORS: Final[Mapping[str, Callable[[_Host], Iterator[Family]]]] = {
    "bonding": _bonding,
    "conntrack": _conntrack,
    "cpu": _cpu,
    "diskstats": _diskstats,
    "edac": _edac,
    "exporter": _exporter,
    "filefd": _filefd,
    "filesystem": _filesystem,
    "hwmon": _hwmon,
    "infiniband": _infiniband,
    "loadavg": _loadavg,
    "mdadm": _mdadm,
    "meminfo": _meminfo,
    "netclass": _netclass,
    "netdev": _netdev,
    "pressure": _pressure,
    "stat": _stat,
    "systemd": _systemd,
    "textfile": _textfile,
    "timex": _timex,
    "uname": _uname,
    "vmstat": _vmstat,
}
