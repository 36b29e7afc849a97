"""Fleet -> Graph: the topology as boxes and arrows."""

from __future__ import annotations

from typing import Final

from aamic.model.fleet import Fleet, Server
from aamic.model.graph import Arrow, Box, Graph

_SEPARATE_RACKS: Final = 12


def topology(fleet: Fleet) -> Graph:
    """Racks -> shards -> central -> Alertmanager -> receivers. Replicas of a shard share one box."""
    boxes: list[Box] = []
    arrows: list[Arrow] = []
    servers: dict[str, list[Server]] = {}
    for server in fleet.servers:
        servers.setdefault(server.name, []).append(server)
    for name, replicas in servers.items():
        _add_server(fleet, name, replicas, boxes, arrows)
    _add_alerting(fleet, servers, boxes, arrows)
    return Graph(tuple(sorted(boxes, key=lambda box: box.layer)), tuple(arrows))


def _add_server(fleet: Fleet, name: str, replicas: list[Server], boxes: list[Box], arrows: list[Arrow]) -> None:
    first = replicas[0]
    hosts = tuple(f"{server.host}:{server.port}" for server in replicas)
    central = first.role == "central"
    boxes.append(Box(f"server:{name}", "central" if central else "shard", 2 if central else 1, (name, *hosts)))
    if central:
        shards = dict.fromkeys(server.name for server in fleet.servers if server.role == "shard")
        arrows += [Arrow(f"server:{shard}", f"server:{name}", "aggregates") for shard in shards]
        return
    for key, lines in _sources(fleet, first):
        boxes.append(Box(key, "nodes", 0, lines))
        arrows.append(Arrow(key, f"server:{name}", "metrics"))


def _sources(fleet: Fleet, server: Server) -> list[tuple[str, tuple[str, ...]]]:
    """What a server scrapes: each rack on its own where there are few, else their number."""
    by_rack: dict[str | None, int] = {}
    for name in server.nodes:
        rack = fleet.nodes[name].rack
        by_rack[rack] = by_rack.get(rack, 0) + 1
    loose = by_rack.pop(None, 0)
    sources: list[tuple[str, tuple[str, ...]]] = [
        (f"nodes:{server.name}:{rack}", (f"rack {rack}", _nodes(count))) for rack, count in by_rack.items()
    ]
    if len(sources) > _SEPARATE_RACKS:
        total = sum(by_rack.values())
        sources = [(f"racks:{server.name}", (f"{len(by_rack)} racks", _nodes(total)))]
    if loose:
        sources.append((f"loose:{server.name}", ("in no rack", _nodes(loose))))
    return sources


def _nodes(count: int) -> str:
    return f"{count:,} node" + ("s" if count != 1 else "")


def _add_alerting(fleet: Fleet, servers: dict[str, list[Server]], boxes: list[Box], arrows: list[Arrow]) -> None:
    if not fleet.alertmanagers:
        return
    hosts = tuple(f"{one.host}:{one.port}" for one in fleet.alertmanagers)
    boxes.append(Box("alertmanager", "alertmanager", 3, ("Alertmanager", *hosts)))
    arrows += [Arrow(f"server:{name}", "alertmanager", "alerts") for name in servers]
    for kind in ("slack", "email", "webhook", "pagerduty"):
        if getattr(fleet.notifications, kind) is not None:
            boxes.append(Box(f"receiver:{kind}", "receiver", 4, (kind,)))
            arrows.append(Arrow("alertmanager", f"receiver:{kind}", "tells"))
