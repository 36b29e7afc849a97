"""One cluster at one look: what its Prometheus and its Alertmanager say of it, as documents of the API. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from aamic.clients.base import Alarms, Metrics, Sample
from aamic.model.api import Alert, Health, Node, Status
from aamic.model.serveconfig import Inventory, ServeConfig
from aamic.ops.clusterasked import SHARDS_ALERTS, Asked, ask
from aamic.ops.clusteroutside import central, own_clusters, plain, several
from aamic.ops.clusterservers import remotes, shard_findings, shards
from aamic.ops.clusterstatus import Scene, health, status
from aamic.ops.nodeverdicts import RANK, judged, weight


@dataclass(frozen=True, slots=True)
class View:
    """A cluster at one look.

    `nodes` are in natural order, `alerts` the most severe and then the newest first, those about other clusters last,
    firing and suppressed ones, and None where nobody could be asked for them.
    `aggregates` are the samples of its own `cluster:*` series, with their names in the label `__name__`.
    """

    status: Status
    health: Health
    nodes: tuple[Node, ...]
    alerts: tuple[Alert, ...] | None
    aggregates: Sequence[Sample]


def look(config: ServeConfig, inventory: Inventory, metrics: Metrics, alarms: Alarms | None, now: float) -> View:
    """Look at the cluster of a site once; `now` is in seconds since 1970 and stands in the documents.

    `metrics` is its central or single Prometheus. `alarms` is who knows its alerts, Prometheus itself where it has no
    Alertmanager; None where nobody does, and then no node is ok, nor where there are shards and no Alertmanager, as
    their alerts are not known to central. What cannot be asked is null and told in `missing`.

    Raises:
        OutsideError: Prometheus does not answer, or not whether nodes are up, without which nothing is known.
    """
    asked = ask(metrics, alarms, config.cluster, others=True, sent=bool(config.alertmanagers))
    if config.federated and not config.alertmanagers:
        asked = replace(asked, partial=True, missing=(*asked.missing, SHARDS_ALERTS))
    servers = shards(config, asked)
    scene = Scene(
        asked=asked,
        entries=inventory.nodes,
        judged=judged(inventory.nodes, asked, checks=config.node_checks),
        total=len(inventory.nodes),
        shards=servers,
        remotes=remotes(config, asked),
        findings=tuple(shard_findings(servers, config.staleness)),
        at=now,
    )
    return _view(scene)


def look_from_outside(name: str, metrics: Metrics, alarms: Alarms | None, now: float) -> View:
    """Look at a cluster of which only a Prometheus or Thanos is known; `name` is what it is called here.

    Where it has `cluster:*` aggregates it is read as the central server of aamic: of the one cluster that it has, or
    of the one called `name` where it has several; if none is, nothing is known, and `missing` says which there are. How
    many nodes there should be is how many it reads.

    Of any other Prometheus only `up` and its alerts are read: how many nodes there should be is null, and a node of
    which nothing is wrong is unknown, as nothing says that it is well.

    Raises:
        OutsideError: It gives no answer that counts.
    """
    names = own_clusters(metrics)
    if not names:
        return _view(plain(name, metrics, alarms, now))
    own = name if name in names else names[0]
    if own != name and len(names) > 1:
        return _view(several(name, names, now))
    return _view(central(own, metrics, alarms, now, beside=frozenset(names) - {own}))


def _view(scene: Scene) -> View:
    asked = scene.asked
    alerts = None if asked.alerts is None else [_told(alert, asked) for alert in asked.alerts]
    return View(
        status=status(scene),
        health=health(scene),
        nodes=scene.nodes,
        alerts=None if alerts is None else tuple(sorted(alerts, key=_order)),
        aggregates=asked.own or (),
    )


def _told(alert: Alert, asked: Asked) -> Alert:
    other = asked.about(alert)
    return alert if other is None else alert.model_copy(update={"about": other})


def _order(alert: Alert) -> tuple[bool, int, float, str, list[tuple[str, str]]]:
    return (
        alert.about is not None,
        -RANK[weight(alert.severity)],
        -alert.since,
        alert.name,
        sorted(alert.labels.items()),
    )
