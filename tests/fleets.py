"""Small fleets made by hand, for tests of what is rendered from one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from aamic.model.dashboard import Bound, Column, Dashboard, Named, Panel, Query, Row, Variable
from aamic.model.fleet import (
    Alertmanager,
    AlertRule,
    CanaryJob,
    Endpoint,
    Federation,
    Fleet,
    Gpu,
    Grafana,
    HealthPolicy,
    HostFile,
    Load,
    Node,
    Package,
    RemoteCluster,
    RuleGroup,
    Serve,
    Server,
    Service,
    SlurmSettings,
    Tarball,
    Thanos,
    ThanosComponent,
    ThanosKind,
    Unit,
)
from aamic.model.secret import SecretCommand, SecretEnv, SecretFile
from aamic.model.site import HARD_SIGNALS, Email, Notifications, PagerDuty, Slack, Webhook

HOSTILE = """no: "a" 'b' {{ c }} $(d) $e ${f} %n \\ # & <!channel> | - * é 한 \u2028 \U0001f600"""
"""A label value that breaks any file that does not quote it."""


def node(name: str, address: str, rack: str | None = None, gpu: Gpu | None = None, **labels: str) -> Node:
    return Node(name, address, rack, gpu, labels)


def nodes(count: int, hosts: int = 3) -> dict[str, Node]:
    """GPU nodes of two racks and vendors, then `hosts` monitoring hosts."""
    half = (count + 1) // 2
    gpus = [
        node(f"gpu-{number:03d}", f"10.10.1.{number}", "r01", Gpu("nvidia", "H100", 8), row="a")
        if number <= half
        else node(f"gpu-{number:03d}", f"10.10.2.{number}", "r02", Gpu("amd", "MI300X", 8))
        for number in range(1, count + 1)
    ]
    mons = [node(f"mon-{number:02d}", f"10.10.0.{number}") for number in range(1, hosts + 1)]
    return {each.name: each for each in (*gpus, *mons)}


def slurm(**changes: Any) -> SlurmSettings:
    """Slurm as a site has it that names its controller and nothing else, but for the changes."""
    policy = HealthPolicy(HARD_SIGNALS, {}, (), breaches=3, clears=5, interval=30)
    values: dict[str, Any] = {
        "controller": "slurm-ctl",
        "nodes": (),
        "version": None,
        "conf_dir": "/etc/slurm",
        "shared_conf": False,
        "endpoint": None,
        "user": "root",
        "token": None,
        "pre_job_check": False,
        "post_job_check": False,
        "auto_drain": "shadow",
        "health": policy,
        "max_drained": 1,
        "job_mapping": False,
        "canary_job": CanaryJob("root", None, None, None, 60),
        "exporter": True,
    }
    return SlurmSettings(**(values | changes))


def server(**changes: Any) -> Server:
    """The single server of a site, but for the changes."""
    name = changes.get("name", "prometheus")
    values: dict[str, Any] = {
        "name": name,
        "role": "single",
        "replica": None,
        "host": "mon-01",
        "port": 9090,
        "nodes": (),
        "racks": (),
        "external_labels": {"cluster": "seoul-gpu-1"},
        "scrape_interval": "15s",
        "scrape_timeout": "10s",
        "evaluation_interval": "15s",
        "retention": "15d",
        "retention_size": None,
        "storage_path": "/var/lib/aami/prometheus" if name == "prometheus" else f"/var/lib/aami/prometheus-{name}",
        "load": Load(0, 0.0, 0, 0),
    }
    return Server(**(values | changes))


def shards(names: Sequence[str], *, count: int, replicas: int = 1, hosts: Sequence[str]) -> tuple[Server, ...]:
    """Shards that take turns on the nodes and on the hosts, then central on the first host."""
    made = []
    for index in range(count):
        for replica in range(replicas):
            letter = "ab"[replica] if replicas > 1 else None
            labels = {"cluster": "seoul-gpu-1", "shard": f"shard-{index + 1}"} | ({"replica": letter} if letter else {})
            made.append(
                server(
                    name=f"shard-{index + 1}",
                    role="shard",
                    replica=letter,
                    host=hosts[(index + replica) % len(hosts)],
                    port=9090 + index,
                    nodes=tuple(names[index::count]),
                    external_labels=labels,
                )
            )
    return (*made, server(name="central", role="central", host=hosts[0], port=9090 + count, retention="30d"))


def exporters(every: Mapping[str, Node]) -> tuple[tuple[Endpoint, ...], tuple[Service, ...]]:
    """A node exporter everywhere, dcgm on NVIDIA, AMD's on AMD; the last is run by others."""

    def having(vendor: str) -> tuple[str, ...]:
        return tuple(each.name for each in every.values() if each.gpu and each.gpu.vendor == vendor)

    node_unit = Unit(
        name="aami-node-exporter",
        description="Host metrics",
        command=("/usr/bin/prometheus-node-exporter", "--collector.filesystem.mount-points-exclude=^/(dev|proc)($|/)"),
        user="aami-node-exporter",
        protect_home="read-only",
        writable=("/var/lib/aami/textfile",),
    )
    dcgm_unit = Unit(
        name="aami-dcgm-exporter",
        description="NVIDIA GPU metrics, 100%",
        command=("/opt/aami/bin/dcgm-exporter", "-f", "/etc/aami/dcgm/counters.csv", "-a", ":9400"),
        user="root",
        after=("network-online.target", "nvidia-dcgm.service"),
        environment={"DCGM_EXPORTER_NOTE": 'say "50%" of $5'},
        capabilities=("CAP_SYS_ADMIN",),
        supplementary_groups=("video",),
        private_devices=False,
        memory_deny_write_execute=False,
    )
    counters = HostFile("/etc/aami/dcgm/counters.csv", b"DCGM_FI_DEV_GPU_TEMP, gauge, temperature\n")
    endpoints = (
        Endpoint("node", 9100, "/metrics", frozenset(every), ()),
        Endpoint("dcgm", 9400, "/metrics", frozenset(having("nvidia")), ()),
        Endpoint("amd", 5000, "/gpumetrics", frozenset(having("amd")), ()),
    )
    services = (
        Service(
            bundle="node-exporter",
            hosts=tuple(every),
            unit=node_unit,
            ports={"http": 9100},
            install=Package("prometheus-node-exporter", "1.5.0-1+b6"),
            masks=("prometheus-node-exporter.service",),
            textfiles="/var/lib/aami/textfile",
        ),
        Service(
            bundle="gpu-nvidia",
            hosts=having("nvidia"),
            unit=dcgm_unit,
            ports={"http": 9400},
            files=(counters,),
            install=Tarball("https://example.com/d.tar.gz", "0" * 64, "dcgm-exporter", "/opt/aami/bin/dcgm-exporter"),
        ),
        Service(
            bundle="gpu-amd",
            hosts=having("amd"),
            unit=None,
            ports={"http": 5000},
            files=(HostFile("/etc/metrics/config.json", b"{}\n"),),
            install=Package("amdgpu-exporter"),
        ),
    )
    return endpoints, services


PEM = b"-----BEGIN CERTIFICATE-----\nc2VvdWw=\n-----END CERTIFICATE-----\n"
"""What stands for certificates where nobody reads them."""


def remote(**changes: Any) -> RemoteCluster:
    """Another cluster that is read over `aamic serve`, but for the changes."""
    values: dict[str, Any] = {
        "name": "busan",
        "endpoint": "https://mon.busan.example:9443",
        "kind": "aami",
        "api_key": None,
        "tls_cert": None,
        "tls_key": None,
        "tls_ca_cert": None,
        "labels": {},
        "timeout": 10.0,
        "federate": True,
    }
    return RemoteCluster(**(values | changes))


def serve(**changes: Any) -> Serve:
    """`aamic serve` on the first monitoring host, with TLS and a key, but for the changes."""
    values: dict[str, Any] = {
        "host": "mon-01",
        "address": None,
        "port": 9443,
        "program": "/opt/aami/venv/bin/aamic",
        "install": None,
        "certificate": PEM,
        "tls_key": SecretFile(file="secrets/serve.key"),
        "client_authorities": None,
        "keys": (("busan", "ab" * 32),),
        "rate": 600,
        "timeout": 5.0,
    }
    return Serve(**(values | changes))


def grafana(**changes: Any) -> Grafana:
    """Grafana on the first monitoring host, but for the changes."""
    values: dict[str, Any] = {
        "host": "mon-01",
        "port": 3000,
        "root_url": None,
        "folder": "seoul-gpu-1",
        "admin_user": "admin",
        "admin_password": SecretEnv(env="GRAFANA_PASSWORD"),
        "anonymous": False,
        "certificate": None,
        "tls_key": None,
        "install": Package("grafana", "11.6.0"),
        "binary": "/usr/share/grafana/bin/grafana",
        "home": "/usr/share/grafana",
    }
    return Grafana(**(values | changes))


def _asked(text: str, legend: str = "") -> tuple[Query, ...]:
    return (Query(text, legend),)


NODE = Dashboard(
    "aamic-node",
    "Node",
    "One node, and $cluster in [[words]] alone.",
    (
        Variable("cluster", "Cluster", "up"),
        Variable("rack", "Rack", 'up{cluster=~"$cluster"}'),
        Variable("node", "Node", 'up{cluster=~"$cluster"}', multi=False, every=False),
    ),
    (Row("Now", (Panel("Up", "stat", _asked('up{node=~"$node"}'), width=6, empty="unknown"),)),),
    span="1h",
    others=("aamic-overview",),
)
OVERVIEW = Dashboard(
    "aamic-overview",
    "Overview of $node",
    "",
    (Variable("cluster", "Cluster", "up"), Variable("rack", "Rack of ${cluster}", 'up{cluster=~"$cluster"}')),
    (
        Row(
            "Pictures",
            (
                Panel(
                    "Nodes that answer",
                    "stat",
                    _asked('sum(up{job="node",cluster=~"$cluster"})'),
                    "How many of $rack answer.",
                    mappings=(Named(0, "none", "critical"), Named(1.5, "one and a half", "unknown")),
                    width=6,
                ),
                Panel(
                    "Temperature",
                    "timeseries",
                    _asked('max by (node) (gpu:temperature_celsius{rack=~"$rack"})', "{{node}}"),
                    unit="celsius",
                    bounds=(
                        Bound(95, "critical", "GpuTooHot"),
                        Bound(85, "warning", "GpuHot"),
                        Bound(85, "info", "Nothing"),
                        Bound(90, "warning", "GpuHot"),
                    ),
                    link="aamic-node",
                    link_label="node",
                ),
                Panel("Power", "timeseries", _asked("gpu:power_watts"), unit="watt", stacked=True, link="aamic-gone"),
                Panel(
                    "Cells", "heatmap", _asked('up{rack=~"$rack"}', "{{node}}"), link="aamic-node", link_label="node"
                ),
                Panel("Load", "heatmap", _asked("node:load"), unit="percentunit", least=0, most=1),
                Panel("Bars", "bars", _asked('up{rack=~"$rack"}', "{{node}}"), width=24),
            ),
        ),
        Row(
            "Lists",
            (
                Panel(
                    "Hottest",
                    "table",
                    (Query("max by (node) (gpu:temperature_celsius)"), Query("max by (node) (gpu:power_watts)")),
                    columns=(
                        Column("node", "Node", link="aamic-node", variable="node"),
                        Column("Value #A", "Temperature", "celsius"),
                        Column("Value #B", "Power of $node", "watt", link="aamic-gone"),
                    ),
                    bounds=(Bound(85, "warning", "GpuHot"),),
                ),
                Panel("Firing", "alerts", ()),
                Panel("Notes", "text", (), content="# A ${node} of $5, and `[[node:csv]]`"),
            ),
        ),
    ),
    others=("aamic-node", "aamic-gone", "aamic-overview"),
)
"""Every kind of panel, with words that a reader might take for variables."""
HOT = RuleGroup(
    "gpu",
    "shard",
    (
        AlertRule(
            "GpuHot", "gpu:temperature_celsius > 85", "warning", "", "", "https://runbooks.example.com/$node#[[a]]"
        ),
        AlertRule("GpuHot", "gpu:temperature_celsius > 90", "warning", "", "", "https://runbooks.example.com/second"),
        AlertRule("GpuTooHot", "gpu:temperature_celsius > 95", "critical", "", "", ""),
    ),
)
EVERY_RECEIVER = Notifications(
    slack=Slack(webhook_url=SecretFile(file="secrets/slack"), channel="#gpu {{ x }}"),
    email=Email.model_validate(
        {
            "to": "ops@example.com, 'Ops: \"one\"' <one@example.com>",
            "from": "aami@example.com",
            "smarthost": "mail.example.com:587",
            "username": "no",
            "password": {"env": "SMTP_PASSWORD"},
        }
    ),
    webhook=Webhook(url="https://hooks.example.com/a?b=c&d=%20#e", token=SecretCommand(command=["pass", "hook"])),
    pagerduty=PagerDuty(routing_key=SecretEnv(env="PAGERDUTY_KEY")),
)


def alertmanagers(hosts: Sequence[str], every: Mapping[str, Node], port: int = 9093) -> tuple[Alertmanager, ...]:
    def gossip(host: str) -> str:
        address = every[host].address
        return f"[{address}]:{port + 1}" if ":" in address else f"{address}:{port + 1}"

    return tuple(
        Alertmanager(host, port, port + 1, tuple(gossip(other) for other in hosts if other != host), "120h")
        for host in hosts
    )


def fleet(every: Mapping[str, Node], servers: Sequence[Server], **changes: Any) -> Fleet:
    """A fleet with exporters on all nodes, but for the changes; federation where there are shards."""
    endpoints, services = exporters(every)
    federated = any(each.role == "central" for each in servers)
    values: dict[str, Any] = {
        "cluster": "seoul-gpu-1",
        "labels": {},
        "nodes": every,
        "endpoints": endpoints,
        "services": services,
        "servers": tuple(servers),
        "federation": Federation(('{__name__=~"(cluster|node):.*"}', "up"), "60s", "50s") if federated else None,
        "alertmanagers": (),
        "notifications": Notifications(),
        "rules": (),
        "prometheus_install": Package("prometheus"),
        "prometheus_binary": "/usr/bin/prometheus",
        "alertmanager_install": Package("prometheus-alertmanager"),
        "alertmanager_binary": "/usr/bin/prometheus-alertmanager",
    }
    return Fleet(**(values | changes))


def single() -> Fleet:
    """Federation off: one server scrapes everything, and nobody is told."""
    every = nodes(4, hosts=1)
    one = server(nodes=tuple(every), retention_size="512GB")
    remotes = (remote(name="jeju", kind="prometheus", endpoint="https://prom.jeju.example/a%20b/", timeout=0.25),)
    alone = serve(address="127.0.0.1", certificate=None, tls_key=None, keys=())
    return fleet(
        every,
        [one],
        alertmanagers=alertmanagers(["mon-01"], every),
        clusters=remotes,
        serve=alone,
        grafana=grafana(anonymous=True, root_url="https://grafana.example.com/gpu;#%(protocol)s"),
    )


def sharded() -> Fleet:
    """Two shards and central, with every receiver."""
    every = nodes(6)
    servers = shards(tuple(every), count=2, hosts=("mon-01", "mon-02", "mon-03"))
    return fleet(
        every,
        servers,
        alertmanagers=alertmanagers(["mon-01"], every),
        notifications=EVERY_RECEIVER,
        clusters=(
            remote(
                api_key=SecretEnv(env="BUSAN_KEY"), authorities=PEM, certificate=PEM, tls_key=SecretEnv(env="OUR_KEY")
            ),
            remote(name="jeju", kind="prometheus", endpoint="http://127.0.0.1:9099", timeout=90.0),
            remote(name="not-read", federate=False, api_key=SecretEnv(env="UNUSED")),
        ),
        serve=serve(
            host="mon-02",
            install=Tarball("https://example.com/a.tar.gz", "1" * 64, "aamic", "/opt/aami/bin/aamic"),
            program="/opt/aami/bin/aamic",
            client_authorities=PEM,
        ),
        rules=(HOT,),
        grafana=grafana(certificate=PEM, tls_key=SecretFile(file="secrets/grafana.key")),
        dashboards=(OVERVIEW, NODE),
    )


def paired() -> Fleet:
    """Two shards as HA pairs, an Alertmanager cluster, IPv6 and hostile labels."""
    every = nodes(2, hosts=2) | {
        "v6": node("v6", "fd00::17", "yes", Gpu("nvidia", HOSTILE, 1), on="1:20", quirk=HOSTILE, node="mine"),
        "mon-03": node("mon-03", "10.10.0.13", row="no"),
    }
    hosts = ("mon-01", "mon-02", "mon-03")
    servers = shards(tuple(every), count=2, replicas=2, hosts=hosts)
    hostile = [server(**(_fields(each) | {"external_labels": {**each.external_labels, "quirk": HOSTILE, "on": "y"}}))
               for each in servers]  # fmt: skip
    only_slack = Notifications(slack=Slack(webhook_url=SecretEnv(env="SLACK"), severities=["critical"]))
    others = (
        remote(name="no", labels={"quirk": HOSTILE}),
        remote(name="1.20", endpoint="https://a/%22%0A", federate=True),
    )
    return fleet(
        every, hostile, alertmanagers=alertmanagers(hosts, every), notifications=only_slack, clusters=others,
        labels={"quirk": HOSTILE}, serve=serve(), grafana=grafana(host="mon-03", folder=HOSTILE), dashboards=(NODE,),
    )  # fmt: skip


def thanos() -> Fleet:
    """A shard as a pair beside Thanos with all that it has: two Querys, a bucket, a ruler and a rule for it."""
    every = nodes(2, hosts=1) | {"mon-02": node("mon-02", "fd00::2")}
    servers = shards(tuple(every), count=1, replicas=2, hosts=("mon-01", "mon-02"))
    central = server(**(_fields(servers[-1]) | {"external_labels": {"replica": "central"}}))
    rule = AlertRule("Many", "count(up == 0) > 3", "warning", "Many are down", "", "https://runbooks.example.com/Many")
    return fleet(
        every, (*servers[:-1], central), alertmanagers=alertmanagers(("mon-01",), every), labels={"quirk": HOSTILE},
        rules=(RuleGroup("custom", "global", (rule,)),), thanos=thanos_of((*servers[:-1], central)), serve=serve(),
        grafana=grafana(),
    )  # fmt: skip


def thanos_of(servers: Sequence[Server], **changes: Any) -> Thanos:
    """Thanos with Query on both hosts of a pair and the rest on the first, but for the changes."""
    single: tuple[tuple[ThanosKind, str], ...] = (
        ("query", "mon-01"), ("query", "mon-02"), ("store", "mon-01"), ("compact", "mon-01"), ("rule", "mon-01"),
    )  # fmt: skip
    placed = [ThanosComponent(kind, kind, host, 10_912 + n, 10_930 + n) for n, (kind, host) in enumerate(single)]
    placed += [
        ThanosComponent("sidecar", f"sidecar-{each.name}", each.host, 10_940 + n, 10_950 + n, each)
        for n, each in enumerate(servers)
    ]
    components = tuple(replace(each, grpc_port=None) if each.kind == "compact" else each for each in placed)
    values: dict[str, Any] = {
        "version": (0, 42, 5),
        "program": "/opt/aami/bin/thanos",
        "install": Tarball("https://example.com/thanos.tar.gz", "f" * 64, "thanos/thanos", "/opt/aami/bin/thanos"),
        "components": components,
        "bucket": SecretFile(file="secrets/bucket.yml"),
        "retention_raw": "30d",
        "retention_downsampled": "1y",
        "ruler_retention": "2d",
    }
    return Thanos(**(values | changes))


def _fields(each: Server) -> dict[str, Any]:
    return {name: getattr(each, name) for name in Server.__dataclass_fields__}


FLEETS = {"single": single, "sharded": sharded, "paired": paired, "thanos": thanos}
