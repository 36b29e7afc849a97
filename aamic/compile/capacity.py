"""What each Prometheus server is predicted to carry, against what its host has.

Sizing: Prometheus 2.42 was measured (bench/load.py) at about 4.5 KiB of RAM a series soon after its start and up to 7.3
KiB with hours of samples in memory, and 80 MiB without any series; 8 KiB and 100 MiB are planned. A sample takes about
2 bytes on disk.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aamic.compile.findings import Findings, Path
from aamic.compile.topology import Plan
from aamic.model.fleet import Endpoint, Load, Node, RecordingRule, RuleGroup, Server
from aamic.model.quantities import duration_seconds

BYTES_PER_SERIES: Final = 8 * 1024
BYTES_OF_A_SERVER: Final = 100 * 1024**2
BYTES_PER_SAMPLE: Final = 2
SELF_SERIES: Final = 800
"""Series of a Prometheus about itself, rounded up from what 2.42 answers."""
ALERTMANAGER_SERIES: Final = 291
"""Series that central or a single server keeps of an Alertmanager, `up` and its like among it: what 0.25 gives."""
NEAR: Final = 0.8
"""Our policy: of what a host has, servers that need more than this are warned of."""
_MIB: Final = 1024**2
_GIB: Final = 1024**3


def load(series: int, interval: str, retention: str) -> Load:
    """RAM, disk and samples a second of so many series at an interval."""
    per_second = series / duration_seconds(interval)
    disk = per_second * duration_seconds(retention) * BYTES_PER_SAMPLE
    return Load(series, round(per_second, 1), BYTES_OF_A_SERVER + series * BYTES_PER_SERIES, int(disk))


def holds(memory: float) -> int:
    """How many series a server with so much RAM is planned to hold."""
    return max(0, int((memory - BYTES_OF_A_SERVER) / BYTES_PER_SERIES))


def federated_series(
    nodes: Mapping[str, Node], groups: Sequence[RuleGroup], endpoints: Iterable[Endpoint]
) -> dict[str, int]:
    """Series that `match: aggregates` brings to central for each node: its `gpu:*`, `node:*` and `up`.

    They are counted once, however many replicas its shard has. What is there only while something is wrong is not.
    """
    rules = [rule for group in groups for rule in recordings(group) if not rule.rare]
    records = [(rule.record, rule.labels.get("vendor")) for rule in rules]
    per_gpu = Counter(vendor for name, vendor in records if name.startswith("gpu:"))
    per_node = sum(name.startswith("node:") for name, _ in records)
    series = {
        name: per_node + (node.gpu.count * (per_gpu[node.gpu.vendor] + per_gpu[None]) if node.gpu else 0)
        for name, node in nodes.items()
    }
    for endpoint in endpoints:
        for host in endpoint.hosts:
            series[host] += 1
    return series


def recordings(group: RuleGroup) -> list[RecordingRule]:
    """The recording rules of a group."""
    return [rule for rule in group.rules if isinstance(rule, RecordingRule)]


@dataclass(frozen=True, slots=True)
class Need:
    """What one program of a host is predicted to need, in bytes; `origin` is the path in site.yaml that asks for it."""

    name: str
    host: str
    memory: int
    disk: int
    origin: Path


def server_needs(servers: Sequence[Server], plans: Sequence[Plan]) -> list[Need]:
    """What the servers of Prometheus need."""
    return [
        Need(server.name, server.host, server.load.memory, server.load.disk, plan.origin)
        for server, plan in zip(servers, plans, strict=True)
    ]


def check_capacity(needs: Iterable[Need], nodes: Mapping[str, Node], findings: Findings) -> None:
    """Report each host whose programs together are predicted to need more RAM or disk than it states."""
    by_host: dict[str, list[Need]] = {}
    for need in needs:
        by_host.setdefault(need.host, []).append(need)
    for host, programs in by_host.items():
        node = nodes[host]
        memory = sum(each.memory for each in programs), node.memory, [each for each in programs if each.memory]
        disk = sum(each.disk for each in programs), node.disk, [each for each in programs if each.disk]
        for what, (total, have, needing) in (("RAM", memory), ("disk", disk)):
            if have is None or total <= have * NEAR:
                continue
            names = ", ".join(f"`{each.name}`" for each in needing)
            message = f"{names} on `{host}` are predicted to need {sized(total)} of {what}; the host has {sized(have)}"
            message = message.replace(" are predicted", " is predicted") if len(needing) == 1 else message
            place = findings.place(*needing[0].origin)
            if total > have:
                findings.error(message, place, "use more shards or hosts, a shorter retention, or a larger host")
            else:
                findings.warn(message, place, "plan for more shards or hosts")


def sized(amount: int) -> str:
    """Bytes for people: as GiB, and what is less than one as MiB.

    >>> sized(6_657_199_309), sized(64 * 1024**2)
    ('6.2 GiB', '64 MiB')
    """
    return f"{amount / _GIB:,.1f} GiB" if amount >= _GIB else f"{amount / _MIB:,.0f} MiB"
