"""Racks, `nodes:` and inventory rows become hosts: one `Node` each, or a problem."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final, NamedTuple

from aamic.compile.census import Census, Written
from aamic.compile.findings import Findings, Path
from aamic.compile.hostlist import LIMIT, HostListError, count, expand, pair
from aamic.compile.inventory import MAX_ROWS, Row
from aamic.compile.lookalikes import Lookalikes
from aamic.compile.rows import add_rows
from aamic.compile.suggest import closest
from aamic.compile.text import shown
from aamic.model.fleet import Gpu, Node
from aamic.model.quantities import size_bytes
from aamic.model.site import Gpu as GpuSpec
from aamic.model.site import NodeSpec, Rack, Site, SshLogin

MAX_NODES: Final = MAX_ROWS
RESERVED_LABELS: Final = frozenset(
    {"alertname", "cluster", "gpu", "gpu_count", "gpu_id", "gpu_model", "gpu_uuid", "gpu_vendor", "instance", "job"}
    | {"le", "node", "quantile", "rack", "replica", "severity", "shard", "vendor"}
)
"""Labels that aamic sets or that Prometheus needs; a site's own labels must not replace them."""

_UNSET: Final = Node("", "", None, None, {})
_NO_LOGIN: Final = SshLogin()
_shared_gpu: Final = lru_cache(maxsize=256)(Gpu)
"""Equal GPUs are one value: a site has few kinds, and up to 200,000 nodes."""


class _Declaration(NamedTuple):
    """A key of `nodes:`; `like` is what nodes of the rack have that it names."""

    spec: NodeSpec
    like: Node
    origin: Written


def resolve_nodes(
    site: Site, rows: Iterable[Row], vendors: Sequence[str], findings: Findings
) -> tuple[dict[str, Node], bool]:
    """Every host of the site by name, in order of name, and whether these are all that were written.

    A node that is wrong in itself is among them, so that nothing false is said of those who name it. Of a site that
    is too large for sure, none is.
    """
    census = Census(vendors, findings)
    rows = tuple(rows)
    if too_many := _too_many(site, len(rows)):
        _refuse_size(findings, too_many)
        return {}, False
    racks = {name: _like(name, rack) for name, rack in site.racks.items()}
    for name, rack in site.racks.items():
        _add_rack(census, rack, racks[name])
    for name in add_rows(census, rows, racks):
        racks.setdefault(name, replace(_UNSET, rack=name))
    _add_specs(census, site, racks)
    census.check_addresses()
    if len(census.nodes) > MAX_NODES:
        _refuse_size(findings, f"the site has {len(census.nodes):,} nodes")
    return dict(sorted(census.nodes.items())), census.complete


def _too_many(site: Site, rows: int) -> str | None:
    """Say so if host lists stand for more names than a site can have, before any name is made.

    A name under `nodes:` may be that of a node declared elsewhere.
    """
    declared = rows + sum(_count(rack.nodes) for rack in site.racks.values())
    if declared + sum(map(_count, site.nodes)) > 2 * MAX_NODES:
        return f"the host lists of `racks:` and `nodes:` stand for more than {2 * MAX_NODES:,} names"
    return f"`racks:` and `inventory:` name {declared:,} nodes" if declared > MAX_NODES else None


def _count(hosts: str) -> int:
    """Names of a host list; one that cannot be expanded has none, and is reported when that is tried."""
    if "[" not in hosts and "," not in hosts:
        return 1
    try:
        names = count(hosts)
    except HostListError:
        return 0
    return names if names <= LIMIT else 0


def _refuse_size(findings: Findings, what: str) -> None:
    findings.error(
        f"{what}; {MAX_NODES:,} nodes are the most that one site can have",
        findings.place(),
        "check the bounds of its ranges, or split it into several sites",
    )


def _gpu(spec: GpuSpec | None) -> Gpu | None:
    return _shared_gpu(spec.vendor, spec.model, spec.count) if spec else None


def _like(name: str, rack: Rack) -> Node:
    """What every node of a rack has."""
    login = rack.ssh or _NO_LOGIN
    return Node("", "", name, _gpu(rack.gpu), rack.labels, ssh_user=login.user, ssh_port=login.port)


def _check_labels(labels: Mapping[str, str], path: Path, findings: Findings) -> None:
    for name in sorted(RESERVED_LABELS.intersection(labels)):
        findings.error(f"label `{name}` is set by aamic itself", findings.key(*path, name), "choose another name")


def _pairs(census: Census, nodes: str, addresses: str | None, origin: Written) -> Sequence[tuple[str, str]]:
    """Each name of a host list with its address, which is the name itself where no addresses are given."""
    try:
        return pair(nodes, addresses) if addresses is not None else [(name, name) for name in expand(nodes)]
    except HostListError as error:
        fault = error
    try:
        names = expand(nodes)
    except HostListError as error:
        census.complete = False
        census.findings.error(error.message, census.place_of_name(origin), error.hint)
        return []
    census.findings.error(fault.message, census.findings.place(*(origin.addresses or origin.names)), fault.hint)
    return [(name, name) for name in names]


def _add_rack(census: Census, rack: Rack, like: Node) -> None:
    """Take in the nodes of a rack; `like` is what they all have."""
    path = ("racks", like.rack or "")
    if rack.gpu:
        census.check_vendor(rack.gpu.vendor, *path, "gpu", "vendor")
    _check_labels(rack.labels, (*path, "labels"), census.findings)
    origin = Written((*path, "nodes"), (*path, "addresses") if rack.addresses is not None else None)
    for node, address in _pairs(census, rack.nodes, rack.addresses, origin):
        census.add(
            Node(node, address, like.rack, like.gpu, like.labels, ssh_user=like.ssh_user, ssh_port=like.ssh_port),
            origin,
        )


def _add_specs(census: Census, site: Site, racks: Mapping[str, Node]) -> None:
    """Declare the nodes of each key of `nodes:`, or change those that a rack or the inventory declared."""
    lookalikes = Lookalikes(tuple(census.nodes))
    for hosts, spec in site.nodes.items():
        _check_spec(census, hosts, spec, racks)
        given = spec.addresses if spec.addresses is not None else spec.address
        key = "address" if spec.addresses is None else "addresses"
        origin = Written(("nodes", hosts), ("nodes", hosts, key) if given is not None else None)
        like = racks.get(spec.rack, _UNSET) if spec.rack is not None else _UNSET
        declaration = _Declaration(spec, like, origin)
        new = []
        for name, address in _pairs(census, hosts, given, origin):
            if name in census.nodes:
                _override(census, declaration, name, address)
            else:
                new.append(name)
                census.add(_overridden(like, spec, name, address), origin)
        if new and given is None and spec.rack is None and spec.model_fields_set:
            _warn_of_slip(census, new, lookalikes, origin)


def _check_spec(census: Census, hosts: str, spec: NodeSpec, racks: Mapping[str, Node]) -> None:
    path = ("nodes", hosts)
    if spec.gpu:
        census.check_vendor(spec.gpu.vendor, *path, "gpu", "vendor")
    if spec.labels:
        _check_labels(spec.labels, (*path, "labels"), census.findings)
    if spec.rack is not None and spec.rack not in racks and census.complete:
        hint = near_or_known(spec.rack, racks, census.findings)
        census.findings.error(f"unknown rack {shown(spec.rack)}", census.findings.place(*path, "rack"), hint)
    if spec.address is not None and spec.addresses is not None:
        census.findings.error(
            f"`nodes.{hosts}` has both `address` and `addresses`", census.findings.place(*path), "keep one of them"
        )


def _override(census: Census, declaration: _Declaration, name: str, address: str) -> None:
    """Change a node that stands in a rack or in the inventory."""
    spec, like, origin = declaration
    node, first = census.nodes[name], census.origins[name]
    if isinstance(first, Written) and first.names[0] == "nodes":
        census.already(name, spec.rack, census.place_of_name(origin))
    elif spec.rack is not None and node.rack is not None and spec.rack != node.rack:
        census.already(name, spec.rack, census.findings.place(*origin.names, "rack"))
    else:
        if node.rack is None:
            node = replace(
                node,
                gpu=node.gpu or like.gpu,
                labels={**like.labels, **node.labels},
                ssh_user=like.ssh_user,
                ssh_port=like.ssh_port,
            )
        moved = origin.addresses is not None
        census.change(_overridden(node, spec, name, address if moved else node.address), origin if moved else None)


def _overridden(node: Node, spec: NodeSpec, name: str, address: str) -> Node:
    login = spec.ssh or _NO_LOGIN
    return Node(
        name=name,
        address=address,
        rack=spec.rack if spec.rack is not None else node.rack,
        gpu=_gpu(spec.gpu) if spec.gpu is not None else node.gpu,
        labels={**node.labels, **spec.labels} if spec.labels else node.labels,
        threads=spec.threads if spec.threads is not None else node.threads,
        memory=size_bytes(spec.memory) if spec.memory is not None else node.memory,
        disk=size_bytes(spec.disk) if spec.disk is not None else node.disk,
        reserved_ports=tuple(spec.reserved_ports) or node.reserved_ports,
        ssh_user=login.user or node.ssh_user,
        ssh_port=login.port or node.ssh_port,
    )


def _warn_of_slip(census: Census, new: Sequence[str], lookalikes: Lookalikes, origin: Written) -> None:
    """Warn of a node that was likely meant to change another one: something is said of it, but not where it is."""
    for name in new:
        if near := lookalikes.of(name):
            census.findings.warn(
                f"{shown(name)} is a node of its own, without an address",
                census.place_of_name(origin),
                f"did you mean `{near}`? A new node is told from a slip by its `address`",
            )
            return


def near_or_known(name: str, names: Collection[str], findings: Findings) -> str | None:
    """A hint with the nearest of the names, or with what there is."""
    if findings.crowded:
        return None
    near = closest(name, names)
    return f"did you mean `{near}`?" if near else known(names)


def known(names: Iterable[str], limit: int = 12) -> str:
    """A hint that lists what there is: `there are `r01`, `r02` and 14 more`."""
    ordered = sorted(names)
    if not ordered:
        return "there are none"
    rest = f" and {len(ordered) - limit} more" if len(ordered) > limit else ""
    return "there are " + ", ".join(f"`{name}`" for name in ordered[:limit]) + rest
