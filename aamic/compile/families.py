"""The series that a server scrapes, as vectors: by name, with the labels that target and exporter give them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from aamic.compile.facts import Facts
from aamic.compile.vectors import CROWD, OWN_JOBS, REMOTE_JOB, Vector
from aamic.model.fleet import THANOS_JOBS, Metric, MetricType

_TARGET: Final = frozenset({"cluster", "node", "job", "instance"})
"""Labels of every target."""
_REMOTE: Final = frozenset({"cluster", "job", "instance"})
"""Labels of the targets that stand for other clusters."""
_OTHERS: Final = frozenset({REMOTE_JOB})
_THANOS: Final = frozenset({"cluster", "host", "job", "instance"})
"""Labels of the targets that are processes of Thanos; those of sidecars have the server's as well."""
_OF_SHARDS: Final = frozenset({"federate", THANOS_JOBS["sidecar"]})
_SERVER: Final = frozenset({"shard", "replica"})
_SHARED: Final = ("go_", "process_", "promhttp_")
"""Metrics that exporters of any job have."""
_NEVER_EMPTY: Final = frozenset(
    {"chip", "cpu", "device", "fstype", "gpu", "gpu_id", "gpu_uuid", "le", "mode", "mountpoint", "port", "quantile"}
    | {"rule_group", "sensor", "UUID"}
)
"""Labels that every series of a metric of the catalog has if one has; others may be empty, which is as absent."""
_PARTS: Final = {"gpu": "gpu", "gpu_id": "gpu", "cpu": "cpu", "mode": "cpu"}


class Families:
    """What one server scrapes. `jobs` are all its scrape jobs, None: unknown; `targets` the labels of its targets.

    `believed` are labels that a rule may name though nothing has them here.
    """

    def __init__(
        self,
        metrics: Mapping[str, Metric],
        jobs: frozenset[str] | None,
        targets: frozenset[str],
        facts: Facts,
        believed: frozenset[str] = frozenset(),
    ) -> None:
        self.metrics = metrics
        self._jobs = jobs
        self._targets = targets
        self._facts = facts
        self._believed = believed
        self._thanos = frozenset(THANOS_JOBS.values()) if jobs is None or "federate" in jobs else frozenset()
        """Jobs of Thanos; a shard has none, and an exporter that has such a name has been reported."""

    def of(self, name: str) -> Iterator[Vector]:
        """The series of a metric; none if nothing emits it."""
        metric = self.metrics.get(name)
        if metric is None:
            return
        kind: MetricType = "counter" if metric.type == "gauge" and name.endswith("_total") else metric.type
        shared = name.startswith(_SHARED) or not metric.emitted_by
        jobs = self._jobs if shared else frozenset({metric.emitted_by})
        yield self._vector(jobs, kind, metric)

    def synthetic(self) -> Iterator[Vector]:
        """The series of `up` and its like, a vector for each job."""
        if self._jobs is None:
            yield Vector(self._targets | self._believed, None, "gauge", sure=_TARGET & self._targets)
            return
        for job in sorted(self._jobs):
            yield self._vector(frozenset({job}), "gauge", None)

    def _vector(self, jobs: frozenset[str] | None, kind: MetricType, metric: Metric | None) -> Vector:
        own = frozenset() if metric is None else metric.labels
        targets = self._labels(jobs)
        hosts = self._hosts(jobs)
        several = {"node"} if hosts is not None and len(hosts) > self._facts.shards else set()
        sure = self._sure(jobs) & targets
        if metric is not None and own is not None and metric.emitted_by not in self._facts.undeclared:
            sure |= own & _NEVER_EMPTY
            several.update(part for part in own if self._has_several(part, metric.emitted_by))
        return Vector(
            labels=None if own is None else _merged(own, targets),
            jobs=jobs,
            kind=kind,
            sure=sure,
            values={"cluster": self._facts.remotes} if jobs == _OTHERS else self._values(targets, hosts),
            several=frozenset(several),
            sources=jobs,
            interval=self._facts.scrape,
        )

    def _labels(self, jobs: frozenset[str] | None) -> frozenset[str]:
        """The labels of the targets of these jobs: the servers themselves have few."""
        targets = self._targets
        if jobs == _OTHERS:
            return targets & _REMOTE | self._believed
        if jobs is None or not jobs <= OWN_JOBS:
            return targets - _SERVER | self._believed
        known = _THANOS if jobs <= self._thanos else _TARGET | {"host"} if jobs & self._thanos else _TARGET
        return (targets | {"host"}) & (known | _SERVER if jobs & _OF_SHARDS else known) | self._believed

    def _sure(self, jobs: frozenset[str] | None) -> frozenset[str]:
        """The labels that each of the targets has, where they have those of targets at all."""
        if jobs is None or jobs.isdisjoint(self._thanos):
            return _TARGET
        return _THANOS if jobs <= self._thanos else _TARGET & _THANOS

    def _hosts(self, jobs: frozenset[str] | None) -> frozenset[str] | None:
        """The nodes that these jobs read; None: unknown, as those of the servers themselves are."""
        if jobs is None or not jobs <= self._facts.hosts.keys():
            return None
        sets = [self._facts.hosts[job] for job in jobs]
        return sets[0] if len(sets) == 1 else frozenset().union(*sets)

    def _values(self, targets: frozenset[str], hosts: frozenset[str] | None) -> dict[str, frozenset[str]]:
        values = {label: known for label, known in self._facts.values.items() if label in targets}
        everyone = values.pop("node", hosts)
        if hosts is not None and everyone is not None:
            # All nodes stand for most of them: sets that are the same one are joined in no time.
            values["node"] = hosts if len(hosts) <= CROWD else everyone
        return values

    def _has_several(self, label: str, job: str) -> bool:
        """Whether a node has this metric more than once, with other values of the label."""
        part = _PARTS.get(label)
        return job in self._facts.dense if part == "gpu" else part == "cpu" and job == "node"


def _merged(own: frozenset[str], targets: frozenset[str]) -> frozenset[str]:
    """The labels of a scraped series: one that the target has too is renamed."""
    clash = own & targets
    return own | targets | {f"exported_{label}" for label in clash} if clash else own | targets
