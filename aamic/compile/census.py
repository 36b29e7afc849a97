"""Nodes found so far, each with where it was declared, so that a problem can name that place too."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from aamic.compile.addresses import is_address, value, why_not
from aamic.compile.findings import Findings, Path
from aamic.compile.inventory import Row
from aamic.compile.text import shown
from aamic.errors import Place
from aamic.model.fleet import Node

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,252}")


class Written(NamedTuple):
    """The paths in site.yaml of a host list and of its addresses, if it has any."""

    names: Path
    addresses: Path | None


Origin: TypeAlias = Written | Row


class Census:
    """The nodes by name, in the order declared; `complete` unless some were written that could not be read."""

    def __init__(self, vendors: Sequence[str], findings: Findings) -> None:
        self.nodes: dict[str, Node] = {}
        self.origins: dict[str, Origin] = {}
        self.moved: dict[str, Written] = {}
        self.complete = not findings.lost_nodes()
        self.vendors = vendors
        self.findings = findings

    def add(self, node: Node, origin: Origin) -> None:
        """Take a node in; report one that cannot be, or that is there already."""
        name = node.name
        if name in self.nodes:
            self.already(name, node.rack, self.place_of_name(origin))
        elif _NAME.fullmatch(name) is None:
            self.findings.error(
                f"{shown(name)} cannot be the name of a node",
                self.place_of_name(origin),
                "names are letters, digits, `.`, `_` and `-`, beginning with a letter or digit",
            )
        else:
            self.nodes[name] = node
            self.origins[name] = origin
            if not is_address(node.address):
                self._refuse_address(node, origin)

    def change(self, node: Node, moved_by: Written | None) -> None:
        """Replace a node of the same name; `moved_by` is what gave it another address."""
        self.nodes[node.name] = node
        if moved_by is not None:
            self.moved[node.name] = moved_by
            if not is_address(node.address):
                self._refuse_address(node, moved_by)

    def already(self, name: str, rack: str | None, place: Place) -> None:
        """Report a second declaration, or another rack, of a node."""
        first = self.nodes[name].rack
        if rack is not None and first is not None and rack != first:
            message = f"node `{name}` stands in racks `{first}` and `{rack}`"
        else:
            message = f"node `{name}` is declared twice"
        self._clash(message, place, self.place_of_name(self.origins[name]), "keep one of the two")

    def check_addresses(self) -> None:
        """Report nodes that share an address."""
        first: dict[str, str] = {}
        for name, node in self.nodes.items():
            address = node.address
            # A call for each of many nodes is worth saving.
            other = first.setdefault(value(address) if ":" in address else address.lower(), name)
            if other != name:
                self._clash(
                    f"nodes `{other}` and `{name}` have the same address `{address}`",
                    self._place_of_address(name),
                    self._place_of_address(other),
                    "give each node an address of its own",
                )

    def check_vendor(self, vendor: str, *path: str | int) -> None:
        """Report a GPU vendor that the catalog lacks."""
        if vendor not in self.vendors:
            message, hint = self.unknown_vendor(vendor)
            self.findings.error(message, self.findings.place(*path), hint)

    def unknown_vendor(self, vendor: str) -> tuple[str, str]:
        """What to say of such a vendor, and the hint."""
        known = ", ".join(f"`{name}`" for name in self.vendors)
        return f"unknown GPU vendor {shown(vendor)}", f"the catalog has {known}"

    def place_of_name(self, origin: Origin) -> Place:
        """Where the name of a node was written: for one under `nodes:`, that is the key."""
        if isinstance(origin, Row):
            return origin.place
        names = origin.names
        return self.findings.key(*names) if names[0] == "nodes" else self.findings.place(*names)

    def _place_of_address(self, name: str) -> Place:
        origin = self.moved.get(name) or self.origins[name]
        if isinstance(origin, Row) or origin.addresses is None:
            return self.place_of_name(origin)
        return self.findings.place(*origin.addresses)

    def _refuse_address(self, node: Node, origin: Origin) -> None:
        given = isinstance(origin, Row) or origin.addresses is not None
        reason, hint = why_not(node.address)
        self.findings.error(
            f"{shown(node.address)} {reason}",
            self._place_of_address(node.name),
            hint if given else "give it an address: without one, its name is taken for it",
        )

    def _clash(self, message: str, place: Place, other: Place, hint: str) -> None:
        """Report two values that cannot both stand; with an alias of YAML, both may stand in the same place."""
        self.findings.error(message, place, hint, (other,) if other != place else ())
