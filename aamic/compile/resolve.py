"""Site -> Fleet: names become hosts, hosts get servers, services, ports and rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from aamic.catalog import promql
from aamic.catalog.base import Catalog, Contribution, Ground
from aamic.catalog.exporters import custom
from aamic.catalog.sources import install_of
from aamic.compile.addresses import is_ip
from aamic.compile.capacity import (
    ALERTMANAGER_SERIES,
    SELF_SERIES,
    check_capacity,
    federated_series,
    load,
    server_needs,
)
from aamic.compile.clusters import resolve_clusters
from aamic.compile.credentials import check_credentials
from aamic.compile.dashboards import resolve_dashboards
from aamic.compile.findings import Findings, Path
from aamic.compile.grafana import listeners as grafana_listeners
from aamic.compile.grafana import resolve_grafana
from aamic.compile.hostlist import fold
from aamic.compile.intervals import check_intervals
from aamic.compile.inventory import Row
from aamic.compile.names import check_bundles, check_names, check_target_labels
from aamic.compile.nodes import RESERVED_LABELS, resolve_nodes
from aamic.compile.ports import Listener, assign_ports, server_claims
from aamic.compile.references import References
from aamic.compile.rollout import resolve_rollout
from aamic.compile.ruleset import resolve_rules
from aamic.compile.serving import listeners as serve_listeners
from aamic.compile.serving import resolve_serve
from aamic.compile.slurm import resolve_health, resolve_slurm
from aamic.compile.slurmchecks import check_reach
from aamic.compile.storage import check_storage
from aamic.compile.text import shown
from aamic.compile.thanos import claims as thanos_claims
from aamic.compile.thanos import listeners as thanos_listeners
from aamic.compile.thanos import needs as thanos_needs
from aamic.compile.thanos import place_thanos, resolve_thanos, spec_of
from aamic.compile.thanos import series as thanos_series
from aamic.compile.thanoslabels import check_labels
from aamic.compile.topology import Plan, central_retention, plan_servers
from aamic.model.fleet import (
    USER_SSH_CONFIG,
    Alertmanager,
    Endpoint,
    Federation,
    Fleet,
    HealthPolicy,
    Load,
    Node,
    RuleGroup,
    Server,
    SlurmSettings,
    SshSettings,
)
from aamic.model.quantities import duration_seconds
from aamic.model.site import Notifications, Site, Ssh
from aamic.model.source import PackageSource
from aamic.model.thanos import CENTRAL_REPLICA

AGGREGATES = ('{__name__=~"(cluster|node|gpu|shard):.*"}', 'up{job!="prometheus"}')
MAX_ALERTMANAGERS: Final = 32
NO_CERTIFICATES: Final[Mapping[str, bytes]] = {}
RAW = ('{job=~".+"}', AGGREGATES[0])
"""Everything that is scraped, and the records, which have no job."""


@dataclass(frozen=True)
class _Parts:
    """What is resolved before servers get their load and rules.

    `watched` are the series that central or the single server keeps of Alertmanagers and of Thanos.
    """

    refs: References
    contributions: tuple[Contribution, ...]
    weights: Mapping[str, int]
    slurm: SlurmSettings | None
    health: HealthPolicy
    watched: int = 0

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        return tuple(endpoint for part in self.contributions for endpoint in part.endpoints if endpoint.hosts)


def resolve(  # noqa: PLR0913  # the last is by name
    site: Site,
    rows: Iterable[Row],
    catalog: Catalog,
    findings: Findings,
    certificates: Mapping[str, bytes] = NO_CERTIFICATES,
    *,
    dashboards: bool = False,
) -> Fleet | None:
    """The fleet that a site means; None when `findings` then holds an error.

    `certificates` are the PEM files that the site names, by path below its folder. With `dashboards` it has those also
    if nothing shows them.
    """
    vendors = [vendor.name for vendor in catalog.vendors]
    nodes, complete = resolve_nodes(site, rows, vendors, findings)
    if not nodes and complete:
        findings.error("the site has no nodes", findings.place(), "add `racks:`, `nodes:` or an `inventory:`")
    refs = References(nodes, findings, complete=complete)
    _check_cluster_labels(site, findings)
    check_intervals(site, findings)
    check_credentials(site, findings)
    rollout = resolve_rollout(site, findings)
    parts = _parts(site, refs, catalog, findings)
    alertmanager_hosts = _alertmanager_hosts(site, refs, findings)
    check_bundles(alertmanager_hosts, "alertmanager-", "Alertmanager", ("alertmanager", "nodes"), findings)
    plans = plan_servers(site, refs, parts.weights, findings)
    check_storage(plans, findings)
    clusters = resolve_clusters(site, certificates, findings)
    serve = resolve_serve(site, refs, plans, certificates, findings)
    grafana = resolve_grafana(site, refs, plans, certificates, findings)
    placed = place_thanos(site, refs, plans, findings)
    watched = ALERTMANAGER_SERIES * len(alertmanager_hosts) + thanos_series(site, placed)
    parts = replace(parts, watched=watched)
    listeners = [
        *_listeners(site, parts, alertmanager_hosts),
        *serve_listeners(serve),
        *grafana_listeners(grafana),
        *thanos_listeners(site, placed),
    ]
    wanted = [*server_claims(plans, site.prometheus.port), *thanos_claims(site, placed)]
    ports = assign_ports(site, wanted, listeners, nodes, findings)
    rules = resolve_rules(site, parts.contributions, selectors(site), catalog, findings, nodes)
    servers = _servers(site, parts, plans, ports[: len(plans)], rules.groups)
    check_capacity([*server_needs(servers, plans), *thanos_needs(placed, servers)], nodes, findings)
    _warn_raw(site, servers, findings)
    if findings.failed:
        return None
    fleet = _fleet(site, parts, servers, alertmanager_hosts, rules.groups)
    shown = dashboards or grafana is not None
    pages = resolve_dashboards(site, rules, parts.refs.nodes, parts.endpoints, servers) if shown else ()
    fed, unfed = (tuple(each for each in pages if bool(each.rows) is has) for has in (True, False))
    thanos = resolve_thanos(site, placed, ports[len(plans) :], servers)
    return replace(
        fleet,
        rollout=rollout,
        clusters=clusters,
        serve=serve,
        thanos=thanos,
        grafana=grafana,
        dashboards=fed,
        unfed=unfed,
    )


def _fleet(
    site: Site,
    parts: _Parts,
    servers: tuple[Server, ...],
    alertmanager_hosts: Sequence[str],
    rules: tuple[RuleGroup, ...],
) -> Fleet:
    prometheus, binary = install_of(site.prometheus.source, "prometheus")
    alertmanager = site.alertmanager.source if site.alertmanager else PackageSource(package="prometheus-alertmanager")
    alertmanager_install, alertmanager_binary = install_of(alertmanager, "alertmanager")
    return Fleet(
        cluster=site.cluster.name,
        labels=site.cluster.labels,
        nodes=parts.refs.nodes,
        endpoints=parts.endpoints,
        services=tuple(service for part in parts.contributions for service in part.services if service.hosts),
        servers=servers,
        federation=_federation(site),
        alertmanagers=_alertmanagers(site, parts.refs.nodes, alertmanager_hosts),
        notifications=site.notifications,
        rules=rules,
        prometheus_install=prometheus,
        prometheus_binary=binary,
        alertmanager_install=alertmanager_install,
        alertmanager_binary=alertmanager_binary,
        ssh=_ssh(site.ssh),
        probes=tuple(probe for part in parts.contributions for probe in part.probes),
        slurm=parts.slurm,
        health=parts.health,
        weights=parts.weights,
    )


def _ssh(spec: Ssh) -> SshSettings:
    return SshSettings(
        user=spec.user,
        port=spec.port,
        key=spec.key,
        agent=spec.agent,
        known_hosts=spec.known_hosts,
        become=spec.become,
        gateway=spec.gateway,
        config=(USER_SSH_CONFIG if spec.config else None) if isinstance(spec.config, bool) else spec.config,
        max_parallel=spec.max_parallel,
        connect_timeout=duration_seconds(spec.connect_timeout),
        command_timeout=duration_seconds(spec.command_timeout),
        max_attempts=spec.retry.max_attempts,
        backoff_base=duration_seconds(spec.retry.backoff_base),
        backoff_max=duration_seconds(spec.retry.backoff_max),
    )


def _check_cluster_labels(site: Site, findings: Findings) -> None:
    for name in sorted(RESERVED_LABELS.intersection(site.cluster.labels)):
        findings.error(
            f"label `{name}` is set by aamic itself",
            findings.key("cluster", "labels", name),
            "choose another name",
        )


def _parts(site: Site, refs: References, catalog: Catalog, findings: Findings) -> _Parts:
    vendors = [vendor.name for vendor in catalog.vendors]
    slurm = resolve_slurm(site, refs, vendors, findings)
    health = resolve_health(site, slurm, refs, vendors, findings)
    ground = Ground(refs.nodes, site.prometheus.scrape_interval, slurm)
    contributions = [
        exporter.contribute(getattr(site.exporters, exporter.name), ground) for exporter in catalog.exporters
    ]
    own = [
        (spec, contribution)
        for index, spec in enumerate(site.exporters.custom)
        for contribution in [custom.contribute(spec, _custom_hosts(spec, index, refs))]
    ]
    weights = _weights(site, refs.nodes, catalog)
    for spec, contribution in own:
        for endpoint in contribution.endpoints:
            for host in endpoint.hosts:
                weights[host] += spec.series
    if slurm is not None:
        check_reach(slurm, contributions, findings)
    parts = _Parts(refs, (*contributions, *(contribution for _, contribution in own)), weights, slurm, health)
    check_names(site, catalog, _units(site, contributions), findings)
    _check_jobs(site, parts, catalog, findings)
    check_target_labels(site, parts.endpoints, refs, findings)
    if spec_of(site) is not None:
        check_labels(site, parts.endpoints, findings)
    return parts


def _custom_hosts(spec: Any, index: int, refs: References) -> tuple[str, ...]:
    path: Path = ("exporters", "custom", index)
    if spec.nodes is None and not spec.racks:
        return tuple(refs.nodes)
    names = list(refs.hosts(spec.nodes, *path, "nodes")) if spec.nodes is not None else []
    for number, rack in enumerate(spec.racks):
        names += refs.rack(rack, *path, "racks", number)
    return tuple(sorted(set(names)))


def _weights(site: Site, nodes: Mapping[str, Node], catalog: Catalog) -> dict[str, int]:
    """Predicted series of each node; nodes of the same GPUs and threads are counted once."""
    known: dict[Any, int] = {}
    weights: dict[str, int] = {}
    for node in nodes.values():
        key = (node.gpu, node.threads)
        if key not in known:
            known[key] = sum(
                exporter.series(getattr(site.exporters, exporter.name), node) for exporter in catalog.exporters
            )
        weights[node.name] = known[key]
    return weights


def _units(site: Site, contributions: Iterable[Contribution]) -> frozenset[str]:
    """The names of units that custom exporters must not have."""
    own = {"aami-serve": site.serve, "aami-grafana": site.grafana}
    return frozenset(name for name, spec in own.items() if spec is not None and spec.enabled).union(
        service.unit.name for part in contributions for service in part.services if service.unit
    )


def _check_jobs(site: Site, parts: _Parts, catalog: Catalog, findings: Findings) -> None:
    """Jobs and their ports are told apart by name and by port; both must be unique in a site."""
    own = {exporter.name for exporter in catalog.exporters}  # of their names `check_names` tells
    jobs: dict[str, Endpoint] = {}
    ports: dict[int, Endpoint] = {}
    customs = {spec.name: ("exporters", "custom", index) for index, spec in enumerate(site.exporters.custom)}
    for endpoint in parts.endpoints:
        path: Path = customs.get(endpoint.job, ("exporters", endpoint.job))
        if endpoint.job in jobs:
            if endpoint.job not in own:
                findings.error(f"two exporters are named `{endpoint.job}`", findings.place(*path, "name"), "rename one")
        elif endpoint.port in ports and endpoint.hosts.isdisjoint(ports[endpoint.port].hosts):
            other = ports[endpoint.port].job
            findings.error(
                f"exporters `{other}` and `{endpoint.job}` both use port {endpoint.port}",
                findings.place(*path, "port"),
                "targets are told apart by port: give one of them another",
            )
        jobs[endpoint.job] = ports[endpoint.port] = endpoint


def _listeners(site: Site, parts: _Parts, alertmanager_hosts: tuple[str, ...]) -> list[Listener]:
    """Everything that listens on a port the site sets, Prometheus aside."""
    customs = {spec.name: ("exporters", "custom", index) for index, spec in enumerate(site.exporters.custom)}
    without_root = {
        port
        for part in parts.contributions
        for service in part.services
        if service.unit is not None and service.unit.user != "root"
        for port in service.ports.values()
    }
    listeners = [
        Listener(
            f"exporter `{endpoint.job}`",
            endpoint.port,
            tuple(endpoint.hosts),
            (*path, "port"),
            unprivileged=endpoint.port in without_root,
        )
        for endpoint in parts.endpoints
        for path in [customs.get(endpoint.job, ("exporters", endpoint.job))]
    ]
    if site.alertmanager:
        path = ("alertmanager", "port")
        port = site.alertmanager.port
        listeners.append(Listener("Alertmanager", port, alertmanager_hosts, path, unprivileged=True))
        if len(alertmanager_hosts) > 1:
            where = ("alertmanager", "cluster_port")
            gossip = site.alertmanager.cluster_port
            listeners.append(Listener("Alertmanager's cluster", gossip, alertmanager_hosts, where, unprivileged=True))
    return listeners


def _alertmanager_hosts(site: Site, refs: References, findings: Findings) -> tuple[str, ...]:
    if site.alertmanager is None:
        _warn_untold(site, findings)
        return ()
    path = ("alertmanager", "nodes")
    hosts = refs.hosts(site.alertmanager.nodes, *path)
    if len(hosts) > MAX_ALERTMANAGERS:
        findings.error(
            f"Alertmanager is to run on {len(hosts):,} hosts; {MAX_ALERTMANAGERS} are the most",
            findings.place(*path),
            "every Prometheus sends each alert to all of them, so a few are enough",
        )
        return ()
    _check_gossip(hosts, refs, findings)
    return hosts


def _check_gossip(hosts: Sequence[str], refs: References, findings: Findings) -> None:
    """Alertmanagers of a cluster tell each other their address, and take no name for it (0.25)."""
    named = [name for name in hosts if not is_ip(refs.nodes[name].address)] if len(hosts) > 1 else []
    if named:
        findings.error(
            f"Alertmanagers of a cluster need IP addresses, but {shown(fold(named))} has a name",
            findings.place("alertmanager", "nodes"),
            "give these nodes an IP address",
        )


def _warn_untold(site: Site, findings: Findings) -> None:
    """Alerts that Prometheus sends to no Alertmanager reach nobody."""
    if site.notifications != Notifications() and not findings.may_lack("alertmanager"):
        findings.warn(
            "`notifications` has no effect without `alertmanager`",
            findings.key("notifications"),
            "name the hosts that it runs on: `alertmanager: {nodes: ...}`",
        )


def _alertmanagers(site: Site, nodes: Mapping[str, Node], hosts: Sequence[str]) -> tuple[Alertmanager, ...]:
    if site.alertmanager is None:
        return ()
    spec = site.alertmanager
    return tuple(
        Alertmanager(
            host=host,
            port=spec.port,
            cluster_port=spec.cluster_port,
            peers=tuple(_joined(nodes[other].address, spec.cluster_port) for other in hosts if other != host),
            retention=spec.retention,
        )
        for host in hosts
    )


def _joined(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _federation(site: Site) -> Federation | None:
    spec = site.federation
    if spec is None or not spec.enabled:
        return None
    return Federation(selectors(site), spec.central.federate_interval, spec.central.federate_timeout)


def selectors(site: Site) -> tuple[str, ...]:
    """The `match[]` selectors of central; empty without federation."""
    spec = site.federation
    if spec is None or not spec.enabled:
        return ()
    if isinstance(spec.match, list):
        return tuple(spec.match)
    return RAW if spec.match == "raw" else AGGREGATES


def _servers(
    site: Site, parts: _Parts, plans: Sequence[Plan], ports: Sequence[int], rules: Sequence[RuleGroup]
) -> tuple[Server, ...]:
    shards = [plan for plan in plans if plan.role == "shard"]
    recorded = federated_series(parts.refs.nodes, rules, parts.endpoints)
    central_load = _central_load(site, parts, shards, recorded)
    return tuple(
        Server(
            name=plan.name,
            role=plan.role,
            replica=plan.replica,
            host=plan.host,
            port=port,
            nodes=plan.nodes,
            racks=tuple(sorted({rack for name in plan.nodes if (rack := parts.refs.nodes[name].rack) is not None})),
            external_labels=_external_labels(site, plan),
            scrape_interval=site.prometheus.scrape_interval,
            scrape_timeout=site.prometheus.scrape_timeout,
            evaluation_interval=site.prometheus.evaluation_interval,
            retention=plan.retention,
            retention_size=site.prometheus.retention_size,
            storage_path=plan.storage_path,
            load=central_load if plan.role == "central" else _shard_load(site, parts, plan, recorded),
        )
        for plan, port in zip(plans, ports, strict=True)
    )


def _external_labels(site: Site, plan: Plan) -> dict[str, str]:
    """Unique for each server: central and a single server are alone in having no `shard`.

    Thanos replaces labels of series by external ones, and central has series of other clusters; so beside Thanos it is
    told by a label that Query takes away, and what it federates becomes one with what the shards have.
    """
    if plan.role == "central" and spec_of(site) is not None:
        return {"replica": CENTRAL_REPLICA}
    own = {"shard": plan.name} if plan.role == "shard" else {}
    replica = {"replica": plan.replica} if plan.replica else {}
    return {"cluster": site.cluster.name, **dict(sorted(site.cluster.labels.items())), **own, **replica}


def _shard_load(site: Site, parts: _Parts, plan: Plan, recorded: Mapping[str, int]) -> Load:
    series = SELF_SERIES + sum(recorded[name] + parts.weights[name] for name in plan.nodes)
    series += parts.watched if plan.role == "single" else 0
    return load(series, site.prometheus.scrape_interval, plan.retention)


def _central_load(site: Site, parts: _Parts, shards: Sequence[Plan], recorded: Mapping[str, int]) -> Load:
    """Central's load; where it reads what exporters emit, as with `raw`, it may carry what all shards carry."""
    if site.federation is None:
        return load(SELF_SERIES, site.prometheus.scrape_interval, site.prometheus.retention)
    series = parts.watched + sum(recorded[name] for plan in shards for name in plan.nodes)
    emitted = {metric.name for endpoint in parts.endpoints for metric in endpoint.metrics}
    if site.federation.match == "raw" or promql.federated(selectors(site), emitted):
        series += sum(parts.weights[name] for plan in shards for name in plan.nodes)
    return load(SELF_SERIES + series, site.federation.central.federate_interval, central_retention(site))


def _warn_raw(site: Site, servers: Sequence[Server], findings: Findings) -> None:
    if site.federation is None or not site.federation.enabled or site.federation.match != "raw":
        return
    for server in servers:
        if server.role == "central":
            findings.warn(
                f"`match: raw` makes central read every series of every shard: {server.load.series:,} series are "
                f"predicted each {site.federation.central.federate_interval}",
                findings.place("federation", "match"),
                "`match: aggregates` is what the Prometheus documentation advises for a global server",
            )
