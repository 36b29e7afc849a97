"""Many clusters together: sums and averages of those that are connected, and their alerts in one order. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from aamic.errors import RemoteError
from aamic.model.api import MOST, Alert, AlertCounts, Gpus, NodeCounts, Status, Verdict
from aamic.model.fleet import RemoteCluster
from aamic.model.overview import Absent, FoundAlert, Listed, Reference, Seen, Total
from aamic.model.secret import Secret, SecretEnv, SecretFile
from aamic.ops.nodeverdicts import RANK, weight

_OF_GPUS: Final = ("expected", "present", "unhealthy")


def listed(cluster: RemoteCluster) -> Listed:
    """A cluster as the registry has it; of its secrets it says how they are referred to."""
    return Listed(
        name=cluster.name,
        kind=cluster.kind,
        endpoint=cluster.endpoint,
        labels=dict(cluster.labels),
        federate=cluster.federate,
        timeout_seconds=cluster.timeout,
        api_key=_reference(cluster.api_key),
        tls_cert=cluster.tls_cert,
        tls_key=_reference(cluster.tls_key),
        tls_ca_cert=cluster.tls_ca_cert,
    )


def connected(cluster: RemoteCluster, status: Status, *, own: bool = False) -> Seen:
    """What was seen of a cluster that answered."""
    return Seen(
        name=cluster.name,
        own=own,
        kind=cluster.kind,
        endpoint=cluster.endpoint,
        labels=dict(cluster.labels),
        state="connected",
        status=status,
    )


def absent(cluster: RemoteCluster, error: RemoteError, *, own: bool = False) -> Seen:
    """What was seen of a cluster that gave no answer that counts."""
    return Seen(
        name=cluster.name,
        own=own,
        kind=cluster.kind,
        endpoint=cluster.endpoint,
        labels=dict(cluster.labels),
        state=error.state,
        message=str(error),
        hint=error.hint,
    )


def repeated(own_names: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Which clusters are one that stands before them, from names here and what each calls itself, in order.

    >>> repeated([("seoul", "seoul"), ("busan", "busan-1"), ("back", "seoul")])
    {'back': 'seoul'}
    """
    first: dict[str, str] = {}
    found = {name: first.setdefault(own, name) for name, own in own_names}
    return {name: before for name, before in found.items() if before != name}


def told_apart(seen: Sequence[Seen]) -> list[Seen]:
    """The same, with those marked that are a cluster before them: seen by two ways, or this one by a detour."""
    same = repeated((each.name, each.status.cluster) for each in seen if each.status is not None)
    return [each.model_copy(update={"same_as": same.get(each.name)}) for each in seen]


def missing(seen: Iterable[Seen]) -> list[Absent]:
    """Those that are in no sum, in the same order."""
    return [
        Absent(name=each.name, state=each.state, message=each.message, hint=each.hint)
        for each in seen
        if each.status is None
    ]


def total(seen: Sequence[Seen]) -> Total:
    """Sums and weighted averages of the connected clusters, each once; the others change none of them.

    Only the verdict heeds those that are missing: with them, nobody knows that all is well.
    """
    counted = [each for each in seen if each.same_as is None]
    known = [each.status for each in counted if each.status is not None]
    lacks = {each.name: lacking for each in counted if each.status is not None and (lacking := _lacking(each.status))}
    return Total(
        clusters=len(seen),
        connected=sum(each.status is not None for each in seen),
        verdict=_verdict(known, all_known=0 < len(known) == len(counted)),
        score=weighted((each.score, each.nodes.total) for each in known),
        nodes=NodeCounts(
            total=added(each.nodes.total for each in known),
            up=added(each.nodes.up for each in known),
            down=added(each.nodes.down for each in known),
        ),
        gpus=_gpus(known),
        alerts=_alerts(known),
        incomplete=list(lacks),
        lacks=lacks,
    )


def added(numbers: Iterable[int | None]) -> int | None:
    """The sum of what is known, as far as numbers go; None if nothing is.

    >>> added([1, None, 2]), added([None])
    (3, None)
    """
    known = [number for number in numbers if number is not None]
    return min(sum(known), MOST) if known else None


def weighted(pairs: Iterable[tuple[float | None, int | None]]) -> float | None:
    """The average of values by their weights; None if none has both, or all weigh nothing.

    >>> weighted([(100.0, 30), (0.0, 10), (None, 5)])
    75.0
    """
    known = [(value, weight) for value, weight in pairs if value is not None and weight]
    weights = sum(weight for _, weight in known)
    if not weights:
        return None
    average = sum(value * weight for value, weight in known) / weights
    return min(average, max(value for value, _ in known))  # which a rounding may exceed


def merged(found: Iterable[tuple[str, Sequence[Alert]]]) -> list[FoundAlert]:
    """The alerts of several clusters: the most severe first, then the newest; last those about yet another cluster."""
    alerts = [FoundAlert(**alert.model_dump(), cluster=name) for name, each in found for alert in each]
    return sorted(alerts, key=_order)


def _order(alert: FoundAlert) -> tuple[bool, int, float, str, str]:
    return alert.about is not None, -RANK[weight(alert.severity)], -alert.since, alert.cluster, alert.name


def _reference(secret: Secret | None) -> Reference | None:
    if secret is None:
        return None
    return "file" if isinstance(secret, SecretFile) else "env" if isinstance(secret, SecretEnv) else "command"


def _verdict(known: Sequence[Status], *, all_known: bool) -> Verdict:
    verdicts: list[Verdict] = [each.verdict for each in known]
    return max([*verdicts, "ok" if all_known else "unknown"], key=RANK.__getitem__)


def _gpus(known: Sequence[Status]) -> list[Gpus]:
    by_vendor: dict[str, list[Gpus]] = {}
    for gpus in (each for status in known for each in status.gpus):
        by_vendor.setdefault(gpus.vendor, []).append(gpus)
    return [_of_vendor(vendor, by_vendor[vendor]) for vendor in sorted(by_vendor)]


def _of_vendor(vendor: str, several: Sequence[Gpus]) -> Gpus:
    watts = [each.power_watts for each in several if each.power_watts is not None]
    return Gpus(
        vendor=vendor,
        expected=added(each.expected for each in several),
        present=added(each.present for each in several),
        unhealthy=added(each.unhealthy for each in several),
        utilization=weighted((each.utilization, each.present) for each in several),
        power_watts=min(sum(sorted(watts)), MOST) if watts else None,
    )


def _alerts(known: Sequence[Status]) -> AlertCounts | None:
    counts = [each.alerts for each in known if each.alerts is not None]
    if not counts:
        return None
    return AlertCounts(
        critical=added(each.critical for each in counts) or 0,
        warning=added(each.warning for each in counts) or 0,
        info=added(each.info for each in counts) or 0,
    )


def _lacking(status: Status) -> list[str]:
    """What it does not say of all that is added up, in words."""
    gpus = [(f"{name} GPUs of {each.vendor}", getattr(each, name)) for each in status.gpus for name in _OF_GPUS]
    parts = [
        ("how many nodes there are", status.nodes.total),
        ("nodes up", status.nodes.up),
        ("nodes down", status.nodes.down),
        *gpus,
        ("score", status.score),
        ("alerts", status.alerts),
    ]
    return [name for name, value in parts if value is None]
