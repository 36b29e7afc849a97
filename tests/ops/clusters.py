"""A cluster as its Prometheus has it, in memory: what is scraped, what its rules make of it, and its alerts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from aamic.clients.base import Sample
from aamic.errors import OutsideError
from aamic.model.api import Alert
from aamic.model.serveconfig import NodeEntry, RemoteEntry, ServeConfig, ShardEntry

NOW: Final = 1_764_000_000
OWN: Final = "seoul"

Series = tuple[Mapping[str, str], float]


def sample(name: str, value: float, **labels: str) -> Series:
    """One series of the own cluster, unless it names another."""
    return {"__name__": name, "cluster": OWN, **labels}, value


def node(name: str, gpus: int = 8, rack: str | None = "r1") -> NodeEntry:
    """A node of the site, with AMD GPUs unless it has none."""
    vendor, model = ("amd", "MI300X") if gpus else (None, None)
    return NodeEntry(name=name, rack=rack, vendor=vendor, model=model, gpus=gpus)


def config(
    shards: Sequence[ShardEntry] = (), clusters: Sequence[RemoteEntry] = (), *, name: str = OWN, checks: bool = True
) -> ServeConfig:
    """What the server of a cluster is told."""
    return ServeConfig(
        cluster=name,
        address="127.0.0.1",
        port=9443,
        tls=None,
        keys=[],
        rate=600,
        timeout=5,
        prometheus="http://127.0.0.1:9090",
        alertmanagers=["http://am:9093"],
        node_checks=checks,
        staleness=180,
        federated=bool(shards),
        shards=list(shards),
        clusters=list(clusters),
    )


def shard(name: str, replica: str | None = None) -> ShardEntry:
    """A shard of two nodes."""
    return ShardEntry(name=name, replica=replica, host="mon-01", nodes=2, predicted_series=1000)


def other(name: str, *, federate: bool = True) -> RemoteEntry:
    """Another cluster."""
    return RemoteEntry(name=name, endpoint=f"https://{name}:9443", kind="aami", labels={}, federate=federate)


def alert(name: str, severity: str = "critical", since: float = 0, state: str = "firing", **labels: str) -> Alert:
    """An alert of the own cluster."""
    labels = {"alertname": name, "severity": severity, "cluster": OWN, **labels}
    return Alert.model_validate(
        {"name": name, "severity": severity, "state": state, "since": since, "labels": labels, "summary": f"{name}!"}
    )


def well(entry: NodeEntry, **labels: str) -> list[Series]:
    """What is there of a node that is well."""
    where = {"node": entry.name, "rack": entry.rack or "", **labels}
    found = [sample("up", 1, job="node", instance=f"{entry.name}:9100", **where)]
    if entry.gpus:
        gpu = {"gpu_vendor": str(entry.vendor), "gpu_model": str(entry.model), "gpu_count": str(entry.gpus)}
        found += [
            sample("up", 1, job="amd", instance=f"{entry.name}:5000", **where, **gpu),
            sample("node:aamic_node_verdict", 1, verdict="ok", **where),
            sample("node:aamic_node_check_timestamp_seconds", NOW, **where),
            sample("node:gpu_count", entry.gpus, **where),
        ]
    return found


def of_shard(name: str, replica: str | None = None) -> list[Series]:
    """What central has of a shard that is well."""
    where = {"shard": name, **({"replica": replica} if replica else {})}
    return [
        sample("up", 1, job="federate", node="mon-01", **where),
        sample("shard:head_series", 900, node="mon-01", **where),
        sample("shard:targets_up", 3, job="node", **where),
        sample("shard:targets_up", 4, job="amd", **where),
        sample("shard:targets_down", 1, job="amd", **where),
    ]


def of_other(name: str, nodes: int = 50) -> list[Series]:
    """What central has of another cluster that is well."""
    where = {"cluster": name, "job": "remote-clusters"}
    return [
        sample("up", 1, **where),
        sample("cluster:nodes_up", nodes, **where),
        sample("cluster:nodes_down", 2, **where),
        sample("cluster:gpu_count", 400, vendor="nvidia", **where),
        sample("cluster:gpu_count", 8, vendor="amd", **where),
    ]


def sums(nodes: int, gpus: int) -> list[Series]:
    """The own aggregates."""
    return [
        sample("cluster:nodes_up", nodes),
        sample("cluster:nodes_down", 0),
        sample("cluster:gpu_count", gpus, vendor="amd"),
        sample("cluster:gpu_unhealthy", 0, vendor="amd"),
        sample("cluster:gpu_utilization_ratio", 0.5, vendor="amd"),
        sample("cluster:gpu_power_watts", 700, vendor="amd"),
    ]


@dataclass
class Alarm:
    """Who knows these alerts; None fails."""

    alerts: Sequence[Alert] | None = ()

    def firing(self) -> Sequence[Alert]:
        """The alerts."""
        if self.alerts is None:
            raise OutsideError("`http://am:9093` does not answer: refused")
        return self.alerts


_SELECTOR: Final = re.compile(r"([a-z_:A-Z]*)\{((?:[^{}\"]|\"(?:[^\"\\\\]|\\\\.)*\")*)\}")
_MATCHER: Final = re.compile(r'(\w+)(=~|!~|!=|=)("(?:[^"\\]|\\.)*")')
_BY: Final = re.compile(r"^(?:max|group) by \(([a-z_, ]+)\)")
_AGED: Final = re.compile(r"max by \(([a-z_, ]+)\) \(timestamp\(([^ ]+)\) or ")


@dataclass
class Memory:
    """A Prometheus of just these series; as much PromQL as looking at a cluster takes.

    A query that contains one of `broken` fails. `ages` are by shard, or by name of another cluster, else 10 s.
    """

    series: Sequence[Series]
    broken: Mapping[str, OutsideError] = field(default_factory=dict)
    ages: Mapping[str, float] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def query(self, expr: str) -> Sequence[Sample]:
        """What the query gives."""
        self.asked.append(expr)
        for part, error in self.broken.items():
            if part in expr:
                raise error
        if expr.startswith("(time()"):
            return [each for by, selector in _AGED.findall(expr) for each in self._aged(by, selector)]
        found = _SELECTOR.search(expr)
        assert found is not None, expr
        chosen = [Sample(labels, value) for labels, value in self.series if _fits(found, labels)]
        grouped = _BY.match(expr)
        if grouped and expr.startswith("group"):
            chosen = [Sample(each.labels, 1.0) for each in chosen]
        return list(_highest(chosen, grouped[1].split(", "))) if grouped else chosen

    def _aged(self, by: str, selector: str) -> Iterator[Sample]:
        found = _SELECTOR.search(selector)
        assert found is not None, selector
        chosen = [Sample(labels, value) for labels, value in self.series if _fits(found, labels)]
        for each in _highest(chosen, by.split(", ")):
            name = each.labels.get("shard") or each.labels.get("cluster", "")
            yield Sample(each.labels, self.ages.get(name, 10.0))


def _fits(selector: re.Match[str], labels: Mapping[str, str]) -> bool:
    if selector[1] and labels["__name__"] != selector[1]:
        return False
    return all(
        _matches(labels.get(key, ""), sign, json.loads(text)) for key, sign, text in _MATCHER.findall(selector[2])
    )


def _matches(value: str, sign: str, text: str) -> bool:
    same = value == text if "~" not in sign else re.fullmatch(text, value) is not None
    return same != sign.startswith("!")


def _highest(samples: Iterable[Sample], by: Sequence[str]) -> Iterator[Sample]:
    found: dict[tuple[tuple[str, str], ...], float] = {}
    for each in samples:
        key = tuple((label, each.labels[label]) for label in by if each.labels.get(label))
        found[key] = max(each.value, found.get(key, each.value))
    return (Sample(dict(key), value) for key, value in found.items())
