"""The fleet: every host, service, endpoint and rule that a site means, resolved and frozen; no text yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from aamic.model.dashboard import Dashboard
from aamic.model.secret import Secret
from aamic.model.site import HARD_SIGNALS, Hysteresis, Notifications
from aamic.model.tree import Stage

ServerRole = Literal["single", "shard", "central"]
Scope = Literal["shard", "central", "global"]
"""Where a rule runs: on each shard, on central, or in Thanos Rule."""
MetricType = Literal["counter", "gauge", "histogram", "summary", "untyped"]
USER_SSH_CONFIG: Final = "~/.ssh/config"
"""Honoured where it exists; a file that the site names must exist."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """The GPUs of one node; `vendor` is a name of the catalog's table."""

    vendor: str
    model: str
    count: int


@dataclass(frozen=True, slots=True)
class Node:
    """One host. `labels` are the user's target labels, rack's and node's merged; sizes are bytes.

    `ssh_user` and `ssh_port` are None where the host has none of its own.
    """

    name: str
    address: str
    rack: str | None
    gpu: Gpu | None
    labels: Mapping[str, str]
    threads: int = 64
    memory: int | None = None
    disk: int | None = None
    reserved_ports: tuple[int, ...] = ()
    ssh_user: str | None = None
    ssh_port: int | None = None


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric family that something of this fleet emits.

    `labels` are those the emitter sets (target labels such as `node` come on top); None means not declared.
    """

    name: str
    type: MetricType
    labels: frozenset[str] | None
    emitted_by: str


@dataclass(frozen=True, slots=True)
class Package:
    """A package of the distribution, from the host's configured sources."""

    name: str
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Tarball:
    """A pinned tarball; `binary` is installed to `installs_to`."""

    url: str
    sha256: str
    binary: str
    installs_to: str


@dataclass(frozen=True, slots=True)
class Unit:
    """A systemd service to render. `command` is an argument list; systemd's quoting is the renderer's work.

    `%` and `$` in `command` are literal.
    `writable` are folders the service may write; they are made for its user. `stop_seconds` are those that it has to
    end by itself; None: as many as systemd gives.
    """

    name: str
    description: str
    command: tuple[str, ...]
    user: str
    reload: bool = False
    after: tuple[str, ...] = ("network-online.target",)
    wants: tuple[str, ...] = ("network-online.target",)
    environment: Mapping[str, str] = field(default_factory=dict)
    writable: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    supplementary_groups: tuple[str, ...] = ()
    private_devices: bool = True
    protect_home: Literal["yes", "read-only", "no"] = "yes"
    memory_deny_write_execute: bool = True
    limit_nofile: int = 32_768
    umask: str | None = None
    stop_seconds: int | None = None

    @property
    def file_name(self) -> str:
        """The unit's file name, `aami-node-exporter.service`."""
        return f"{self.name}.service"


@dataclass(frozen=True, slots=True)
class HostFile:
    """A file that a service needs beside its unit; a change of it takes the service's `on_change`."""

    path: str
    content: bytes
    on_change: Literal["none", "reload", "restart", "tmpfiles"] = "restart"
    mode: int = 0o644
    group: str = "root"


@dataclass(frozen=True, slots=True)
class Service:
    """A program that runs on a set of hosts, rendered as one bundle."""

    bundle: str
    hosts: tuple[str, ...]
    unit: Unit | None
    ports: Mapping[str, int]
    files: tuple[HostFile, ...] = ()
    install: Package | Tarball | None = None
    masks: tuple[str, ...] = ()
    """Units of the distribution that would listen on the same port; they are masked on these hosts."""
    textfiles: str | None = None
    """The folder whose *.prom files this service serves as metrics of its hosts, if it does."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where metrics are read: one job, the same port and path on every host."""

    job: str
    port: int
    path: str
    hosts: frozenset[str]
    metrics: tuple[Metric, ...]


@dataclass(frozen=True, slots=True)
class GpuProbe:
    """How a node reads its own GPUs: the exporter of one vendor, on these hosts.

    `prefix` stands before every metric name of the vendor's `metrics.yaml`.
    """

    vendor: str
    port: int
    path: str
    hosts: frozenset[str]
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class RecordingRule:
    """A recording rule; `labels` are added to each series.

    One that is `rare` has no series of most nodes and GPUs: it is there only while something is wrong.
    """

    record: str
    expr: str
    labels: Mapping[str, str] = field(default_factory=dict)
    rare: bool = False


@dataclass(frozen=True, slots=True)
class AlertRule:
    """An alerting rule. `origin` is where it was declared: a preset's name, or `alerts.custom`."""

    name: str
    expr: str
    severity: str
    summary: str
    description: str
    runbook_url: str
    for_: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    origin: str = ""


@dataclass(frozen=True, slots=True)
class RuleGroup:
    """Rules that run one after another, in one file of that scope."""

    name: str
    scope: Scope
    rules: tuple[RecordingRule | AlertRule, ...]


@dataclass(frozen=True, slots=True)
class Load:
    """What a Prometheus server is predicted to carry: active series, samples a second, bytes of RAM and disk."""

    series: int
    samples_per_second: float
    memory: int
    disk: int


@dataclass(frozen=True, slots=True)
class Server:
    """One Prometheus process.

    `name` is `shard-1`, `central` or `prometheus`; `replica` tells the servers of an HA pair apart.
    `nodes` are the names of the hosts it scrapes, in natural order.
    """

    name: str
    role: ServerRole
    replica: str | None
    host: str
    port: int
    nodes: tuple[str, ...]
    racks: tuple[str, ...]
    external_labels: Mapping[str, str]
    scrape_interval: str
    scrape_timeout: str
    evaluation_interval: str
    retention: str
    retention_size: str | None
    storage_path: str
    load: Load

    @property
    def title(self) -> str:
        """`shard-1/a`; `central` where there is one of its kind."""
        return f"{self.name}/{self.replica}" if self.replica else self.name

    @property
    def unit_name(self) -> str:
        """`aami-prometheus-shard-1`; the single server is `aami-prometheus`."""
        return "aami-prometheus" if self.role == "single" else f"aami-prometheus-{self.name}"

    @property
    def stage(self) -> Stage:
        """When its files are rolled out: a single server and central after everything they read."""
        return "shards" if self.role == "shard" else "central"

    @property
    def config_dir(self) -> str:
        """Folder of this server's configuration on its host."""
        return f"/etc/aami/{self.unit_name.removeprefix('aami-')}"

    @property
    def targets_path(self) -> str:
        """The file_sd file with one group for each node this server scrapes."""
        return f"/var/lib/aami/targets/{self.name}-nodes.json"


@dataclass(frozen=True, slots=True)
class Alertmanager:
    """One Alertmanager process; `peers` are the host:port gossip addresses of the others."""

    host: str
    port: int
    cluster_port: int
    peers: tuple[str, ...]
    retention: str


@dataclass(frozen=True, slots=True)
class Federation:
    """How central reads the shards; `match` are the selectors."""

    match: tuple[str, ...]
    interval: str
    timeout: str


@dataclass(frozen=True, slots=True)
class Rollout:
    """How an apply goes over the hosts; times are seconds.

    `batch` is as written: a number of hosts, or a percentage of those of a stage. `job_timeout` is what a test job and
    the questions around it may take where Slurm hooks change, 0 where there are none.
    """

    canary: int = 1
    batch: int | str = "20%"
    max_failures: int = 0
    confirm_timeout: float = 120.0
    settle: float = 5.0
    ready_timeout: float = 60.0
    gate_timeout: float = 45.0
    job_timeout: float = 0.0


@dataclass(frozen=True, slots=True)
class Limit:
    """Bounds of one measured value; None is never crossed. Below `clear` a crossing is over."""

    warn: float | None
    fail: float | None
    clear: float | None


@dataclass(frozen=True, slots=True)
class GpuThresholds:
    """Bounds by the name of the value (`temperature_celsius`), for a vendor's GPUs, or one `model` of it."""

    vendor: str
    model: str | None
    limits: Mapping[str, Limit]


@dataclass(frozen=True, slots=True)
class HealthPolicy:
    """What makes a node warn or fail. Of `thresholds` the last that fits wins, for each value.

    `codes` are fatal error codes by vendor, where they are not the catalog's. `interval` is in seconds.
    """

    drain_on: tuple[str, ...] = HARD_SIGNALS
    codes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    thresholds: tuple[GpuThresholds, ...] = ()
    breaches: int = Hysteresis().breaches
    clears: int = Hysteresis().clears
    interval: int = 30


@dataclass(frozen=True, slots=True)
class CanaryJob:
    """The job that proves hooks on a canary; `timeout` is in seconds."""

    user: str
    partition: str | None
    account: str | None
    qos: str | None
    timeout: int


@dataclass(frozen=True, slots=True)
class SlurmSettings:
    """The Slurm cluster of a site. `nodes` run slurmd and get the hooks; `max_drained` is a number of them.

    `version` is (22, 5), or None where the site does not say. `token` is a reference to a secret.
    """

    controller: str
    nodes: tuple[str, ...]
    version: tuple[int, int] | None
    conf_dir: str
    shared_conf: bool
    endpoint: str | None
    user: str
    token: Secret | None
    pre_job_check: bool
    post_job_check: bool
    auto_drain: Literal["off", "shadow", "on"]
    health: HealthPolicy
    max_drained: int
    job_mapping: bool
    canary_job: CanaryJob | None
    exporter: bool


@dataclass(frozen=True, slots=True)
class SshSettings:
    """How hosts are logged in to; times are seconds.

    Paths are as written: relative to the site, or with `~`. `user`, `port` and `become` are None where the site leaves
    them open; `known_hosts` None means the usual files, and `config` None means that no file is honoured.
    """

    user: str | None = None
    port: int | None = None
    key: str | None = None
    agent: bool = True
    known_hosts: str | None = None
    become: Literal["sudo", "none"] | None = None
    gateway: str | None = None
    config: str | None = USER_SSH_CONFIG
    max_parallel: int = 50
    connect_timeout: float = 10.0
    command_timeout: float = 300.0
    max_attempts: int = 3
    backoff_base: float = 2.0
    backoff_max: float = 30.0


@dataclass(frozen=True, slots=True)
class RemoteCluster:
    """Another cluster as it is read from here; `timeout` is in seconds.

    `tls_cert` and `tls_ca_cert` are paths as written, `certificate` and `authorities` the PEM that stands there; both
    are None where the site names none. `api_key` and `tls_key` are references to secrets.
    """

    name: str
    endpoint: str
    kind: Literal["aami", "prometheus"]
    api_key: Secret | None
    tls_cert: str | None
    tls_key: Secret | None
    tls_ca_cert: str | None
    labels: Mapping[str, str]
    timeout: float
    federate: bool
    certificate: bytes | None = None
    authorities: bytes | None = None


@dataclass(frozen=True, slots=True)
class Serve:
    """`aamic serve` on a host; `keys` are (name, SHA-256 of the key), `rate` requests a minute, `timeout` seconds.

    `certificate` and `client_authorities` are PEM; without a certificate it listens on loopback alone.
    """

    host: str
    address: str | None
    port: int
    program: str
    install: Package | Tarball | None
    certificate: bytes | None
    tls_key: Secret | None
    client_authorities: bytes | None
    keys: tuple[tuple[str, str], ...]
    rate: int
    timeout: float


ThanosKind = Literal["sidecar", "query", "store", "compact", "rule"]
THANOS_JOBS: Final[Mapping[ThanosKind, str]] = {kind: f"thanos-{kind}" for kind in get_args(ThanosKind)}
"""Scrape jobs by kind. Their targets have the label `host`, and no `node`: what is up does not tell that a node is."""


@dataclass(frozen=True, slots=True)
class ThanosComponent:
    """One process of Thanos. `server` is the Prometheus that a sidecar stands beside, None of all others."""

    kind: ThanosKind
    name: str
    host: str
    http_port: int
    grpc_port: int | None
    server: Server | None = None

    @property
    def unit_name(self) -> str:
        """`aami-thanos-query`; `aami-thanos-sidecar-shard-1` of a sidecar."""
        return f"aami-thanos-{self.name}"

    @property
    def job(self) -> str:
        """The scrape job in which central reads its kind."""
        return THANOS_JOBS[self.kind]


@dataclass(frozen=True, slots=True)
class Thanos:
    """Thanos of a site. `bucket` is the secret that configures it, or the folder that is one; None without.

    `version` are its numbers, `(0, 42, 5)`. `rules` of the scope `global` run in the component `rule`.
    """

    version: tuple[int, int, int]
    program: str
    install: Tarball | None
    components: tuple[ThanosComponent, ...]
    bucket: Secret | str | None
    retention_raw: str
    retention_downsampled: str
    ruler_retention: str | None = None

    def of(self, kind: ThanosKind) -> tuple[ThanosComponent, ...]:
        """The components of one kind."""
        return tuple(each for each in self.components if each.kind == kind)


@dataclass(frozen=True, slots=True)
class Grafana:
    """Grafana of a site; `folder` is that of its dashboards. Certificates are PEM."""

    host: str
    port: int
    root_url: str | None
    folder: str
    admin_user: str
    admin_password: Secret
    anonymous: bool
    certificate: bytes | None
    tls_key: Secret | None
    install: Package | Tarball
    binary: str
    home: str


@dataclass(frozen=True, slots=True)
class Fleet:
    """Everything the artifacts render from. `weights` are the series that each node is predicted to be scraped for."""

    cluster: str
    labels: Mapping[str, str]
    nodes: Mapping[str, Node]
    endpoints: tuple[Endpoint, ...]
    services: tuple[Service, ...]
    servers: tuple[Server, ...]
    federation: Federation | None
    alertmanagers: tuple[Alertmanager, ...]
    notifications: Notifications
    rules: tuple[RuleGroup, ...]
    prometheus_install: Package | Tarball
    prometheus_binary: str
    alertmanager_install: Package | Tarball
    alertmanager_binary: str
    warnings: tuple[str, ...] = ()
    rollout: Rollout = field(default_factory=Rollout)
    ssh: SshSettings = field(default_factory=SshSettings)
    probes: tuple[GpuProbe, ...] = ()
    slurm: SlurmSettings | None = None
    health: HealthPolicy = field(default_factory=HealthPolicy)
    clusters: tuple[RemoteCluster, ...] = ()
    serve: Serve | None = None
    weights: Mapping[str, int] = field(default_factory=dict)
    thanos: Thanos | None = None
    grafana: Grafana | None = None
    dashboards: tuple[Dashboard, ...] = ()
    """What Grafana shows, as far as this site can feed it; empty without Grafana."""
    unfed: tuple[Dashboard, ...] = ()
    """Those of which this site feeds nothing: each says why."""

    def address(self, host: str, port: int) -> str:
        """`address:port` of a host, IPv6 in brackets."""
        address = self.nodes[host].address
        return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
