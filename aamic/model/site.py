"""The desired state as the user writes it: one class for each mapping of site.yaml.

Everything here is checked alone; what needs two keys at once (a node in two shards, a port taken) is checked by
`compile.check`. The catalog's exporters add their options under `exporters:` (see `compile.schema.site_model`).
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Discriminator, Field, Tag

from aamic.model.clusters import RemoteCluster, Serve
from aamic.model.grafana import Grafana
from aamic.model.secret import Secret
from aamic.model.source import PackageSource, Source
from aamic.model.thanos import Thanos
from aamic.model.types import (
    AbsolutePath,
    Address,
    Bound,
    Count,
    Duration,
    Expr,
    HostList,
    HttpPath,
    HttpUrl,
    JumpHost,
    Keep,
    LabelName,
    Labels,
    Line,
    MetricName,
    Model,
    Name,
    NodeName,
    Percent,
    Port,
    RestUrl,
    Size,
    UserName,
    Whole,
    host_port,
    text,
)

Severity = Literal["info", "warning", "critical"]
Preset = Literal["node", "gpu", "slurm", "federation", "clusters", "aamic"]


class Cluster(Model):
    """Who this cluster is."""

    name: Name = Field(description="Value of the `cluster` label on every series.")
    labels: Labels = Field(default={}, description="Further external labels of every Prometheus.")


class Gpu(Model):
    """The GPUs of a node."""

    vendor: Name = Field(description="A vendor of the catalog, such as nvidia.")
    model: Line = Field(description="Product name, such as H100 or MI300X.")
    count: Annotated[int, Whole(1, 64)] = Field(description="GPUs in one node.")


class SshLogin(Model):
    """How to log in to nodes, where that differs from the site's `ssh`."""

    user: UserName | None = Field(default=None, description="User to log in as.")
    port: Port | None = Field(default=None, description="Port of the host's sshd.")


class Rack(Model):
    """Nodes that stand together."""

    nodes: HostList = Field(description="Slurm host list of the rack's nodes.")
    addresses: HostList | None = Field(
        default=None, description="Host list of their addresses, paired in order; without it the names are resolved."
    )
    gpu: Gpu | None = Field(default=None, description="GPUs of each node.")
    labels: Labels = Field(default={}, description="Target labels of each node.")
    ssh: SshLogin | None = Field(default=None, description="How to log in to each node.")


class NodeSpec(Model):
    """Nodes in no rack, or what differs from their rack."""

    address: Address | None = Field(default=None, description="Address of a single node.")
    addresses: HostList | None = Field(default=None, description="Addresses of several nodes, paired in order.")
    rack: Name | None = Field(default=None, description="Rack the node stands in, for nodes in no rack's host list.")
    gpu: Gpu | None = Field(default=None, description="GPUs of each node.")
    labels: Labels = Field(default_factory=dict, description="Target labels; they win over the rack's.")
    memory: Size | None = Field(default=None, description="RAM of the host, for the capacity check.")
    disk: Size | None = Field(default=None, description="Disk under the storage path, for the capacity check.")
    threads: Count | None = Field(default=None, description="CPU threads, for the series prediction; 64 if absent.")
    reserved_ports: list[Port] = Field(
        default_factory=list, description="Ports that other software on this host listens on."
    )
    ssh: SshLogin | None = Field(default=None, description="How to log in; it wins over the rack's.")


class Prometheus(Model):
    """What every Prometheus server of the site shares."""

    node: NodeName | None = Field(default=None, description="Host of the one server when federation is off.")
    port: Port = Field(default=9090, description="First port to try on each host.")
    scrape_interval: Duration = Field(default="15s", description="How often targets are read.")
    scrape_timeout: Duration = Field(default="10s", description="At most the scrape interval.")
    evaluation_interval: Duration = Field(default="15s", description="How often rules run.")
    retention: Duration = Field(default="15d", description="How long samples are kept.")
    retention_size: Size | None = Field(default=None, description="Upper bound of the storage, if any.")
    storage_path: AbsolutePath = Field(
        default="/var/lib/aami", description="Folder that holds one data folder for each server."
    )
    source: Source = Field(
        default=PackageSource(package="prometheus", binary="/usr/bin/prometheus"), description="Where it comes from."
    )


class ShardPrometheus(Model):
    """What one shard's server does differently."""

    port: Port | None = Field(default=None, description="Port of this shard.")
    storage_path: AbsolutePath | None = Field(default=None, description="Data folder of this shard.")
    retention: Duration | None = Field(default=None, description="How long this shard keeps samples.")


class ShardSpec(Model):
    """One shard of an explicit list."""

    name: Name = Field(description="Value of the `shard` label.")
    nodes: HostList | None = Field(default=None, description="Host list of nodes it scrapes.")
    racks: list[Name] = Field(default=[], description="Racks it scrapes.")
    host: NodeName | None = Field(default=None, description="Where it runs; else the next of `shard_nodes`.")
    prometheus: ShardPrometheus = Field(default=ShardPrometheus(), description="What differs from `prometheus`.")


class Central(Model):
    """The server that federates from the shards."""

    port: Port | None = Field(default=None, description="Port; else the first free one from `prometheus.port`.")
    storage_path: AbsolutePath | None = Field(default=None, description="Data folder.")
    retention_raw: Keep | None = Field(
        default=None,
        description="How long central keeps its samples, and the bucket of Thanos all raw ones; `0d` there means for "
        "ever.",
    )
    retention_downsampled: Keep | None = Field(
        default=None,
        description="How long the bucket of Thanos keeps downsampled ones, `0d` for ever; without a bucket it is "
        "ignored, with a warning.",
    )
    federate_interval: Duration = Field(default="60s", description="How often shards are read.")
    federate_timeout: Duration = Field(default="50s", description="At most the federate interval.")


def _whether_list(value: Any) -> str:
    return "(list)" if isinstance(value, list | tuple) else "(one)"


def _flag_or_path(value: Any) -> str:
    return "(flag)" if isinstance(value, bool) else "(path)"


class Federation(Model):
    """How the scraping is spread over servers."""

    enabled: bool = Field(default=True, description="Without, one Prometheus scrapes everything.")
    type: Literal["prometheus", "thanos"] = Field(
        default="prometheus",
        description="`prometheus`: central reads aggregates; `thanos`: the key `thanos` adds what reads all samples.",
    )
    central_node: NodeName | None = Field(default=None, description="Host of the central server.")
    by: Literal["auto", "rack", "count"] = Field(
        default="auto",
        description="`rack` keeps racks whole; `auto` balances the predicted series of nodes, `count` their number.",
    )
    shards: Annotated[
        Annotated[int, Whole(1, 1000), Tag("(one)")]
        | Annotated[Annotated[list[ShardSpec], Field(min_length=1, max_length=1000)], Tag("(list)")],
        Discriminator(_whether_list),
    ] = Field(default=1, description="How many shards, or the list of them.")
    shard_nodes: HostList | None = Field(default=None, description="Hosts of the shards, round robin.")
    replicas: Annotated[int, Whole(1, 2)] = Field(default=1, description="2 makes each shard an HA pair.")
    match: Annotated[
        Annotated[Literal["aggregates", "raw"], Tag("(one)")]
        | Annotated[Annotated[list[Expr], Field(min_length=1)], Tag("(list)")],
        Discriminator(_whether_list),
    ] = Field(default="aggregates", description="What central reads: aggregates, raw, or a list of selectors.")
    central: Central = Field(default=Central(), description="The central server.")


class Alertmanager(Model):
    """Alertmanager; several nodes make an HA cluster."""

    nodes: HostList = Field(description="Hosts it runs on.")
    port: Port = Field(default=9093, description="HTTP port.")
    cluster_port: Port = Field(default=9094, description="Gossip port between several of them.")
    retention: Duration = Field(default="120h", description="How long silences and notifications are kept.")
    source: Source = Field(
        default=PackageSource(package="prometheus-alertmanager", binary="/usr/bin/prometheus-alertmanager"),
        description="Where it comes from.",
    )


class CustomAlert(Model):
    """An alert of the site's own."""

    name: Annotated[
        str,
        text(
            "^[a-zA-Z_][a-zA-Z0-9_]*$",
            "alert name",
            "a name such as `HotRack`: letters, digits and `_`, not beginning with a digit",
            max_length=128,
        ),
    ] = Field(description="Alert name.")
    expr: Expr = Field(description="PromQL; every metric in it must exist in this site.")
    for_: Duration | None = Field(default=None, alias="for", description="How long it must hold before it fires.")
    severity: Severity = Field(default="warning", description="Decides who is told.")
    summary: Line | None = Field(default=None, description="One line; Prometheus templates such as {{ $value }} work.")
    description: Annotated[str, Field(max_length=10_000)] | None = Field(default=None, description="More about it.")
    runbook_url: HttpUrl | None = Field(default=None, description="Where to read what to do.")
    labels: Labels = Field(default={}, description="Further labels of the alert.")
    scope: Literal["shard", "central", "global"] = Field(
        default="shard",
        description="`shard` sees raw metrics of its nodes; `central` sees aggregates of all; `global` sees raw "
        "metrics of all, by `thanos.ruler`.",
    )


class Alerts(Model):
    """Which alerts there are."""

    presets: list[Preset] = Field(
        default=["node", "gpu", "federation", "clusters", "aamic"], description="Sets of alerts that come with aamic."
    )
    disable: list[Name] = Field(default=[], description="Alerts of the presets that this site does not want.")
    custom: list[CustomAlert] = Field(default=[], description="The site's own alerts.")
    runbook_base: HttpUrl = Field(
        default="https://runbooks.example.com/aamic", description="Runbook URLs are this, a slash and the alert's name."
    )


class Slack(Model):
    """A Slack channel."""

    webhook_url: Secret = Field(description="Reference to the incoming webhook's URL.")
    channel: Line | None = Field(default=None, description="Channel, such as #gpu.")
    severities: list[Severity] = Field(default=["critical", "warning", "info"], description="What it is told of.")


class Email(Model):
    """Mail through a smarthost."""

    to: Line = Field(description="Recipients, separated by commas.")
    from_: Line = Field(alias="from", description="Sender.")
    smarthost: Annotated[str, host_port("mail.example.com:587")] = Field(description="host:port of SMTP.")
    username: Line | None = Field(default=None, description="SMTP user.")
    password: Secret | None = Field(default=None, description="Reference to the SMTP password.")
    require_tls: bool = Field(default=True, description="Refuse to send without STARTTLS.")
    severities: list[Severity] = Field(default=["critical", "warning"], description="What it is told of.")


class Webhook(Model):
    """An HTTP receiver."""

    url: HttpUrl = Field(description="Where alerts are posted; no secret belongs in it.")
    token: Secret | None = Field(default=None, description="Reference to a bearer token.")
    severities: list[Severity] = Field(default=["critical", "warning", "info"], description="What it is told of.")


class PagerDuty(Model):
    """PagerDuty's events API v2."""

    routing_key: Secret = Field(description="Reference to the integration key.")
    severities: list[Severity] = Field(default=["critical"], description="What it is told of.")


class Notifications(Model):
    """Who is told."""

    slack: Slack | None = Field(default=None, description="A Slack channel.")
    email: Email | None = Field(default=None, description="Mail.")
    webhook: Webhook | None = Field(default=None, description="An HTTP receiver.")
    pagerduty: PagerDuty | None = Field(default=None, description="PagerDuty.")


def _percent_or_count(value: Any) -> str:
    return "(percentage)" if isinstance(value, str) else "(count)"


PercentOrCount = Annotated[
    Annotated[Percent, Tag("(percentage)")] | Annotated[Count, Tag("(count)")], Discriminator(_percent_or_count)
]
DrainSignal = Literal[
    "fatal_error",
    "lost_gpu",
    "uncorrected_ecc",
    "row_remap_failure",
    "unhealthy",
    "temperature",
    "memory_temperature",
    "corrected_ecc",
    "throttling",
    "row_remap_pending",
    "health_warning",
]
HARD_SIGNALS: Final[tuple[DrainSignal, ...]] = (
    "fatal_error",
    "lost_gpu",
    "uncorrected_ecc",
    "row_remap_failure",
    "unhealthy",
)
"""Signals that need no second look; of the others several checks in a row must say the same."""


class SlurmAuth(Model):
    """How slurmrestd is asked: a JSON Web Token of `scontrol token`."""

    user: UserName = Field(default="root", description="Value of the header X-SLURM-USER-NAME.")
    token: Secret = Field(description="Reference to the token.")


class Limits(Model):
    """Bounds of one measured value; an absent one is never crossed."""

    warn: Bound | None = Field(default=None, description="From here on it is a warning.")
    fail: Bound | None = Field(default=None, description="From here on the GPU fails.")
    clear: Bound | None = Field(default=None, description="Below this it is over; the lowest of the others if absent.")


class GpuLimits(Model):
    """Bounds for the GPUs of one vendor, or of one model of it; a bound that is not written stays as it was."""

    vendor: Name = Field(description="A vendor of the catalog.")
    model: Line | None = Field(default=None, description="Product name as in `gpu.model`; every model if absent.")
    temperature_celsius: Limits | None = Field(default=None, description="Temperature of the GPU.")
    memory_temperature_celsius: Limits | None = Field(default=None, description="Temperature of its memory.")
    ecc_corrected_per_hour: Limits | None = Field(default=None, description="Corrected memory errors in an hour.")
    throttle_ratio: Limits | None = Field(
        default=None, description="Share of time slowed down by its temperature, from 0 to 1."
    )


class Health(Model):
    """How GPUs are judged, with Slurm or without."""

    thresholds: list[GpuLimits] = Field(
        default=[],
        description="Bounds by vendor and model, over the catalog's; a later entry wins, and `slurm.thresholds` too.",
    )


class Hysteresis(Model):
    """How many checks in a row must agree before a soft signal counts, and before it is over."""

    breaches: Annotated[int, Whole(1, 1000)] = Field(default=3, description="Checks in a row above a bound.")
    clears: Annotated[int, Whole(1, 1000)] = Field(default=5, description="Checks in a row below `clear`.")


class CanaryJob(Model):
    """The job that an apply sends through new hooks on a canary."""

    enabled: bool = Field(default=True, description="False applies hooks that no job has been through.")
    user: UserName = Field(default="root", description="User on the controller who runs `srun`.")
    partition: Name | None = Field(default=None, description="Partition; Slurm's default if absent.")
    account: Name | None = Field(default=None, description="Account, where Slurm asks for one.")
    qos: Name | None = Field(default=None, description="Quality of service, where Slurm asks for one.")
    timeout: Duration = Field(default="60s", description="Longest wait for the job to start and end.")


class Slurm(Model):
    """The Slurm cluster on these nodes, and what aamic may do in it."""

    enabled: bool = Field(default=True, description="False leaves Slurm alone.")
    controller: NodeName = Field(
        description="Host of slurmctld; the Slurm exporter and the drain controller run there."
    )
    nodes: HostList | None = Field(
        default=None, description="Nodes that run slurmd and get the hooks; every node with GPUs if absent."
    )
    version: (
        Annotated[
            str,
            text(
                "^[0-9]{2}[.](02|05|08|11)$",
                "release of Slurm",
                'a release in quotes, such as `"22.05"` or `"24.11"`',
                "22.05",
            ),
        ]
        | None
    ) = Field(default=None, description="Slurm's release, in quotes; absent: only what every release understands.")
    conf_dir: AbsolutePath = Field(default="/etc/slurm", description="Folder of slurm.conf.")
    shared_conf: bool = Field(
        default=False,
        description="True: nodes that take slurm.conf from slurmctld or a shared folder get hooks too. Every node of "
        "Slurm, and every image that one starts from, must then have the hooks' folders: one without them is drained.",
    )
    endpoint: RestUrl | None = Field(
        default=None, description="URL of slurmrestd; Slurm's commands on the controller are used if absent."
    )
    auth: SlurmAuth | None = Field(default=None, description="How slurmrestd is asked.")
    pre_job_check: bool = Field(
        default=False, description="A prolog that reads the node's verdict; it refuses jobs where `auto_drain` is on."
    )
    post_job_check: bool = Field(
        default=False, description="An epilog that keeps a journal of jobs, their GPUs, and the node's verdict."
    )
    auto_drain: Literal["off", "shadow", "on"] = Field(
        default="shadow",
        description="`off` decides nothing; `shadow` tells what would be drained or refused; `on` does it.",
    )
    drain_on: list[DrainSignal] = Field(
        default=list(HARD_SIGNALS), description="What makes a node fail; other signals are warnings."
    )
    drain_codes: dict[Name, list[Annotated[int, Whole(1, 999)]]] = Field(
        default={}, description="Error codes that are fatal, by vendor, in place of the catalog's."
    )
    thresholds: list[GpuLimits] = Field(
        default=[], description="Bounds by vendor and model, over those of `health`; a later entry wins."
    )
    max_drained: PercentOrCount = Field(
        default="5%",
        description="Most nodes out of service by aamic's doing at a time: a number, or a part of `nodes`.",
    )
    hysteresis: Hysteresis = Field(default=Hysteresis(), description="How soft signals settle.")
    check_interval: Duration = Field(default="30s", description="How often a node is checked; from 10s to 5m.")
    job_mapping: bool = Field(
        default=False, description="Prolog and epilog tell the GPU exporters which job has which GPU."
    )
    exporter: bool = Field(default=True, description="False leaves the Slurm exporter out.")
    canary_job: CanaryJob = Field(default=CanaryJob(), description="The job that proves new hooks on a canary.")


class Rollout(Model):
    """How `aamic apply` goes over the hosts: a few first, then the others in batches."""

    canary: Annotated[int, Whole(0, 1_000_000)] = Field(
        default=1, description="Hosts of each changed bundle that go first in their stage; 0 for none."
    )
    batch: PercentOrCount = Field(
        default="20%", description="Hosts in each wave after the canaries: a number, or a part of the stage."
    )
    max_failures: Annotated[int, Whole(0, 1_000_000)] = Field(
        default=0, description="Hosts that may fail before nothing further is started."
    )
    confirm_timeout: Duration | None = Field(
        default=None,
        description="A host that is not confirmed within this goes back by itself; 120s if absent, or longer where the "
        "times below ask for it. At least 30s.",
    )
    settle: Duration = Field(default="5s", description="How long changed units must stay up.")
    ready_timeout: Duration = Field(default="60s", description="Longest wait for changed units to listen.")
    gate_timeout: Duration | None = Field(
        default=None,
        description="Longest wait, after each wave, for Prometheus to scrape the changed hosts; 45s if absent, or "
        "two scrapes where these take longer.",
    )


class SshRetry(Model):
    """How often connecting is tried; a program that was started is never started again."""

    max_attempts: Annotated[int, Whole(1, 100)] = Field(default=3, description="Tries to reach a host.")
    backoff_base: Duration = Field(default="2s", description="Wait after the first try; it doubles with each.")
    backoff_max: Duration = Field(default="30s", description="Longest wait between two tries.")


class Ssh(Model):
    """How the controller logs in to hosts. Host keys are always verified."""

    user: UserName | None = Field(default=None, description="User to log in as; else the one of `config`, else `root`.")
    port: Port | None = Field(default=None, description="Port of sshd; else the one of `config`, else 22.")
    key: Line | None = Field(
        default=None, description="Private key, relative to the site; `~` is the home folder. It is tried first."
    )
    agent: bool = Field(
        default=True,
        description="Ask the agent of SSH_AUTH_SOCK where there is no `key`, it has a passphrase, or it is refused.",
    )
    known_hosts: Line | None = Field(
        default=None,
        description="File of known host keys, relative to the site; else ~/.ssh/known_hosts and "
        "/etc/ssh/ssh_known_hosts.",
    )
    become: Literal["sudo", "none"] | None = Field(
        default=None, description="How to get root's rights; absent: `none` for root, `sudo` for others."
    )
    gateway: JumpHost | None = Field(
        default=None, description="Jump host that every connection goes through; its key must be known too."
    )
    config: Annotated[Annotated[bool, Tag("(flag)")] | Annotated[Line, Tag("(path)")], Discriminator(_flag_or_path)] = (
        Field(
            default=True,
            description="OpenSSH client configuration to honour, relative to the site: true is ~/.ssh/config, false is "
            "none. HostName, User, Port, IdentityFile and ProxyJump are read, Include is not; keys of the site win. "
            "A file that the site names may hold no `Match exec`, which would run programs.",
        )
    )
    max_parallel: Annotated[int, Whole(1, 1000)] = Field(default=50, description="Hosts that are talked to at once.")
    connect_timeout: Duration = Field(default="10s", description="Longest wait for each step of logging in.")
    command_timeout: Duration = Field(default="300s", description="Longest run of one program on a host.")
    retry: SshRetry = Field(default=SshRetry(), description="How often connecting is tried.")


class MetricSpec(Model):
    """A metric that a site's own exporter emits."""

    type: Literal["counter", "gauge", "histogram", "summary", "untyped"] = Field(
        default="untyped", description="Prometheus type."
    )
    labels: list[LabelName] | None = Field(default=None, description="Its labels; absent means not declared.")


class CustomExporter(Model):
    """An exporter of the site's own, in YAML alone."""

    name: Annotated[
        str,
        text(
            "^[a-z][a-z0-9_-]{0,40}$",
            "exporter name",
            "up to 41 lower-case letters, digits, `_` and `-`, beginning with a letter",
        ),
    ] = Field(description="Job name; unit aami-NAME.")
    port: Port = Field(description="Port it listens on.")
    path: HttpPath = Field(default="/metrics", description="Path of its metrics.")
    nodes: HostList | None = Field(
        default=None, description="Host list it runs on; all nodes if neither this nor `racks` names any."
    )
    racks: list[Name] = Field(default=[], description="Racks it runs on, beside `nodes`.")
    command: Annotated[list[Line], Field(min_length=1)] | None = Field(
        default=None, description="Program (absolute path) and arguments of its unit; absent: it is run by others."
    )
    user: (
        Annotated[
            str,
            text(
                "^[a-z_][a-z0-9_-]{0,30}$",
                "user name",
                "up to 31 lower-case letters, digits, `_` and `-`, beginning with a letter or `_`",
            ),
        ]
        | None
    ) = Field(default=None, description="User it runs as; aami-NAME if absent.")
    metrics: dict[MetricName, MetricSpec] = Field(description="The metrics it emits.")
    series: Count = Field(default=100, description="Series of one node, for the prediction.")
    source: Source | None = Field(default=None, description="Where it comes from.")


class Site(Model):
    """The whole desired state."""

    version: Annotated[int, Whole(1, 1)] = Field(description="Version of this format; there is only 1.")
    cluster: Cluster = Field(description="Who this cluster is.")
    include: list[Line] = Field(default=[], description="Further files, as globs relative to this one.")
    inventory: Annotated[
        Annotated[Line, Tag("(one)")] | Annotated[list[Line], Tag("(list)")], Discriminator(_whether_list)
    ] = Field(default=[], description="CSV files of nodes: name,address,rack,gpu_vendor,gpu_model,gpu_count.")
    racks: dict[Name, Rack] = Field(default={}, description="Racks of nodes.")
    nodes: dict[HostList, NodeSpec] = Field(default={}, description="Single nodes, and overrides.")
    prometheus: Prometheus = Field(default=Prometheus(), description="Every Prometheus server.")
    federation: Federation | None = Field(default=None, description="Shards and the central server.")
    alertmanager: Alertmanager | None = Field(default=None, description="Alertmanager.")
    alerts: Alerts = Field(default=Alerts(), description="Alerts.")
    notifications: Notifications = Field(default=Notifications(), description="Who is told.")
    health: Health = Field(default=Health(), description="How GPUs are judged.")
    slurm: Slurm | None = Field(default=None, description="Slurm.")
    clusters: list[RemoteCluster] = Field(default=[], description="Other clusters that are read from here.")
    serve: Serve | None = Field(default=None, description="`aamic serve`, by which others read this cluster.")
    thanos: Thanos | None = Field(default=None, description="Thanos, for `federation.type: thanos`.")
    grafana: Grafana | None = Field(default=None, description="Grafana and its dashboards.")
    rollout: Rollout = Field(default=Rollout(), description="How `aamic apply` goes over the hosts.")
    ssh: Ssh = Field(default=Ssh(), description="How hosts are logged in to.")
    exporters: Any = Field(default=None, description="Options of the exporters.")
