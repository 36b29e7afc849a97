"""What is thought of each node: the worst of what is known of it. Pure.

Of one node `critical` is worse than `unknown`, which is worse than `warning`: what is not known may be anything but
what is known to be critical, and is never good.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aamic.agent.health.drainwords import natural
from aamic.model.api import MAX_ITEMS, Alert, Group, Node, Verdict, VerdictCounts
from aamic.model.serveconfig import NodeEntry
from aamic.ops.clusterasked import Asked
from aamic.ops.plausible import clip

Finding = tuple[Verdict, str]
"""What is thought, and why."""
RANK: Final[Mapping[Verdict, int]] = {"ok": 0, "warning": 1, "unknown": 2, "critical": 3}
ALERTS_UNKNOWN: Final = "whether it has alerts is not known"
CHECKS_UNKNOWN: Final = "what its own check found could not be asked"
GPUS_UNKNOWN: Final = "how many GPUs it has could not be asked"
UNASKED: Final = frozenset({ALERTS_UNKNOWN, CHECKS_UNKNOWN, GPUS_UNKNOWN})
"""Reasons that all nodes have at once, which what is `missing` tells."""
NO_RACK: Final = "(no rack)"
OTHER_RACKS: Final = "(other racks)"
_INFO: Final = frozenset({"info", "informational", "notice", "none", "debug"})
_BY_CHECK: Final[Mapping[str, Finding]] = {
    "fail": ("critical", "its own check fails"),
    "warn": ("warning", "its own check warns"),
    "unknown": ("unknown", "its own check does not know"),
}


def weight(severity: str) -> Verdict:
    """What an alert of this severity makes of a node; one that is neither known nor plainly harmless is a warning.

    >>> weight("critical"), weight("page"), weight("info")
    ('critical', 'warning', 'ok')
    """
    word = severity.strip().lower()
    return "critical" if word == "critical" else "ok" if word in _INFO else "warning"


def counted_as(severity: str) -> str:
    """The severity that an alert counts as, whatever words a site has for its own.

    >>> counted_as("critical"), counted_as("page"), counted_as("notice")
    ('critical', 'warning', 'info')
    """
    found = weight(severity)
    return "info" if found == "ok" else found


@dataclass(frozen=True, slots=True)
class Judged:
    """A node, and everything that is thought of it, the worst first."""

    node: Node
    findings: tuple[Finding, ...]


def judged(entries: Sequence[NodeEntry], asked: Asked, *, checks: bool) -> tuple[Judged, ...]:
    """The nodes in natural order, with what is thought of each; `checks` tells whether nodes judge themselves."""
    alerts = _by_node(asked.own_alerts)
    ordered = sorted(entries, key=lambda entry: natural(entry.name))
    return tuple(
        _judged(entry, asked, _findings(entry, asked, alerts.get(entry.name, ()), checks=checks)) for entry in ordered
    )


def counts(nodes: Iterable[Node]) -> VerdictCounts:
    """How many nodes are thought what of."""
    found = dict.fromkeys(RANK, 0)
    for node in nodes:
        found[node.verdict] += 1
    return VerdictCounts(**found)


def racks(nodes: Sequence[Node]) -> list[Group]:
    """The nodes by rack, in natural order; of very many racks the last are one."""
    found: dict[str, list[Node]] = {}
    for node in nodes:
        found.setdefault(node.rack or NO_RACK, []).append(node)
    names = sorted(found, key=natural)
    shown = names if len(names) <= MAX_ITEMS else names[: MAX_ITEMS - 1]
    groups = [Group(name=name, nodes=counts(found[name])) for name in shown]
    rest = [node for name in names[len(shown) :] for node in found[name]]
    return [*groups, Group(name=OTHER_RACKS, nodes=counts(rest))] if rest else groups


def anything_known(nodes: Sequence[Node], asked: Asked) -> bool:
    """Whether anything at all is known of any of the nodes."""
    seen = {node.name for node in nodes}
    sources: tuple[Iterable[str], ...] = (asked.up, asked.checks or (), asked.gpus or (), _by_node(asked.own_alerts))
    return any(not seen.isdisjoint(source) for source in sources)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of some verdicts; of none it is `ok`."""
    return max(verdicts, key=RANK.__getitem__, default="ok")


def _by_node(alerts: Iterable[Alert]) -> dict[str, list[Alert]]:
    found: dict[str, list[Alert]] = {}
    for alert in alerts:
        if name := alert.labels.get("node"):
            found.setdefault(name, []).append(alert)
    return found


def _judged(entry: NodeEntry, asked: Asked, findings: Iterable[Finding]) -> Judged:
    told = ((verdict, clip(reason)) for verdict, reason in findings)
    found = tuple(sorted(dict.fromkeys(told), key=lambda each: -RANK[each[0]]))
    node = Node(
        name=entry.name,
        rack=entry.rack,
        up=asked.up.get(entry.name),
        verdict=found[0][0] if found else "ok",
        reasons=list(dict.fromkeys(reason for _, reason in found))[:MAX_ITEMS],
        vendor=entry.vendor,
        model=entry.model,
        gpus_expected=entry.gpus,
        gpus_present=(asked.gpus or {}).get(entry.name),
    )
    return Judged(node, found)


def _findings(entry: NodeEntry, asked: Asked, alerts: Sequence[Alert], *, checks: bool) -> Iterator[Finding]:
    up = asked.up.get(entry.name)
    if up is None:
        yield "unknown", "none of its exporters is read"
    elif not up:
        yield "critical", "none of its exporters answers"
    if asked.checks is not None:
        yield from _by_check(entry, asked, expected=checks and entry.checked and entry.gpus > 0)
    elif checks:
        yield "unknown", CHECKS_UNKNOWN
    yield from _by_gpus(entry, asked)
    if not asked.knows_alerts:
        yield "unknown", ALERTS_UNKNOWN
    for alert in alerts:
        if (verdict := weight(alert.severity)) != "ok":
            yield verdict, f"alert `{alert.name}`"


def _by_check(entry: NodeEntry, asked: Asked, *, expected: bool) -> Iterator[Finding]:
    """What a node thinks of itself; it counts where there is such a verdict, and is missed where it is expected."""
    word = (asked.checks or {}).get(entry.name)
    if word is None and expected:
        yield "unknown", "its own check is old or missing"
    elif word is not None and word in _BY_CHECK:
        verdict, reason = _BY_CHECK[word]
        signals = ", ".join((asked.signals or {}).get(entry.name, ()))
        yield verdict, f"{reason}: {signals}" if signals else reason


def _by_gpus(entry: NodeEntry, asked: Asked) -> Iterator[Finding]:
    if not entry.gpus:
        return
    if asked.gpus is None:
        yield "unknown", GPUS_UNKNOWN
    elif (present := asked.gpus.get(entry.name)) is None:
        yield "unknown", f"none of its {entry.gpus} GPUs reports"
    elif present < entry.gpus:
        yield "critical", f"{present} of its {entry.gpus} GPUs report"
