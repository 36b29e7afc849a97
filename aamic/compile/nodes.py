"""Racks, `nodes:` and inventory rows become hosts: one `Node` each, or a problem."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from aamic.compile.findings import Findings, Path
from aamic.compile.hostlist import HostListError, expand, pair
from aamic.compile.inventory import Row
from aamic.compile.suggest import closest
from aamic.compile.text import shown
from aamic.errors import Place
from aamic.model.fleet import Gpu, Node
from aamic.model.quantities import size_bytes
from aamic.model.site import Gpu as GpuSpec
from aamic.model.site import NodeSpec, Rack, Site

MAX_NODES: Final = 200_000
MAX_GPUS: Final = 64
RESERVED_LABELS: Final = frozenset(
    {"alertname", "cluster", "gpu", "gpu_count", "gpu_id", "gpu_model", "gpu_uuid", "gpu_vendor", "instance", "job"}
    | {"le", "node", "quantile", "rack", "replica", "severity", "shard", "vendor"}
)
"""Labels that aamic sets or that Prometheus needs; a site's own labels must not replace them."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,252}")
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")
_HOST = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
_SMALL = re.compile("[0-9]{1,3}")
_UNSET: Final = Node("", "", None, None, {})


def is_address(text: str) -> bool:
    """Whether the text is an IPv4 or IPv6 address or a host name.

    >>> [is_address(text) for text in ("10.0.0.1", "10.0.0.256", "fd00::1", "gpu-01.example", "-x", "1.2.3")]
    [True, False, True, True, False, False]
    """
    if _IPV4.fullmatch(text) or _HOST.fullmatch(text):
        return True
    return ":" in text and _is_ipv6(text)


def _is_ipv6(text: str) -> bool:
    from ipaddress import AddressValueError, IPv6Address  # noqa: PLC0415  # 10 ms that few sites need

    try:
        return not IPv6Address(text).is_unspecified and "%" not in text
    except AddressValueError:
        return False


class _Census:
    """Nodes found so far, with where each was declared, so that a second declaration can name both."""

    def __init__(self, vendors: Sequence[str], findings: Findings) -> None:
        self.nodes: dict[str, Node] = {}
        self.origins: dict[str, Path | Place] = {}
        self.racks: set[str] = set()
        self.names = 0
        self.complete = not findings.lost_nodes()
        self.vendors = vendors
        self.findings = findings

    @property
    def overflows(self) -> bool:
        """Whether host lists stand for more names than a site with every node declared and changed once."""
        return self.names > 2 * MAX_NODES

    def place(self, origin: Path | Place) -> Place:
        return origin if isinstance(origin, Place) else self.findings.place(*origin)

    def add(self, node: Node, origin: Path | Place) -> None:
        name = node.name
        if name in self.nodes:
            self.already(name, node.rack, origin)
        elif _NAME.fullmatch(name) is None:
            self.findings.error(
                f"{shown(name)} cannot be the name of a node",
                self.place(origin),
                "names are letters, digits, `.`, `_` and `-`",
            )
        else:
            self.nodes[name] = node
            self.origins[name] = origin
            self.check_address(node.address, origin)

    def check_address(self, address: str, origin: Path | Place) -> None:
        if not is_address(address):
            self.findings.error(
                f"{shown(address)} is not an address", self.place(origin), "write an IP address or a host name"
            )

    def already(self, name: str, rack: str | None, origin: Path | Place) -> None:
        first = self.nodes[name].rack
        if rack is not None and first is not None and rack != first:
            message = f"node `{name}` stands in racks `{first}` and `{rack}`"
        else:
            message = f"node `{name}` is declared twice"
        self.findings.error(message, self.place(origin), "keep one of the two", (self.place(self.origins[name]),))

    def check_vendor(self, vendor: str, origin: Path | Place) -> None:
        if vendor not in self.vendors:
            known = ", ".join(f"`{name}`" for name in self.vendors)
            self.findings.error(f"unknown GPU vendor {shown(vendor)}", self.place(origin), f"the catalog has {known}")

    def check_labels(self, labels: Mapping[str, str], *path: str | int) -> None:
        for name in sorted(RESERVED_LABELS.intersection(labels)):
            self.findings.error(
                f"label `{name}` is set by aamic itself", self.findings.key(*path, name), "choose another name"
            )


def resolve_nodes(
    site: Site, rows: Iterable[Row], vendors: Sequence[str], findings: Findings
) -> tuple[dict[str, Node], bool]:
    """Every host of the site by name, in order of name, and whether these are all that were written.

    A node that is wrong in itself is among them, so that nothing false is said of those who name it.
    """
    census = _Census(vendors, findings)
    census.racks.update(site.racks)
    for name, rack in site.racks.items():
        _add_rack(census, name, rack)
    _add_rows(census, rows)
    for hosts, spec in site.nodes.items():
        _add_spec(census, hosts, spec)
    _check_addresses(census)
    _check_size(census)
    return dict(sorted(census.nodes.items())), census.complete


def _gpu(spec: GpuSpec | None) -> Gpu | None:
    return Gpu(spec.vendor, spec.model, spec.count) if spec else None


def _pairs(census: _Census, nodes: str, addresses: str | None, origin: Path, where: Path) -> Iterable[tuple[str, str]]:
    """Each name of a host list with its address, which is the name itself where no addresses are given."""
    if census.overflows:
        return []
    pairs = _paired(census, nodes, addresses, origin, where)
    census.names += len(pairs)
    return pairs


def _paired(census: _Census, nodes: str, addresses: str | None, origin: Path, where: Path) -> Sequence[tuple[str, str]]:
    try:
        return pair(nodes, addresses) if addresses is not None else [(name, name) for name in expand(nodes)]
    except HostListError as error:
        fault, place = error, where
    names: tuple[str, ...] = ()
    try:
        names = expand(nodes)
    except HostListError as error:
        fault, place = error, origin
        census.complete = False
    census.findings.error(fault.message, census.findings.place(*place), fault.hint)
    return [(name, name) for name in names]


def _add_rack(census: _Census, name: str, rack: Rack) -> None:
    gpu = _gpu(rack.gpu)
    if gpu:
        census.check_vendor(gpu.vendor, ("racks", name, "gpu", "vendor"))
    census.check_labels(rack.labels, "racks", name, "labels")
    origin: Path = ("racks", name, "nodes")
    for node, address in _pairs(census, rack.nodes, rack.addresses, origin, ("racks", name, "addresses")):
        census.add(Node(node, address, name, gpu, rack.labels), origin)


def _add_rows(census: _Census, rows: Iterable[Row]) -> None:
    gpus: dict[tuple[str, str, str], Gpu | None] = {}
    for row in rows:
        key = (row.gpu_vendor, row.gpu_model, row.gpu_count)
        if key not in gpus:
            gpus[key] = _row_gpu(census, row)
        if row.rack:
            census.racks.add(row.rack)
        census.add(Node(row.name, row.address, row.rack or None, gpus[key], {}), Place(row.path, row.line))


def _row_gpu(census: _Census, row: Row) -> Gpu | None:
    place = Place(row.path, row.line)
    if not (row.gpu_vendor or row.gpu_model or row.gpu_count):
        return None
    count = int(row.gpu_count) if _SMALL.fullmatch(row.gpu_count) else 0
    if not (row.gpu_vendor and row.gpu_model and 1 <= count <= MAX_GPUS):
        census.findings.error(
            f"node {shown(row.name)} has an incomplete GPU",
            place,
            f"give gpu_vendor, gpu_model and gpu_count (1 to {MAX_GPUS}), or none of them",
        )
        return None
    census.check_vendor(row.gpu_vendor, place)
    return Gpu(row.gpu_vendor, row.gpu_model, count)


def _add_spec(census: _Census, hosts: str, spec: NodeSpec) -> None:
    """Declare the nodes of one key of `nodes:`, or change nodes that a rack or the inventory declared."""
    path: Path = ("nodes", hosts)
    if spec.gpu:
        census.check_vendor(spec.gpu.vendor, (*path, "gpu", "vendor"))
    census.check_labels(spec.labels, *path, "labels")
    if spec.rack is not None and spec.rack not in census.racks and census.complete:
        hint = near_or_known(spec.rack, census.racks, census.findings)
        census.findings.error(f"unknown rack {shown(spec.rack)}", census.findings.place(*path, "rack"), hint)
    if spec.address is not None and spec.addresses is not None:
        census.findings.error(
            f"`nodes.{hosts}` has both `address` and `addresses`", census.findings.place(*path), "keep one of them"
        )
    given = spec.addresses if spec.addresses is not None else spec.address
    where = (*path, "addresses" if spec.addresses is not None else "address")
    for name, address in _pairs(census, hosts, given, path, where):
        if name in census.nodes:
            _override(census, census.nodes[name], spec, address if given is not None else None, path)
        else:
            census.add(_overridden(_UNSET, spec, name, address), path)


def _override(census: _Census, node: Node, spec: NodeSpec, address: str | None, path: Path) -> None:
    origin = census.origins[node.name]
    if not isinstance(origin, Place) and origin[0] == "nodes":
        census.already(node.name, spec.rack, path)
    elif spec.rack is not None and spec.rack != node.rack:
        census.already(node.name, spec.rack, (*path, "rack"))
    else:
        if address is not None:
            census.check_address(address, path)
        census.nodes[node.name] = _overridden(node, spec, node.name, address if address is not None else node.address)


def _overridden(node: Node, spec: NodeSpec, name: str, address: str) -> Node:
    return Node(
        name=name,
        address=address,
        rack=spec.rack if spec.rack is not None else node.rack,
        gpu=_gpu(spec.gpu) if spec.gpu is not None else node.gpu,
        labels={**node.labels, **spec.labels},
        threads=spec.threads if spec.threads is not None else node.threads,
        memory=size_bytes(spec.memory) if spec.memory is not None else node.memory,
        disk=size_bytes(spec.disk) if spec.disk is not None else node.disk,
        reserved_ports=tuple(spec.reserved_ports) or node.reserved_ports,
    )


def _check_size(census: _Census) -> None:
    """Report a site that is too large; what lies beyond was not read, so nothing is concluded from it."""
    if census.overflows:
        census.complete = False
        what = f"the host lists of `racks:` and `nodes:` stand for more than {2 * MAX_NODES:,} names"
    elif len(census.nodes) > MAX_NODES:
        what = f"the site has {len(census.nodes):,} nodes"
    else:
        return
    census.findings.error(
        f"{what}; {MAX_NODES:,} nodes are the most that one site can have",
        census.findings.place(),
        "check the bounds of their ranges, or split it into several sites",
    )


def _check_addresses(census: _Census) -> None:
    first: dict[str, str] = {}
    for name, node in census.nodes.items():
        other = first.setdefault(node.address.lower(), name)
        if other != name:
            places = census.place(census.origins[name]), census.place(census.origins[other])
            census.findings.error(
                f"nodes `{other}` and `{name}` have the same address `{node.address}`",
                places[0],
                "give each node an address of its own",
                (places[1],) if places[1] != places[0] else (),
            )


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
