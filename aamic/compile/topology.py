"""Which Prometheus server runs where and scrapes what: shards, their replicas, central, or a single server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aamic.compile.findings import Findings, Path
from aamic.compile.hostlist import fold
from aamic.compile.references import References, racks_of
from aamic.compile.shards import Item, distribute
from aamic.compile.text import shown
from aamic.model.fleet import Node, ServerRole
from aamic.model.site import Federation, ShardSpec, Site
from aamic.model.types import FOREVER

_REPLICAS: Final = "ab"


@dataclass(frozen=True, slots=True)
class Plan:
    """One server before ports are allocated.

    `origin` is the path in site.yaml that asks for it; `port_origin` and `storage_origin` are those that set its port,
    if the site does, and its data folder.
    """

    name: str
    role: ServerRole
    replica: str | None
    host: str
    nodes: tuple[str, ...]
    origin: Path
    port: int | None
    storage_path: str
    retention: str
    port_origin: Path = ()
    storage_origin: Path = ()


def central_host(plans: Sequence[Plan]) -> str | None:
    """Host of central or of the single server; None where a fault leaves a site without."""
    return next((plan.host for plan in plans if plan.role in {"central", "single"}), None)


def plan_servers(site: Site, refs: References, weights: Mapping[str, int], findings: Findings) -> tuple[Plan, ...]:
    """The servers of the site: shards in order, then central; or the single one.

    `weights` are the predicted series of each node.
    """
    if site.federation is None or not site.federation.enabled:
        return _single(site, refs, findings)
    shards = _shards(site, site.federation, refs, weights, findings)
    return (*shards, *_central(site, site.federation, refs, findings))


def _storage(site: Site, name: str, own: str | None, asked: Path, origin: Path) -> tuple[str, Path]:
    """The data folder of a server, and the path in site.yaml that decides it.

    `asked` is the path of a folder of its own; `origin` that of the server, where the site says nothing of folders.
    """
    if own is not None:
        return own, asked
    written = "storage_path" in site.prometheus.model_fields_set
    return f"{site.prometheus.storage_path}/{name}", ("prometheus", "storage_path") if written else origin


def _single(site: Site, refs: References, findings: Findings) -> tuple[Plan, ...]:
    """The server of a site without federation; a site that only switched federation off keeps its central node."""
    name, path = site.prometheus.node, ("prometheus", "node")
    if name is None and site.federation is not None:
        name, path = site.federation.central_node, ("federation", "central_node")
    if name is None and not (
        findings.may_lack("prometheus", "node") or findings.may_lack("federation", "central_node")
    ):
        findings.error(
            "no node is named for Prometheus",
            findings.place("prometheus"),
            "set `prometheus.node`, or `federation.central_node`",
        )
    host = refs.node(name, *path) if name is not None else None
    if host is None:
        return ()
    storage, storage_origin = _storage(site, "prometheus", None, (), path)
    return (
        Plan(
            name="prometheus",
            role="single",
            replica=None,
            host=host,
            nodes=tuple(refs.nodes),
            origin=path,
            port=None,
            storage_path=storage,
            retention=site.prometheus.retention,
            storage_origin=storage_origin,
        ),
    )


def central_retention(site: Site) -> str:
    """How long central keeps samples, with Thanos or without: a site that moves must not lose any by that."""
    asked = site.federation.central.retention_raw if site.federation is not None else None
    return site.prometheus.retention if asked is None or asked == FOREVER else asked


def _central(site: Site, federation: Federation, refs: References, findings: Findings) -> tuple[Plan, ...]:
    if federation.central_node is None:
        if not findings.may_lack("federation", "central_node"):
            findings.error(
                "`federation` needs a `central_node`",
                findings.place("federation"),
                "name the node the central server runs on",
            )
        return ()
    path: Path = ("federation", "central_node")
    host = refs.node(federation.central_node, *path)
    central, settings = federation.central, ("federation", "central")
    if federation.type == "prometheus" and central.retention_downsampled is not None and site.thanos is None:
        findings.warn(
            "`retention_downsampled` has no effect: Prometheus keeps raw samples only",
            findings.place("federation", "central", "retention_downsampled"),
            "only Thanos downsamples; set `retention_raw`",
        )
    if host is None:
        return ()
    asked = (*settings, "storage_path")
    storage, storage_origin = _storage(site, "prometheus-central", central.storage_path, asked, path)
    return (
        Plan(
            name="central",
            role="central",
            replica=None,
            host=host,
            nodes=(),
            origin=path,
            port=central.port,
            storage_path=storage,
            retention=central_retention(site),
            port_origin=(*settings, "port"),
            storage_origin=storage_origin,
        ),
    )


@dataclass(frozen=True, slots=True)
class _Ground:
    """What placing shards on hosts looks at."""

    site: Site
    federation: Federation
    hosts: tuple[str, ...]
    refs: References
    findings: Findings

    @property
    def short(self) -> bool:
        """Whether `shard_nodes` are too few for a pair; those of a shard with a `host` may still do."""
        return bool(self.hosts) and len(self.hosts) < self.federation.replicas


def _shards(
    site: Site, federation: Federation, refs: References, weights: Mapping[str, int], findings: Findings
) -> list[Plan]:
    ground = _Ground(site, federation, _shard_hosts(federation, refs), refs, findings)
    _check_hosts(ground)
    if isinstance(federation.shards, int):
        split = _split(federation, federation.shards, refs, weights, findings)
        specs = [ShardSpec(name=name) for name in split]
    else:
        specs = federation.shards
        split = _explicit(specs, refs, findings)
    return [
        plan for index, spec in enumerate(specs) for plan in _replicas(ground, index, spec, split.get(spec.name, ()))
    ]


def _shard_hosts(federation: Federation, refs: References) -> tuple[str, ...]:
    if federation.shard_nodes is not None:
        return refs.hosts(federation.shard_nodes, "federation", "shard_nodes")
    central = federation.central_node
    return (central,) if central is not None and central in refs.nodes else ()


def _check_hosts(ground: _Ground) -> None:
    """Report too few hosts for pairs, once for all shards that name none themselves."""
    if ground.short and not _all_placed(ground.federation):
        ground.findings.error(
            f"{ground.federation.replicas} replicas need as many hosts, but shards run on `{fold(ground.hosts)}` alone",
            ground.findings.place("federation", "replicas"),
            "name further hosts in `shard_nodes`",
        )


def _all_placed(federation: Federation) -> bool:
    """Whether each shard names a host."""
    return isinstance(federation.shards, list) and all(spec.host is not None for spec in federation.shards)


def _split(
    federation: Federation, count: int, refs: References, weights: Mapping[str, int], findings: Findings
) -> dict[str, tuple[str, ...]]:
    """Nodes of each numbered shard."""
    groups = groups_of(federation.by, refs.nodes)
    what = "racks (a node in no rack counts as one)" if federation.by == "rack" else "nodes"
    if count > len(groups):
        if refs.complete:
            findings.error(
                f"{count} shards are more than the {len(groups)} {what} there are to spread",
                findings.place("federation", "shards"),
                "use fewer shards",
            )
        return {}
    names = [f"shard-{number}" for number in range(1, count + 1)]
    placed = distribute(items_of(federation.by, groups, weights), names)
    split: dict[str, list[str]] = {name: [] for name in names}
    for key, members in groups.items():
        split[placed[key]].extend(members)
    return {name: tuple(sorted(members)) for name, members in split.items()}


def groups_of(by: str, nodes: Mapping[str, Node]) -> dict[str, tuple[str, ...]]:
    """What is placed as a whole: a rack, or a node alone. Keys cannot clash: the kind is part of them."""
    if by != "rack":
        return {f"node/{name}": (name,) for name in nodes}
    racks = {f"rack/{rack}": members for rack, members in racks_of(nodes).items()}
    return racks | {f"node/{node.name}": (node.name,) for node in nodes.values() if node.rack is None}


def items_of(by: str, groups: Mapping[str, Sequence[str]], weights: Mapping[str, int]) -> list[Item]:
    """The groups as they are weighed: by their predicted series, or by their nodes."""
    return [
        Item(key, len(members) if by == "count" else max(1, sum(weights[name] for name in members)))
        for key, members in groups.items()
    ]


def _explicit(specs: Sequence[ShardSpec], refs: References, findings: Findings) -> dict[str, tuple[str, ...]]:
    """Nodes of each listed shard; every node must stand in exactly one."""
    owner: dict[str, tuple[str, Path]] = {}
    split: dict[str, tuple[str, ...]] = {}
    errors_before = len(findings.problems)
    sure = refs.complete and not findings.lost_claims()
    for index, spec in enumerate(specs):
        base: Path = ("federation", "shards", index)
        if spec.name in split:
            findings.error(f"two shards are named `{spec.name}`", findings.place(*base, "name"), "rename one")
            continue
        members: list[str] = []
        for path, names in _claims(base, spec, refs):
            taken = [name for name in names if name in owner]
            _report_taken(spec.name, taken, owner, path, findings)
            members += [name for name in names if name not in owner]
            owner.update({name: (spec.name, path) for name in names if name not in owner})
        split[spec.name] = tuple(sorted(members))
        if not members and len(findings.problems) == errors_before and sure:
            findings.error(f"shard `{spec.name}` has no nodes", findings.place(*base), "give it `nodes` or `racks`")
    missing = [name for name in refs.nodes if name not in owner]
    if missing and len(findings.problems) == errors_before and sure:
        what = f"node {shown(missing[0])} stands" if len(missing) == 1 else f"nodes {shown(fold(missing))} stand"
        findings.error(f"{what} in no shard", findings.place("federation", "shards"), "add them to a shard of the list")
    return split


def _claims(base: Path, spec: ShardSpec, refs: References) -> list[tuple[Path, tuple[str, ...]]]:
    claims: list[tuple[Path, tuple[str, ...]]] = []
    if spec.nodes is not None:
        claims.append(((*base, "nodes"), refs.hosts(spec.nodes, *base, "nodes")))
    for number, rack in enumerate(spec.racks):
        path = (*base, "racks", number)
        claims.append((path, refs.rack(rack, *path)))
    return claims


def _report_taken(
    shard: str, taken: Sequence[str], owner: Mapping[str, tuple[str, Path]], path: Path, findings: Findings
) -> None:
    by_owner: dict[tuple[str, Path], list[str]] = {}
    for name in taken:
        by_owner.setdefault(owner[name], []).append(name)
    for (other, first), names in by_owner.items():
        what = f"node `{names[0]}` stands" if len(names) == 1 else f"nodes {shown(fold(names))} stand"
        where = f"twice in shard `{shard}`" if other == shard else f"in shards `{other}` and `{shard}`"
        findings.error(
            f"{what} {where}", findings.place(*path), "narrow one of the two host lists", (findings.place(*first),)
        )


def _replicas(ground: _Ground, index: int, spec: ShardSpec, nodes: tuple[str, ...]) -> list[Plan]:
    federation = ground.federation
    path: Path = ("federation", "shards") if isinstance(federation.shards, int) else ("federation", "shards", index)
    base, own, settings = ground.site.prometheus, spec.prometheus, (*path, "prometheus")
    asked = (*settings, "storage_path")
    storage, storage_origin = _storage(ground.site, f"prometheus-{spec.name}", own.storage_path, asked, path)
    return [
        Plan(
            name=spec.name,
            role="shard",
            replica=_REPLICAS[number] if federation.replicas > 1 else None,
            host=host,
            nodes=nodes,
            origin=path,
            port=own.port,
            storage_path=storage,
            retention=own.retention or base.retention,
            port_origin=(*settings, "port"),
            storage_origin=storage_origin,
        )
        for number, host in enumerate(_replica_hosts(ground, index, spec, path))
    ]


def _replica_hosts(ground: _Ground, index: int, spec: ShardSpec, path: Path) -> tuple[str, ...]:
    """A host for each replica, all different: the one asked for, then the next ones of the ring."""
    hosts, wanted = ground.hosts, ground.federation.replicas
    ring = [hosts[(index + number) % len(hosts)] for number in range(len(hosts))]
    if spec.host is not None:
        first = ground.refs.node(spec.host, *path, "host")
        ring = [first, *(host for host in ring if host != first)] if first else []
        if first and hosts and len(ring) < wanted and _all_placed(ground.federation):
            ground.findings.error(
                f"shard `{spec.name}` has no host for its second replica",
                ground.findings.place(*path, "host"),
                "name a further host in `shard_nodes`",
            )
    return tuple(ring[:wanted]) if len(ring) >= wanted else ()
