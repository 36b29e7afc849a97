"""A look at a cluster, made of what was answered: its numbers, what is thought of it, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aamic.clients.base import Sample
from aamic.compile.hostlist import HostListError, fold
from aamic.model.api import (
    MAX_ITEMS,
    Alert,
    AlertCounts,
    Gpus,
    Health,
    Node,
    NodeCounts,
    Remote,
    Shard,
    Status,
)
from aamic.model.serveconfig import NodeEntry
from aamic.ops.clusterasked import Asked, by_label
from aamic.ops.nodeverdicts import RANK, UNASKED, Finding, Judged, anything_known, counts, racks, weight, worst
from aamic.ops.plausible import clip, quantity, ratio, whole

_NAMES: Final = 240
"""Characters of a folded list of names in a reason."""
_LOOSE: Final = 5


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that a status is made of; `total` is how many nodes there should be, None where nobody says."""

    asked: Asked
    entries: Sequence[NodeEntry]
    judged: Sequence[Judged]
    total: int | None
    shards: Sequence[Shard]
    remotes: Sequence[Remote]
    findings: Sequence[Finding]
    at: float

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes without why they are thought so of."""
        return tuple(each.node for each in self.judged)


def status(scene: Scene) -> Status:
    """The cluster at one look."""
    asked, known = scene.asked, anything_known(scene.nodes, scene.asked)
    found = _ordered([*_of_nodes(scene), *scene.findings, *_of_alerts(scene), *_silent(asked), *_gaps(scene)])
    return Status(
        cluster=clip(asked.cluster),
        at=scene.at,
        verdict=worst(verdict for verdict, _ in found),
        reasons=[clip(reason) for _, reason in found][:MAX_ITEMS],
        nodes=_node_counts(scene),
        verdicts=counts(scene.nodes) if known else None,
        score=_score(scene, known=known),
        gpus=_gpus(scene),
        alerts=_alert_counts(asked),
        shards=list(scene.shards),
        clusters=list(scene.remotes),
        missing=[clip(each) for each in (*asked.missing, *asked.silent)][:MAX_ITEMS],
    )


def health(scene: Scene) -> Health:
    """How well the nodes are."""
    found = _ordered([*_of_nodes(scene), *_gaps(scene)])
    return Health(
        cluster=clip(scene.asked.cluster),
        at=scene.at,
        overall=worst(verdict for verdict, _ in found),
        score=_score(scene, known=anything_known(scene.nodes, scene.asked)),
        nodes=counts(scene.nodes),
        racks=racks(scene.nodes),
        reasons=[clip(reason) for _, reason in found][:MAX_ITEMS],
        missing=[clip(each) for each in scene.asked.missing][:MAX_ITEMS],
    )


def _silent(asked: Asked) -> Iterator[Finding]:
    """Alertmanagers that do not answer where others do: as many alerts are known, but less is safe."""
    for each in asked.silent:
        yield "warning", f"one of several Alertmanagers does not answer: {each}"


def _gaps(scene: Scene) -> Iterator[Finding]:
    """What leaves the cluster unknown at best: something is missing, or there is no node."""
    for each in scene.asked.missing:
        yield "unknown", f"not known: {each.partition(': ')[0]}"
    if not scene.nodes:
        yield "unknown", "no node is known"


def _score(scene: Scene, *, known: bool) -> float | None:
    """Null also where a whole source is missing: how many of the nodes are well is not known then."""
    asked = scene.asked
    if not known or not scene.total or not asked.knows_alerts or None in (asked.checks, asked.gpus):
        return None
    return 100 * counts(scene.nodes).ok / scene.total


def _node_counts(scene: Scene) -> NodeCounts:
    known = [node.up for node in scene.nodes if node.up is not None]
    if not known:
        return NodeCounts(total=scene.total, up=None, down=None)
    return NodeCounts(total=scene.total, up=sum(known), down=len(known) - sum(known))


def _ordered(findings: Iterable[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda each: -RANK[each[0]])


def _of_nodes(scene: Scene) -> Iterator[Finding]:
    """Each reason once, with all nodes that have it; those of most nodes first."""
    found: dict[Finding, list[str]] = {}
    for each in scene.judged:
        for finding in each.findings:
            if finding[1] not in UNASKED:
                found.setdefault(finding, []).append(each.node.name)
    for (verdict, reason), names in sorted(found.items(), key=lambda each: -len(each[1])):
        yield verdict, f"{who(names)}: {reason}"


def who(names: Sequence[str]) -> str:
    """Nodes by their folded names, and how many where they are several.

    >>> who(["gpu-001", "gpu-002"])
    '`gpu-[001-002]` (2 nodes)'
    """
    try:
        folded = fold(names)
    except HostListError:  # names that came from elsewhere
        folded = ",".join(names[:_LOOSE]) + (",…" if len(names) > _LOOSE else "")
    shown = folded if len(folded) <= _NAMES else f"{folded[:_NAMES].rpartition(',')[0] or folded[:_NAMES]},…"
    return f"`{shown}`" + (f" ({len(names)} nodes)" if len(names) > 1 else "")


def _of_alerts(scene: Scene) -> Iterator[Finding]:
    """Alerts that no node of the site has; one about another cluster is at most a warning here."""
    names = {node.name for node in scene.nodes}
    found: dict[Finding, int] = {}
    for alert in scene.asked.alerts or ():
        own = scene.asked.is_own(alert)
        if alert.state == "firing" and not (own and alert.labels.get("node") in names):
            verdict = weight(alert.severity) if own or weight(alert.severity) == "ok" else "warning"
            finding = verdict, _told(alert, scene.asked.about(alert))
            found[finding] = found.get(finding, 0) + 1
    for (verdict, reason), number in found.items():
        if verdict != "ok":
            yield verdict, reason if number == 1 else f"{reason} ({number} times)"


def _told(alert: Alert, other: str | None) -> str:
    about = "" if other is None else f" about cluster `{other}`"
    return f"alert `{alert.name}`{about}" + (f": {alert.summary}" if alert.summary else "")


def _alert_counts(asked: Asked) -> AlertCounts | None:
    """Firing alerts of this cluster; a severity that is none of the three counts as what is made of it."""
    if not asked.knows_alerts:
        return None
    found = [weight(alert.severity) for alert in asked.own_alerts]
    return AlertCounts(critical=found.count("critical"), warning=found.count("warning"), info=found.count("ok"))


def _gpus(scene: Scene) -> list[Gpus]:
    """By vendor: what the site says, and what the cluster's own sums do."""
    expected: dict[str, int] = {}
    for entry in scene.entries:
        if entry.vendor and entry.gpus:
            expected[entry.vendor] = expected.get(entry.vendor, 0) + entry.gpus
    sums = {name: by_label("vendor", _called(name, scene.asked.own or ())) for name in _SUMS}
    vendors = sorted({*expected, *(vendor for values in sums.values() for vendor in values)})
    return [_vendor(vendor, expected.get(vendor), sums) for vendor in vendors[:MAX_ITEMS]]


_SUMS: Final = ("gpu_count", "gpu_unhealthy", "gpu_utilization_ratio", "gpu_power_watts")


def _called(name: str, samples: Sequence[Sample]) -> list[Sample]:
    return [each for each in samples if each.labels.get("__name__") == f"cluster:{name}"]


def _vendor(vendor: str, expected: int | None, sums: Mapping[str, Mapping[str, float]]) -> Gpus:
    return Gpus(
        vendor=clip(vendor),
        expected=expected,
        present=whole(sums["gpu_count"].get(vendor)),
        unhealthy=whole(sums["gpu_unhealthy"].get(vendor)),
        utilization=ratio(sums["gpu_utilization_ratio"].get(vendor)),
        power_watts=quantity(sums["gpu_power_watts"].get(vendor)),
    )
