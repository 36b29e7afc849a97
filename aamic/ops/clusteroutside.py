"""A cluster of which only a Prometheus or Thanos is known, and no site: what its own series say. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from aamic.agent.health.drainwords import natural
from aamic.clients.base import Alarms, Metrics, Sample
from aamic.model.serveconfig import NodeEntry
from aamic.ops.clusterasked import FEDERATE, NOT_NODES, REMOTE, SHARDS_ALERTS, Asked, Asker, ask, by_label, given
from aamic.ops.clusterstatus import Scene
from aamic.ops.nodeverdicts import Judged, judged
from aamic.ops.plausible import clip

_UNJUDGED: Final = "nothing says how well it is"
_PLAIN: Final = "sums of the cluster: it has none of aamic's, so that how many nodes there should be is not known"
_LABELS: Final = "node, rack, gpu_vendor, gpu_model, gpu_count"
_TOLD: Final = 10
_DIGITS: Final = 6


def own_clusters(metrics: Metrics) -> tuple[str, ...]:
    """The clusters for which a server has aggregates of its own, rather than read from other clusters.

    Raises:
        OutsideError: It gives no answer that counts.
    """
    found = metrics.query(f'group by (cluster) (cluster:nodes_up{{cluster!="",job!="{REMOTE}"}})')
    return tuple(sorted({name for each in found if (name := each.labels.get("cluster"))}, key=natural))


def central(cluster: str, metrics: Metrics, alarms: Alarms | None, now: float, *, beside: Container[str] = ()) -> Scene:
    """A cluster that aamic made: its nodes, racks and GPUs stand in the labels of what is scraped.

    A node judges itself if it did within the last hour. Of a cluster with shards the server has no alerts but its own;
    those of clusters `beside` it on a server of several are no business of it.
    """
    asker = Asker(metrics, cluster)
    entries = _entries(asker.must(f'group by ({_LABELS}) (up{{{asker.own},node!="",job!~"{NOT_NODES}"}})'))
    times = f"group by (node) (last_over_time(node:aamic_node_check_timestamp_seconds{{{asker.own}}}[1h]))"
    checked = given(asker.may("which nodes check themselves", times), lambda those: set(by_label("node", those)))
    entries = [each.model_copy(update={"checked": checked is None or each.name in checked}) for each in entries]
    shards = asker.may("whether it has shards", f'group by (shard) (up{{{asker.own},job="{FEDERATE}"}})')
    asked = ask(metrics, alarms, cluster, others=False)
    own = None if asked.alerts is None else tuple(each for each in asked.alerts if asked.about(each) not in beside)
    unheld = (f"{SHARDS_ALERTS}; as `kind: aami` it tells of all",) if shards else ()
    missing = (*asker.missing, *asked.missing, *unheld)
    asked = replace(asked, alerts=own, partial=shards is None or bool(shards), missing=missing)
    return _scene(asked, entries, judged(entries, asked, checks=True), len(entries) or None, now)


def several(name: str, names: Sequence[str], now: float) -> Scene:
    """A server of several clusters of which none is meant: nothing of it is known."""
    told = ", ".join(f"`{each}`" for each in names[:_TOLD]) + (", …" if len(names) > _TOLD else "")
    why = f"which cluster is meant: it has {told}, none called `{name}`; give it the name of the one meant"
    return _scene(Asked(cluster=name, up={}, missing=(why,)), (), (), None, now)


def plain(name: str, metrics: Metrics, alarms: Alarms | None, now: float) -> Scene:
    """Any other Prometheus: whether what it scrapes answers, and which alerts it has."""
    asker = Asker(metrics, name)
    up = _up(asker.must(f'max by (node, instance) (up{{job!~"{NOT_NODES}"}})'))
    alerts = asker.alerts(alarms)
    asked = Asked(cluster=name, up=up, alerts=alerts, every_alert=True, missing=(_PLAIN, *asker.missing))
    entries = [NodeEntry(name=node) for node in up]
    return _scene(asked, entries, [_doubted(each) for each in judged(entries, asked, checks=False)], None, now)


def _scene(asked: Asked, entries: Sequence[NodeEntry], nodes: Sequence[Judged], total: int | None, now: float) -> Scene:
    return Scene(asked=asked, entries=entries, judged=nodes, total=total, shards=(), remotes=(), findings=(), at=now)


def _entries(samples: Iterable[Sample]) -> list[NodeEntry]:
    """A node once, with its GPUs if any of its targets tells of them."""
    found: dict[str, NodeEntry] = {}
    for each in samples:
        entry = _entry(each.labels)
        before = found.get(entry.name)
        if before is None or (entry.gpus, entry.rack or "") > (before.gpus, before.rack or ""):
            found[entry.name] = entry
    return list(found.values())


def _entry(labels: Mapping[str, str]) -> NodeEntry:
    count = labels.get("gpu_count", "")
    known = count.isascii() and count.isdigit() and len(count) <= _DIGITS
    return NodeEntry(
        name=clip(labels.get("node", "")),
        rack=clip(labels["rack"]) if labels.get("rack") else None,
        vendor=clip(labels["gpu_vendor"]) if labels.get("gpu_vendor") else None,
        model=clip(labels["gpu_model"]) if labels.get("gpu_model") else None,
        gpus=int(count) if known else 0,
    )


def _up(samples: Iterable[Sample]) -> dict[str, bool]:
    """Nodes by their label, or else by the host of their address; one is up if anything of it is."""
    found: dict[str, bool] = {}
    for each in samples:
        name = clip(each.labels.get("node") or _host(each.labels.get("instance", "")))
        if name:
            found[name] = found.get(name, False) or each.value == 1
    return found


def _host(instance: str) -> str:
    """The host of an address with a port.

    >>> _host("gpu-001:9100"), _host("[::1]:9100"), _host("gpu-001")
    ('gpu-001', '::1', 'gpu-001')
    """
    host, colon, port = instance.rpartition(":")
    return (host if colon and port.isdigit() else instance).strip("[]")


def _doubted(each: Judged) -> Judged:
    """A node of which no site tells anything: if nothing of it is wrong, nothing says that it is well."""
    node = each.node.model_copy(update={"gpus_expected": None})
    if node.verdict != "ok":
        return Judged(node, each.findings)
    doubted = node.model_copy(update={"verdict": "unknown", "reasons": [_UNJUDGED]})
    return Judged(doubted, (("unknown", _UNJUDGED),))
