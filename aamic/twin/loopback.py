"""The same site on this machine: loopback addresses, free ports and short intervals; nobody is notified."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aamic.model.fleet import Fleet, Node
from aamic.model.site import Site

_SHORTEST = 2
_SCRAPES_A_SECOND = 100
_HOSTS_IN_A_BLOCK = 250
_FIRST_BLOCK = 64
_ELSEWHERE = ("include", "inventory", "notifications", "serve", "grafana")
"""Keys whose meaning is in the nodes already, and those by which others are told, or read this machine."""
_INSTALLED = ("source", "program")
_NOWHERE = "https://other-cluster.invalid"


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the twin runs: nodes that take part with their loopback addresses, free ports, seconds between scrapes.

    `bucket` is a folder for what Thanos keeps: the site's own bucket is for its own samples. It is None where Thanos
    cannot run; then the site is as before it moved to Thanos.
    """

    addresses: Mapping[str, str]
    ports: tuple[int, ...]
    interval: int = _SHORTEST
    bucket: str | None = None


def loopback_addresses(names: tuple[str, ...]) -> dict[str, str]:
    """Return an address of 127.0.0.0/8 for each name; Linux answers for all of them without any setup.

    >>> loopback_addresses(("a", "b"))
    {'a': '127.64.0.1', 'b': '127.64.0.2'}
    """
    return {name: _loopback(index) for index, name in enumerate(names)}


def _loopback(index: int) -> str:
    block, host = divmod(index, _HOSTS_IN_A_BLOCK)
    return f"127.{_FIRST_BLOCK + block // 256}.{block % 256}.{host + 1}"


def interval_for(fleet: Fleet, names: Collection[str]) -> int:
    """Return the seconds between scrapes with which one machine keeps up, at least 2: it is all exporters at once."""
    hosts = (
        endpoint.hosts.intersection(names, server.nodes) for server in fleet.servers for endpoint in fleet.endpoints
    )
    return max(_SHORTEST, -(-sum(map(len, hosts)) // _SCRAPES_A_SECOND))


def ports_needed(site: Site, fleet: Fleet) -> int:
    """Return how many free ports `twin_document` takes."""
    return len(fleet.servers) + len(_exporter_keys(site)) + len(site.exporters.custom) + 4


def twin_document(site: Site, fleet: Fleet, stage: Stage) -> dict[str, Any]:
    """Return what to write as the twin's site.yaml.

    Only values that a user could write differ: addresses, ports, intervals, the nodes that take part, each shard's
    list of nodes (as it is in the whole site), and no notifications. Other clusters are there by name alone, as rules
    may ask for them. Programs are this machine's own, and sizes of
    the hosts are left out, as they belong to machines that are not here.
    """
    ports = iter(stage.ports)
    said: dict[str, Any] = site.model_dump(mode="json", by_alias=True, exclude_unset=True)
    document = {key: value for key, value in said.items() if key not in _ELSEWHERE}
    nodes = [fleet.nodes[name] for name in stage.addresses]
    document["clusters"] = [
        {"name": each.name, "endpoint": _NOWHERE, "federate": each.federate} for each in fleet.clusters
    ]
    document["racks"] = _racks(nodes)
    document["nodes"] = {node.name: _node(node, stage.addresses[node.name]) for node in nodes}
    document["prometheus"] = _without_source(said.get("prometheus", {})) | {
        "port": next(ports),
        "scrape_interval": f"{stage.interval}s",
        "scrape_timeout": f"{stage.interval}s",
        "evaluation_interval": f"{stage.interval}s",
    }
    if fleet.federation:
        document["federation"] = said["federation"] | _federation(said["federation"], fleet, stage, ports)
    else:
        document.pop("federation", None)
        document["prometheus"]["node"] = fleet.servers[0].host
    if waiting := document.pop("thanos", None):
        document |= _with_thanos(waiting, stage.bucket, next(ports)) if stage.bucket else _without_thanos(document)
    if site.alertmanager:
        own = {"port": next(ports), "cluster_port": next(ports)}
        document["alertmanager"] = _without_source(said["alertmanager"]) | own
    document["exporters"] = _exporters(site, said.get("exporters", {}), fleet, stage, ports)
    return document


def _with_thanos(said: Mapping[str, Any], bucket: str, query_port: int) -> dict[str, Any]:
    """Query's port alone: the others are given to each process later."""
    options = {key: value for key, value in said.items() if not key.endswith("_port") and key not in _INSTALLED}
    own = {"objstore": {"directory": bucket}} if said.get("objstore") else {}
    return {"thanos": options | own | {"query_port": query_port}}


def _without_thanos(document: Mapping[str, Any]) -> dict[str, Any]:
    """What differs where it cannot run: what only a bucket or a ruler could do is left out. Nothing where it waits."""
    federation, alerts = document.get("federation", {}), document.get("alerts", {})
    if federation.get("type") != "thanos":
        return {}
    central = {key: value for key, value in federation["central"].items() if not key.startswith("retention_")}
    rules = [rule for rule in alerts.get("custom", ()) if rule.get("scope") != "global"]
    return {
        "federation": federation | {"type": "prometheus", "central": central},
        "alerts": alerts | {"custom": rules},
    }


def _without_source(options: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in options.items() if key != "source"}


def _racks(nodes: list[Node]) -> dict[str, Any]:
    racks: dict[str, list[str]] = {}
    for node in nodes:
        if node.rack is not None:
            racks.setdefault(node.rack, []).append(node.name)
    return {rack: {"nodes": ",".join(names)} for rack, names in racks.items()}


def _node(node: Node, address: str) -> dict[str, Any]:
    gpu = {"vendor": node.gpu.vendor, "model": node.gpu.model, "count": node.gpu.count} if node.gpu else None
    spec = {"address": address, "threads": node.threads, "labels": dict(node.labels), "gpu": gpu}
    return {key: value for key, value in spec.items() if value}


def _federation(said: Mapping[str, Any], fleet: Fleet, stage: Stage, ports: Iterator[int]) -> dict[str, Any]:
    central = said.get("central", {}) | {
        "port": next(ports),
        "federate_interval": f"{2 * stage.interval}s",
        "federate_timeout": f"{2 * stage.interval}s",
    }
    specs = {spec["name"]: spec for spec in said["shards"]} if isinstance(said.get("shards"), list) else {}
    shards = {server.name: server for server in fleet.servers if server.role == "shard"}
    listed = [
        {key: value for key, value in specs.get(name, {}).items() if key in {"host", "prometheus"}}
        | {"name": name, "nodes": ",".join(node for node in server.nodes if node in stage.addresses)}
        for name, server in shards.items()
    ]
    for spec in listed:
        spec["prometheus"] = spec.get("prometheus", {}) | {"port": next(ports)}
    return {"central": central, **({"shards": listed} if listed else {})}


def _exporter_keys(site: Site) -> dict[str, str]:
    """Return the key under `exporters:` of each exporter that has a port, by its attribute."""
    fields = type(site.exporters).model_fields
    return {
        name: field.alias or name
        for name, field in fields.items()
        if name != "custom" and hasattr(getattr(site.exporters, name), "port")
    }


def _exporters(site: Site, said: Mapping[str, Any], fleet: Fleet, stage: Stage, ports: Iterator[int]) -> dict[str, Any]:
    options = {key: _without_source(value) for key, value in said.items() if key != "custom"}
    for key in _exporter_keys(site).values():
        options[key] = options.get(key, {}) | {"port": next(ports)}
    hosts = {endpoint.job: endpoint.hosts for endpoint in fleet.endpoints}
    custom = [
        {key: value for key, value in _without_source(spec).items() if key != "racks"}
        | {"port": next(ports), "nodes": ",".join(name for name in stage.addresses if name in hosts[spec["name"]])}
        for spec in said.get("custom", ())
    ]
    return options | ({"custom": custom} if custom else {})
