"""Which nodes of a large site take part in its twin."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice, zip_longest

from aamic.compile.hostlist import expand
from aamic.model.fleet import Fleet
from aamic.model.site import Site


def choose_nodes(site: Site, fleet: Fleet, limit: int, wanted: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the names of the nodes of the twin, in the fleet's order: all of them, if they are at most `limit`.

    Otherwise these first: `wanted`, every host of the monitoring, one node for each shard, exporter and GPU vendor;
    then the first nodes of each rack, in turn. Those that must be there may be more than `limit`.
    """
    if len(fleet.nodes) <= limit:
        return tuple(fleet.nodes)
    chosen = {*wanted, *_monitoring_hosts(site, fleet), *_one_of_each(fleet)}
    rest = (name for name in _across_racks(fleet) if name not in chosen)
    chosen.update(islice(rest, max(0, limit - len(chosen))))
    return tuple(name for name in fleet.nodes if name in chosen)


def _monitoring_hosts(site: Site, fleet: Fleet) -> Iterator[str]:
    yield from (server.host for server in fleet.servers)
    yield from (each.host for each in fleet.alertmanagers)
    yield from (each.host for each in (fleet.thanos.components if fleet.thanos else ()))
    if site.federation and site.federation.shard_nodes:
        yield from expand(site.federation.shard_nodes)
    if site.slurm:
        yield site.slurm.controller


def _one_of_each(fleet: Fleet) -> Iterator[str]:
    """Return the first node of each shard, exporter and GPU vendor; a shard's first node with GPUs, if it has one."""
    for server in fleet.servers:
        yield from islice((name for name in server.nodes if fleet.nodes[name].gpu), 1)
        yield from server.nodes[:1]
    for endpoint in fleet.endpoints:
        yield from islice((name for name in fleet.nodes if name in endpoint.hosts), 1)
    vendors = {node.gpu.vendor: node.name for node in reversed(tuple(fleet.nodes.values())) if node.gpu}
    yield from vendors.values()


def _across_racks(fleet: Fleet) -> Iterator[str]:
    """Return the first node of every rack, then every second, and so on; nodes in no rack count as one rack."""
    racks: dict[str, list[str]] = {}
    for node in fleet.nodes.values():
        racks.setdefault(node.rack or "", []).append(node.name)
    return (name for row in zip_longest(*racks.values()) for name in row if name is not None)
