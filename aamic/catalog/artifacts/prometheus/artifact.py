"""Prometheus servers: configuration, unit, user and data folder of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from aamic import templates
from aamic.catalog.artifacts.prometheus import remotes
from aamic.catalog.units import install_entry, sysusers_file, tmpfiles_file, unit_file
from aamic.model.fleet import Endpoint, Fleet, Server, ServerRole, Unit
from aamic.model.thanos import CENTRAL_REPLICA
from aamic.model.tree import File, OnChange, Part

USER: Final = "aami-prometheus"
RULE_FILES: Final[Mapping[ServerRole, tuple[str, ...]]] = {
    "shard": ("/etc/aami/rules/shard/*.yml",),
    "central": ("/etc/aami/rules/central/*.yml",),
    "single": ("/etc/aami/rules/shard/*.yml", "/etc/aami/rules/central/*.yml"),
}
SAMPLE_LIMIT: Final = 100_000
BODY_SIZE_LIMIT: Final = "64MB"
"""A target beyond these is broken (a node with eight GPUs has some 5,000 series) and must not take its shard down."""


@dataclass(frozen=True, slots=True)
class Target:
    """A program that is scraped without service discovery."""

    address: str
    labels: Mapping[str, str]


def render(fleet: Fleet) -> Iterable[Part]:
    """One bundle for each server, and one for what all hosts with a server share."""
    if fleet.servers:
        yield _base(fleet)
    for server in fleet.servers:
        yield Part(
            bundle=bundle(server),
            hosts=(server.host,),
            files=tuple(_files(fleet, server)),
            services={f"{server.unit_name}.service": "started"},
            ports={f"{server.unit_name}.service": (server.port,)},
            secrets=remotes.secrets(fleet, USER) if server.role != "shard" else None,
            stage=server.stage,
        )


def bundle(server: Server) -> str:
    """The bundle of one server, `shard-1`; the servers of a pair have one each, `shard-1-a` and `shard-1-b`."""
    return f"{server.name}-{server.replica}" if server.replica else server.name


def _base(fleet: Fleet) -> Part:
    """What a host has once, however many servers run on it."""
    return Part(
        bundle="prometheus-base",
        hosts=tuple(dict.fromkeys(server.host for server in fleet.servers)),
        files=sysusers_file("aami-prometheus", USER),
        services={"prometheus.service": "masked"},
        installs=(install_entry(fleet.prometheus_install),),
        stage="shards",
    )


def _files(fleet: Fleet, server: Server) -> Iterator[File]:
    unit = unit_of(fleet, server)
    yield File(
        f"{server.config_dir}/prometheus.yml",
        _config(fleet, server),
        on_change=OnChange("reload", unit.file_name),
    )
    yield unit_file(unit)
    yield from tmpfiles_file(unit.name, unit.user, unit.writable)
    if server.role != "shard":
        yield from remotes.files(fleet)


def unit_of(fleet: Fleet, server: Server) -> Unit:
    """The systemd service of one server."""
    size = (f"--storage.tsdb.retention.size={server.retention_size}",) if server.retention_size else ()
    return Unit(
        name=server.unit_name,
        description=f"Prometheus {server.name} of cluster {fleet.cluster}",
        command=(
            fleet.prometheus_binary,
            f"--config.file={server.config_dir}/prometheus.yml",
            f"--storage.tsdb.path={server.storage_path}",
            f"--storage.tsdb.retention.time={server.retention}",
            *size,
            *_block_durations(fleet),
            f"--web.listen-address=:{server.port}",
        ),
        user=USER,
        reload=True,
        writable=(server.storage_path,),
    )


def _block_durations(fleet: Fleet) -> tuple[str, ...]:
    """With a bucket, blocks stay as they were cut: Thanos' compactor alone may join what has been uploaded."""
    if fleet.thanos is None or fleet.thanos.bucket is None:
        return ()
    return ("--storage.tsdb.min-block-duration=2h", "--storage.tsdb.max-block-duration=2h")


def _config(fleet: Fleet, server: Server) -> bytes:
    return templates.render(
        "catalog/artifacts/prometheus/prometheus.yml.j2",
        server=server,
        own=_target(fleet, server.host, server.port),
        alertmanagers=[_target(fleet, each.host, each.port) for each in fleet.alertmanagers],
        scrape_alertmanagers=fleet.alertmanagers and server.role != "shard",
        rule_files=RULE_FILES[server.role],
        federation=fleet.federation,
        thanos=fleet.thanos,
        alert_labels=_alert_labels(fleet, server),
        central_replica=CENTRAL_REPLICA,
        shards=_shards(fleet) if server.role == "central" else (),
        processes=_processes(fleet) if server.role == "central" else {},
        central=_central(fleet, server),
        remotes=remotes.targets(fleet) if server.role != "shard" else (),
        endpoints=_endpoints(fleet, server),
        sample_limit=SAMPLE_LIMIT,
        body_size_limit=BODY_SIZE_LIMIT,
    )


def _alert_labels(fleet: Fleet, server: Server) -> Mapping[str, str]:
    """Labels that alerts get where they have none of that name, if the server's external labels do not give them."""
    labels = {"cluster": fleet.cluster, **dict(sorted(fleet.labels.items()))}
    return {name: value for name, value in labels.items() if name not in server.external_labels}


def _endpoints(fleet: Fleet, server: Server) -> tuple[Endpoint, ...]:
    """The jobs that have a target among the server's nodes."""
    return tuple(endpoint for endpoint in fleet.endpoints if not endpoint.hosts.isdisjoint(server.nodes))


def _target(fleet: Fleet, host: str, port: int, **labels: str) -> Target:
    return Target(fleet.address(host, port), {"cluster": fleet.cluster, **labels, "node": host})


def _shards(fleet: Fleet) -> list[Target]:
    """Every shard's servers; the labels are those of `up{job="federate"}`, federated series bring their own."""
    return [
        _target(fleet, server.host, server.port, shard=server.name, **_replica(server))
        for server in fleet.servers
        if server.role == "shard"
    ]


def _processes(fleet: Fleet) -> Mapping[str, list[Target]]:
    """The processes of Thanos, by their jobs; a sidecar has the labels of its server."""
    found: dict[str, list[Target]] = {}
    for each in fleet.thanos.components if fleet.thanos is not None else ():
        address = fleet.address(each.host, each.http_port)
        labels = {"cluster": fleet.cluster, **_shard(each.server), "host": each.host}
        found.setdefault(each.job, []).append(Target(address, labels))
    return found


def _shard(server: Server | None) -> dict[str, str]:
    return {} if server is None or server.role != "shard" else {"shard": server.name, **_replica(server)}


def _central(fleet: Fleet, server: Server) -> Target | None:
    watched = watched_central(fleet, server)
    return _target(fleet, watched.host, watched.port) if watched else None


def watched_central(fleet: Fleet, server: Server) -> Server | None:
    """Central, for the servers of the one shard that watches it: the first of which one runs on another host."""
    central = next((each for each in fleet.servers if each.role == "central"), None)
    shards = [each for each in fleet.servers if each.role == "shard"]
    if central is None or not shards:
        return None
    watcher = next((each for each in shards if each.host != central.host), shards[0])
    return central if server.name == watcher.name else None


def _replica(server: Server) -> dict[str, str]:
    return {"replica": server.replica} if server.replica else {}
