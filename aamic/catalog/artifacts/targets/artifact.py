"""The file_sd targets of each Prometheus server: one group for each node, on a line of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from aamic.model.fleet import Endpoint, Fleet, Node, Server
from aamic.model.tree import File, Part


def render(fleet: Fleet) -> Iterable[Part]:
    """One file for each shard, or for the single server; the servers of a pair share it."""
    sharing: dict[str, list[Server]] = {}
    for server in fleet.servers:
        if server.role != "central":
            sharing.setdefault(server.name, []).append(server)
    for name, servers in sharing.items():
        file = File(servers[0].targets_path, targets(fleet, servers[0].nodes))
        yield Part(bundle=name, hosts=tuple(server.host for server in servers), files=(file,), stage=servers[0].stage)


def targets(fleet: Fleet, names: Iterable[str]) -> bytes:
    """The target groups of these nodes as JSON; nodes on which nothing is scraped are left out.

    An empty group closes the list, so that every node's line ends alike: a node that is added changes one line only,
    wherever it stands.
    """
    groups = list(_groups(fleet, names))
    # One call for all groups is five times faster than one for each, and between groups alone stands this text: within
    # a string its quotes are escaped.
    lines = orjson.dumps([*groups, {"targets": []}])[1:-1].replace(b'},{"targets":', b'},\n{"targets":')
    return b"[\n%b\n]\n" % lines


def _groups(fleet: Fleet, names: Iterable[str]) -> Iterator[dict[str, Any]]:
    # 100,000 nodes pass here: sets and suffixes are looked up once, not for each node.
    ports = [(endpoint.hosts, f":{endpoint.port}") for endpoint in _in_order(fleet.endpoints)]
    nodes, cluster = fleet.nodes, fleet.cluster
    for name in names:
        node = nodes[name]
        host = f"[{node.address}]" if ":" in node.address else node.address
        addresses = [host + port for hosts, port in ports if name in hosts]
        if addresses:
            yield {"targets": addresses, "labels": _labels(cluster, node)}


def _in_order(endpoints: Iterable[Endpoint]) -> list[Endpoint]:
    return sorted(endpoints, key=lambda endpoint: endpoint.port)


def _labels(cluster: str, node: Node) -> dict[str, str]:
    """The target labels of a node. The user's never win over those that rules and alerts join on."""
    labels = {"cluster": cluster, "node": node.name}
    if node.rack is not None:
        labels["rack"] = node.rack
    if node.gpu is not None:
        labels["gpu_vendor"] = node.gpu.vendor
        labels["gpu_model"] = node.gpu.model
        labels["gpu_count"] = str(node.gpu.count)
    return {**labels, **node.labels, **labels} if node.labels else labels
