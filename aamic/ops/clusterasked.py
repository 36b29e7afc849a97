"""What Prometheus and Alertmanager are asked for a look at a cluster: few queries, however many nodes. Pure.

Every query names the cluster by an exact matcher, so that series of other clusters, which the same server may hold, are
never taken for its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Final, TypeVar

from aamic.clients.base import Alarms, Heard, Metrics, Sample
from aamic.errors import OutsideError, RemoteError, SilentError
from aamic.model.api import Alert
from aamic.ops.plausible import whole
from aamic.ops.selectors import quoted
from aamic.ops.undelivered import query, undelivered

NOT_NODES: Final = "prometheus|alertmanager|federate|central|remote-clusters"
"""Jobs whose targets are servers of the monitoring itself, or other clusters."""
SHARDS_ALERTS: Final = "alerts of shards: a central server alone does not hold them"
FEDERATE: Final = "federate"
REMOTE: Final = "remote-clusters"
SHARD: Final = "shard:(targets_up|targets_down|head_series)"
SUMS: Final = "cluster:(nodes_up|nodes_down|gpu_count)"
"""What is read of each shard, and of each other cluster."""
_WORSE: Final = ("ok", "warn", "unknown", "fail")
"""Verdicts of the node check; of the two servers of a pair the worse counts."""
_ONCE: Final = frozenset({"failing", "foreign", "not found"})
"""States of another cluster's answer that may be about one query alone."""
_T = TypeVar("_T")

Server = tuple[str, str]
"""Shard and replica, empty where there is none."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What was answered; None is what could not be asked, and `missing` says why.

    `own` are the cluster's own aggregates, `remote` those of others, as they were read from them. `ages` are seconds
    since the newest sample of a shard, and `remote_ages` of another cluster. `every_alert` tells that there are alerts
    of this cluster alone, whatever their labels are, and `partial` that there may be others that nobody here knows.
    `signals` are what the check of a node finds wrong or does not know. `silent` are Alertmanagers that did not answer
    where others did.
    """

    cluster: str
    up: Mapping[str, bool]
    checks: Mapping[str, str] | None = None
    signals: Mapping[str, Sequence[str]] | None = None
    gpus: Mapping[str, int] | None = None
    own: Sequence[Sample] | None = None
    shards: Sequence[Sample] | None = None
    answers: Mapping[Server, bool] | None = None
    ages: Mapping[Server, float] | None = None
    remote_answers: Mapping[str, float] | None = None
    remote: Sequence[Sample] | None = None
    remote_ages: Mapping[str, float] | None = None
    alerts: tuple[Alert, ...] | None = None
    every_alert: bool = False
    partial: bool = False
    silent: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def knows_alerts(self) -> bool:
        """Whether an alert that is not there does not fire."""
        return self.alerts is not None and not self.partial

    @property
    def own_alerts(self) -> tuple[Alert, ...]:
        """Those that fire in this cluster, rather than about another one that is read from here."""
        return tuple(each for each in self.alerts or () if each.state == "firing" and self.is_own(each))

    def is_own(self, alert: Alert) -> bool:
        """Whether an alert is about this cluster."""
        return self.about(alert) is None

    def about(self, alert: Alert) -> str | None:
        """The other cluster that an alert is about, or None."""
        named = alert.labels.get("cluster") or self.cluster
        return None if self.every_alert or named == self.cluster else named


class Asker:
    """Asks, and remembers in `missing` what gave no answer."""

    def __init__(self, metrics: Metrics, cluster: str) -> None:
        self._metrics = metrics
        self.own = f"cluster={quoted(cluster)}"
        self.missing: list[str] = []

    def must(self, expr: str) -> Sequence[Sample]:
        """Return what is worth nothing to go on without; OutsideError if it fails."""
        return self._metrics.query(expr)

    def may(self, what: str, expr: str) -> Sequence[Sample] | None:
        """Return an answer, or None if this one query failed; OutsideError if the server gives no answer any more.

        A server that does not answer in time would not answer the next query either, and whoever looks waits for it.
        """
        try:
            return self._metrics.query(expr)
        except OutsideError as error:
            if isinstance(error, SilentError) or (isinstance(error, RemoteError) and error.state not in _ONCE):
                raise
            self.missing.append(f"{what}: {error}")
            return None

    def alerts(self, alarms: Alarms | None) -> tuple[Alert, ...] | None:
        """Return the alerts, or None where nobody knows them."""
        if alarms is None:
            self.missing.append("alerts: nobody is there to be asked for them")
            return None
        try:
            found = alarms.firing()
            return found if isinstance(found, Heard) else tuple(found)
        except OutsideError as error:
            self.missing.append(f"alerts: {error}")
            return None


def ask(metrics: Metrics, alarms: Alarms | None, cluster: str, *, others: bool, sent: bool = False) -> Asked:
    """Ask everything; `others` tells whether shards and other clusters are asked for too.

    `sent` tells whether `alarms` knows alerts because Prometheus sends them to it, rather than as Prometheus itself.

    Raises:
        OutsideError: Prometheus does not answer, or not whether nodes are up.
    """
    asker = Asker(metrics, cluster)
    nodes = f'max by (node) (up{{{asker.own},node!="",job!~"{NOT_NODES}"}})'
    up = {name: value > 0 for name, value in by_label("node", asker.must(nodes)).items()}
    checks = asker.may("node checks", f"max by (node, verdict) (node:aamic_node_verdict{{{asker.own}}} == 1)")
    found = asker.may("what node checks find", f"max by (node, signal) (node:aamic_failing_signal{{{asker.own}}} == 1)")
    gpus = asker.may("GPUs of nodes", f"max by (node) (node:gpu_count{{{asker.own}}})")
    sums = asker.may("sums of the cluster", f'{{__name__=~"cluster:.+|{SHARD}",{asker.own},job!="{REMOTE}"}}')
    asked = Asked(
        cluster=cluster,
        up=up,
        checks=given(checks, verdicts),
        signals=given(found, signals),
        gpus=given(gpus, _whole_by_node),
        own=given(sums, lambda those: _named("cluster:", those)),
        shards=given(sums, lambda those: _named("shard:", those)),
    )
    asked = _beside(asked, asker, cluster) if others else asked
    asked = _with_alerts(asked, asker, alarms, sent=sent)
    return replace(asked, missing=tuple(asker.missing))


def _with_alerts(asked: Asked, asker: Asker, alarms: Alarms | None, *, sent: bool) -> Asked:
    """With the alerts, those too that Prometheus did not get rid of."""
    found = asker.alerts(alarms)
    silent = found.silent if isinstance(found, Heard) else ()
    if found is None or not sent:
        return replace(asked, alerts=found, silent=silent)
    firing = asker.may("whether Alertmanager has all alerts", query(asked.cluster))
    more = undelivered(firing or (), found)
    if more:
        asker.missing.append(
            f"other alerts: {len(more):,} that fire in Prometheus are in no Alertmanager; it gets none, or just started"
        )
    return replace(asked, alerts=(*found, *more), silent=silent)


def _beside(asked: Asked, asker: Asker, cluster: str) -> Asked:
    """With what is told of shards and of other clusters."""
    up = asker.may("shards and other clusters", f'up{{job=~"{FEDERATE}|{REMOTE}"}}')
    shards, remotes = f"shard:head_series{{{asker.own}}}", f'cluster:nodes_up{{job="{REMOTE}"}}'
    ages = asker.may("ages", f"{_age('shard, replica', shards)} or {_age('cluster', remotes)}")
    remote = asker.may("sums of other clusters", f'{{__name__=~"{SUMS}",job="{REMOTE}"}}')
    return replace(
        asked,
        answers=given(up, lambda those: {server(each): each.value == 1 for each in those if _is_own(each, cluster)}),
        ages=given(ages, lambda those: {server(each): each.value for each in those if "cluster" not in each.labels}),
        remote_answers=given(up, lambda those: by_label("cluster", _of_job(REMOTE, those))),
        remote_ages=given(ages, lambda those: by_label("cluster", those)),
        remote=remote,
    )


def _age(by: str, selector: str) -> str:
    """Seconds since the newest sample of the last hour; what is older than an hour has no age."""
    return f"(time() - max by ({by}) (timestamp({selector}) or max_over_time(timestamp({selector})[1h:1m])))"


def _is_own(sample: Sample, cluster: str) -> bool:
    return sample.labels.get("job") == FEDERATE and sample.labels.get("cluster") == cluster


def _of_job(job: str, samples: Sequence[Sample]) -> list[Sample]:
    return [each for each in samples if each.labels.get("job") == job]


def _named(prefix: str, samples: Sequence[Sample]) -> list[Sample]:
    return [each for each in samples if each.labels.get("__name__", "").startswith(prefix) and isfinite(each.value)]


def server(sample: Sample) -> Server:
    """The shard and the replica that a series is about."""
    return sample.labels.get("shard", ""), sample.labels.get("replica", "")


def by_label(label: str, samples: Sequence[Sample]) -> dict[str, float]:
    """Values by the value of a label; what has no such label, or is no number, is left out."""
    return {each.labels[label]: each.value for each in samples if each.labels.get(label) and isfinite(each.value)}


def _whole_by_node(samples: Sequence[Sample]) -> dict[str, int]:
    found = {name: whole(value) for name, value in by_label("node", samples).items()}
    return {name: count for name, count in found.items() if count is not None}


def verdicts(samples: Sequence[Sample]) -> dict[str, str]:
    """The worst verdict of each node's own check; a word that is not known counts as `unknown`."""
    found: dict[str, str] = {}
    for each in samples:
        node, word = each.labels.get("node", ""), each.labels.get("verdict", "")
        known = word if word in _WORSE else "unknown"
        found[node] = max(known, found.get(node, known), key=_WORSE.index)
    return found


def signals(samples: Sequence[Sample]) -> dict[str, list[str]]:
    """What the check of each node finds, in words."""
    found: dict[str, list[str]] = {}
    for each in samples:
        found.setdefault(each.labels.get("node", ""), []).append(each.labels.get("signal", "").replace("_", " "))
    return {node: sorted(words) for node, words in found.items()}


def given(answer: Sequence[Sample] | None, made: Callable[[Sequence[Sample]], _T]) -> _T | None:
    """What is made of an answer; None where there was none."""
    return None if answer is None else made(answer)
