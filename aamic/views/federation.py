"""What a change of federation does to nodes and their history, each shard by itself, and checks: text and JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from aamic.model.fleet import Fleet, Server
from aamic.model.rebalance import Check, Folder, Transition
from aamic.views.hosts import Fold
from aamic.views.plan_words import counted
from aamic.views.shards import of_total, to_json
from aamic.views.terminal import safe

# What moves


def transition_text(change: Transition, fold: Fold) -> str:
    """Which nodes change their server, and where their history is then."""
    return "\n".join(map(safe, (*_moves(change, fold), *_history(change, fold))))


def _moves(change: Transition, fold: Fold) -> Iterator[str]:
    verb = "changes its server" if change.nodes == 1 else "change their server"
    yield f"{counted(change.nodes, 'node')} {verb}{':' if change.moves else ''}"
    for move in change.moves:
        yield f"  {move.source} -> {move.target}: {fold(move.nodes)}"
    for name in change.anew:
        yield f"  {name} begins anew: none of its hosts and folders is one that it had"


def _history(change: Transition, fold: Fold) -> Iterator[str]:
    """Where samples from before the change are."""
    if change.nodes:
        yield "history is not moved: a node's samples stay where they were scraped"
    for server, retention in dict.fromkeys((each.server, each.retention) for each in change.kept):
        yield f"  {server} keeps what it has of nodes that leave it, until its retention of {retention} is over"
    for (server, path), hosts in folders_of(change.left).items():
        yield f"  {path} on {fold(hosts)} keeps what {server} stored: no server reads it then, and nothing removes it"


def folders_of(folders: Iterable[Folder]) -> dict[tuple[str, str], list[str]]:
    """The hosts of each server's data folder."""
    found: dict[tuple[str, str], list[str]] = {}
    for each in folders:
        found.setdefault((each.server, each.path), []).append(each.host)
    return found


def transition_json(change: Transition) -> dict[str, Any]:
    """The same as a value for JSON; nodes by name, history in seconds."""
    return {
        "moved": {
            "nodes": change.nodes,
            "predicted_series": change.series,
            "history_seconds": change.history,
            "moves": [{"from": each.source, "to": each.target, "nodes": list(each.nodes)} for each in change.moves],
            "anew": list(change.anew),
            "split_racks": list(change.split),
        },
        "folders": {
            "kept": [asdict(each) for each in change.kept],
            "left": [asdict(each) for each in change.left],
        },
    }


# Each shard by itself


def shards_text(fleet: Fleet, names: Sequence[str], fold: Fold) -> str:
    """Each of these shards with its hosts, racks, nodes and predicted load; then how even they are."""
    blocks = ["\n".join(_shard(fleet, name, fold)) for name in names]
    series = series_by_shard(fleet)
    fullest = max(series, key=lambda name: series[name])
    even = f"the fullest, {fullest}, carries {_times(fleet, fullest):.2f} times the average"
    return "\n\n".join([*blocks, f"{counted(len(series), 'shard')}; {even}"])


def _shard(fleet: Fleet, name: str, fold: Fold) -> Iterator[str]:
    servers = servers_of(fleet, name)
    first = servers[0]
    share = first.load.series / sum(series_by_shard(fleet).values())
    yield (
        f"{name}: {counted(len(first.nodes), 'node')}, {first.load.series:,} predicted series, {share:.0%} of all, "
        f"{_times(fleet, name):.2f} times the average"
    )
    for server in servers:
        memory, disk = fleet.nodes[server.host].memory, fleet.nodes[server.host].disk
        need = f"{of_total(server.load.memory, memory)} of RAM, {of_total(server.load.disk, disk)} of disk"
        yield f"  {server.host}:{server.port}  {need}"
    if first.racks:
        yield safe(f"  racks {', '.join(first.racks)}")
    yield safe(f"  nodes {fold(first.nodes)}")


def servers_of(fleet: Fleet, name: str) -> list[Server]:
    """The servers of one shard: one, or a pair."""
    return [server for server in fleet.servers if server.role == "shard" and server.name == name]


def series_by_shard(fleet: Fleet) -> dict[str, int]:
    """The predicted series of each shard, in order."""
    return {server.name: server.load.series for server in fleet.servers if server.role == "shard"}


def _times(fleet: Fleet, name: str) -> float:
    series = series_by_shard(fleet)
    return series[name] * len(series) / sum(series.values())


def shards_json(fleet: Fleet, names: Sequence[str]) -> dict[str, Any]:
    """Each of these shards as a value for JSON, with its servers as `aamic shards --json` has them."""
    series, servers = series_by_shard(fleet), to_json(fleet)
    total = sum(series.values())
    return {
        "version": 1,
        "shards": [
            {
                "shard": name,
                "predicted_series": series[name],
                "share": series[name] / total,
                "times_average": series[name] * len(series) / total,
                "nodes": list(servers_of(fleet, name)[0].nodes),
                "racks": list(servers_of(fleet, name)[0].racks),
                "servers": [each for each in servers if each["shard"] == name],
            }
            for name in names
        ],
    }


def nodes_text(fleet: Fleet, names: Sequence[str]) -> str:
    """A line for each node, `node shard`, in the order of shards."""
    return "\n".join(f"{node} {name}" for name in names for node in servers_of(fleet, name)[0].nodes)


# Checks


def checks_text(checks: Iterable[Check]) -> str:
    """A line for each check, with what is wrong, or what was found, below it."""
    lines: list[str] = []
    for check in checks:
        one = check.state == "ok" and len(check.details) == 1
        lines.append(f"{check.state:<4}  {check.name}{f': {check.details[0]}' if one else ''}")
        lines += [] if one else [f"        {line}" for detail in check.details for line in detail.splitlines()]
        lines += [f"        hint: {check.hint}"] if check.hint else []
    return "\n".join(map(safe, lines))


def checks_json(checks: Sequence[Check]) -> dict[str, Any]:
    """The same as a value for JSON."""
    return {
        "version": 1,
        "valid": all(check.state != "fail" for check in checks),
        "checks": [{**asdict(check), "details": list(check.details)} for check in checks],
    }
