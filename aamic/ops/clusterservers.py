"""Shards and other clusters, as the cluster's Prometheus sees them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isnan
from typing import Literal

from aamic.clients.base import Sample
from aamic.model.api import MAX_ITEMS, Remote, Shard
from aamic.model.serveconfig import RemoteEntry, ServeConfig, ShardEntry
from aamic.ops.clusterasked import Asked, Server, server
from aamic.ops.nodeverdicts import Finding
from aamic.ops.plausible import quantity, summand, whole

State = Literal["connected", "gone", "stale", "not read"]


def shards(config: ServeConfig, asked: Asked) -> list[Shard]:
    """The servers that scrape nodes, as the site has them, each with what its series say."""
    sums = _sums(asked.shards or ())
    return [_shard(entry, config, asked, sums) for entry in config.shards[:MAX_ITEMS]]


def _shard(entry: ShardEntry, config: ServeConfig, asked: Asked, sums: Mapping[tuple[str, Server], float]) -> Shard:
    # A single server is the one that answers, and its series have no label that tells it from others.
    key = (entry.name, entry.replica or "") if config.federated else ("", "")
    return Shard(
        name=entry.name,
        replica=entry.replica,
        up=(asked.answers or {}).get(key) if config.federated else True,
        nodes=entry.nodes,
        targets_up=whole(sums.get(("shard:targets_up", key))),
        targets_down=whole(sums.get(("shard:targets_down", key))),
        series=whole(sums.get(("shard:head_series", key))),
        predicted_series=entry.predicted_series,
        age_seconds=_age((asked.ages or {}).get(key)),
    )


def _sums(samples: Iterable[Sample]) -> dict[tuple[str, Server], float]:
    """Series of one name and server, added up over what else tells them apart."""
    found: dict[tuple[str, Server], float] = {}
    for each in samples:
        key = (each.labels.get("__name__", ""), server(each))
        found[key] = found.get(key, 0.0) + summand(each.value)
    return found


def _age(seconds: float | None) -> float | None:
    """An age; a clock that is a little ahead makes nothing younger than new."""
    return None if seconds is None or isnan(seconds) else quantity(max(0.0, round(seconds, 3)))


def shard_findings(found: Sequence[Shard], staleness: float) -> Iterator[Finding]:
    """What is wrong with shards: a shard is as good as the better server of its pair."""
    by_name: dict[str, list[Shard]] = {}
    for each in found:
        by_name.setdefault(each.name, []).append(each)
    for name, servers in by_name.items():
        yield from _shard_finding(name, servers, staleness)


def _shard_finding(name: str, servers: Sequence[Shard], staleness: float) -> Iterator[Finding]:
    fresh = [each for each in servers if each.up and each.age_seconds is not None and each.age_seconds <= staleness]
    if all(each.up is False for each in servers):
        yield "critical", f"shard `{name}` is down, so that its nodes are not watched"
    elif not fresh:
        yield "unknown", f"nothing new is known from shard `{name}`"
    elif len(fresh) < len(servers):
        yield "warning", f"shard `{name}` runs on {len(fresh)} of its {len(servers)} servers"


def remotes(config: ServeConfig, asked: Asked) -> list[Remote]:
    """The other clusters of the site, in its order."""
    found: dict[tuple[str, str], float] = {}
    for each in asked.remote or ():
        key = (each.labels.get("cluster", ""), each.labels.get("__name__", ""))
        found[key] = found.get(key, 0.0) + summand(each.value)
    return [_remote(entry, config.staleness, asked, found) for entry in config.clusters[:MAX_ITEMS]]


def _remote(entry: RemoteEntry, staleness: float, asked: Asked, sums: Mapping[tuple[str, str], float]) -> Remote:
    age = _age((asked.remote_ages or {}).get(entry.name)) if entry.federate else None
    read = {} if not entry.federate else sums
    return Remote(
        name=entry.name,
        endpoint=entry.endpoint,
        kind=entry.kind,
        labels=entry.labels,
        state=_state(entry, age, staleness, asked),
        nodes_up=whole(read.get((entry.name, "cluster:nodes_up"))),
        nodes_down=whole(read.get((entry.name, "cluster:nodes_down"))),
        gpus=whole(read.get((entry.name, "cluster:gpu_count"))),
        age_seconds=age,
    )


def _state(entry: RemoteEntry, age: float | None, staleness: float, asked: Asked) -> State:
    """Without a word on whether it answers, a cluster is stale: what is known of it may be old."""
    if not entry.federate:
        return "not read"
    if asked.remote_answers is None:
        return "stale"
    if asked.remote_answers.get(entry.name) != 1:
        return "gone"
    return "connected" if age is not None and age <= staleness else "stale"
