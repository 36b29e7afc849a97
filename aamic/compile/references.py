"""Names of nodes and racks that other keys point at: looked up, or a problem with the nearest name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Final

from aamic.compile.findings import Findings
from aamic.compile.hostlist import HostListError, expand, fold
from aamic.compile.nodes import near_or_known
from aamic.compile.suggest import closest
from aamic.compile.text import shown
from aamic.model.fleet import Node

_COMPARED: Final = 3000
_PATIENCE: Final = 1_000_000


class References:
    """Looks names up among the nodes and racks of the site.

    Where the nodes are not `complete`, because some could not be read, a name that is missing is let pass.
    """

    def __init__(self, nodes: Mapping[str, Node], findings: Findings, *, complete: bool) -> None:
        self.nodes = nodes
        self.racks = racks_of(nodes)
        self._findings = findings
        self.complete = complete
        self._expanded = 0

    def node(self, name: str, *path: str | int) -> str | None:
        """The name if the site has such a node."""
        if name in self.nodes:
            return name
        if self.complete:
            near = None if self._findings.crowded else _nearest(name, self.nodes)
            hint = f"did you mean `{near}`?" if near else "declare it under `racks:` or `nodes:`"
            self._findings.error(f"unknown node {shown(name)}", self._findings.place(*path), hint)
        return None

    def hosts(self, hostlist: str, *path: str | int) -> tuple[str, ...]:
        """The nodes of a host list, in the order written; unknown ones are reported and left out.

        Once something is wrong and the lists so far stand for a million names, further ones are left unread.
        """
        if self._expanded > _PATIENCE and self._findings.failed:
            return ()
        try:
            names = expand(hostlist)
        except HostListError as error:
            self._findings.error(error.message, self._findings.place(*path), error.hint)
            return ()
        self._expanded += len(names)
        missing = [name for name in names if name not in self.nodes]
        if len(missing) == 1:
            self.node(missing[0], *path)
        elif missing and self.complete:
            self._findings.error(
                f"unknown nodes {shown(fold(missing))}",
                self._findings.place(*path),
                "declare them under `racks:` or `nodes:`",
            )
        twice = [name for name, times in Counter(names).items() if times > 1]
        if twice:
            self._findings.error(
                f"{shown(fold(twice))} stands twice in one host list", self._findings.place(*path), "keep one"
            )
        return tuple(dict.fromkeys(name for name in names if name in self.nodes))

    def rack(self, name: str, *path: str | int) -> tuple[str, ...]:
        """The nodes of a rack."""
        if name in self.racks:
            return self.racks[name]
        if self.complete:
            hint = near_or_known(name, self.racks, self._findings)
            self._findings.error(f"unknown rack {shown(name)}", self._findings.place(*path), hint)
        return ()


def _nearest(name: str, names: Collection[str]) -> str | None:
    """The nearest name; among very many, only those that begin alike are compared."""
    if len(names) > _COMPARED:
        names = [other for other in names if other[:2] == name[:2] and abs(len(other) - len(name)) <= 1][:_COMPARED]
    return closest(name, names)


def racks_of(nodes: Mapping[str, Node]) -> dict[str, tuple[str, ...]]:
    """The nodes of each rack, racks and nodes in order of name."""
    racks: dict[str, list[str]] = {}
    for node in nodes.values():
        if node.rack is not None:
            racks.setdefault(node.rack, []).append(node.name)
    return {rack: tuple(racks[rack]) for rack in sorted(racks)}
