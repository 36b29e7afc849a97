"""What the site wants of each of its Prometheus servers. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from aamic.catalog.artifacts.prometheus.artifact import watched_central
from aamic.catalog.artifacts.rules.artifact import once
from aamic.catalog.artifacts.rules.terms import terms
from aamic.compile.resolve import AGGREGATES, RAW
from aamic.model.federation import Expected
from aamic.model.fleet import Fleet, Scope, Server, ServerRole
from aamic.model.quantities import duration_seconds

_SCOPES: Final[dict[ServerRole, tuple[Scope, ...]]] = {
    "shard": ("shard",),
    "central": ("central",),
    "single": ("shard", "central"),
}


def expected_servers(fleet: Fleet) -> tuple[Expected, ...]:
    """Every server of a site, in its order."""
    return tuple(_expected(fleet, server) for server in fleet.servers)


def _expected(fleet: Fleet, server: Server) -> Expected:
    return Expected(
        name=server.title,
        shard=server.name if server.role == "shard" else "",
        role=server.role,
        replica=server.replica,
        host=server.host,
        address=fleet.address(server.host, server.port),
        targets=dict(_targets(fleet, server)),
        groups=_groups(fleet, server.role),
        series=server.load.series,
        retention=duration_seconds(server.retention),
        stale=_stale(fleet, server),
        read=fleet.federation is not None and fleet.federation.match in {AGGREGATES, RAW},
        cluster=fleet.cluster,
    )


def _targets(fleet: Fleet, server: Server) -> Iterator[tuple[tuple[str, str], str]]:
    yield ("prometheus", fleet.address(server.host, server.port)), server.host
    for endpoint in fleet.endpoints:
        for node in server.nodes:
            if node in endpoint.hosts:
                yield (endpoint.job, fleet.address(node, endpoint.port)), node
    if server.role == "central":
        yield from _of_central(fleet)
    if server.role != "shard":
        for each in fleet.alertmanagers:
            yield ("alertmanager", fleet.address(each.host, each.port)), each.host
    if watched := watched_central(fleet, server):
        yield ("central", fleet.address(watched.host, watched.port)), watched.host


def _of_central(fleet: Fleet) -> Iterator[tuple[tuple[str, str], str]]:
    for shard in fleet.servers:
        if shard.role == "shard":
            yield ("federate", fleet.address(shard.host, shard.port)), shard.host
    for process in fleet.thanos.components if fleet.thanos is not None else ():
        yield (process.job, fleet.address(process.host, process.http_port)), process.host


def _groups(fleet: Fleet, role: ServerRole) -> dict[str, int]:
    """How many rules each group has that the server loads; a single server has both scopes, each rule once."""
    found: dict[str, int] = {}
    for group in once(fleet.rules) if role == "single" else fleet.rules:
        if group.scope in _SCOPES[role] and group.rules:
            found[group.name] = found.get(group.name, 0) + len(group.rules)
    return found


def _stale(fleet: Fleet, server: Server) -> float:
    """As in the alert FederationStale."""
    federate = duration_seconds(fleet.federation.interval) if fleet.federation else 60.0
    intervals = duration_seconds(server.scrape_interval), duration_seconds(server.evaluation_interval)
    return float(terms(*intervals, federate)["federation_stale"])
