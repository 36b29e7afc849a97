"""Which values of a site say what GPUs nodes have, and which of them change so that the nodes have others. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aamic.compile.edit import Sources, set_value
from aamic.compile.hostlist import expand, fold
from aamic.compile.inventory import Row
from aamic.compile.yamltext import KeyPath
from aamic.errors import InputError
from aamic.model.fleet import Gpu, Node
from aamic.model.site import Gpu as GpuSpec
from aamic.model.site import Site

_OVERRIDE: KeyPath = ()
"""Where a row of the inventory says it: a key below `nodes:` wins over it."""


@dataclass(frozen=True, slots=True)
class GpuEdit:
    """Values to write, each with the mapping that its `gpu` stands in; and nodes that are left, with what to do."""

    values: tuple[tuple[KeyPath, Gpu], ...]
    left: Mapping[str, str]


def gpu_edit(
    site: Site, nodes: Mapping[str, Node], rows: Sequence[Row], wanted: Mapping[str, Gpu], right: frozenset[str]
) -> GpuEdit:
    """How a site comes to say what is wanted; `right` are the nodes of which it is known to be right as it is.

    Where all nodes that a rack speaks for need the same, the rack says so, and likewise a key of `nodes:`. Otherwise
    nodes get a key of their own, which wins over the rack and the inventory.
    """
    holders = _Holders(site, nodes, rows)
    values: list[tuple[KeyPath, Gpu]] = []
    alone: dict[Gpu, list[str]] = {}
    left: dict[str, str] = {}
    for holder, names in holders.of(wanted).items():
        meant = {wanted.get(name) or (nodes[name].gpu if name in right else None) for name in holders.members(holder)}
        if holder != _OVERRIDE and len(meant) == 1 and (gpu := next(iter(meant))) is not None:
            values.append((holder, gpu))
            continue
        for name in names:
            if name in holders.declared:
                alone.setdefault(wanted[name], []).append(name)
            else:
                left[name] = f"it stands with others in `nodes.{holder[-1]}`: take it out of there by hand"
    values += [(("nodes", holders.key_of(names)), gpu) for gpu, names in alone.items()]
    return GpuEdit(tuple(values), left)


class _Holders:
    """Where a site says of each node what GPUs it has.

    `declared` are nodes that a rack's host list or the inventory names, so that a key of `nodes:` may change them.
    """

    def __init__(self, site: Site, nodes: Mapping[str, Node], rows: Sequence[Row]) -> None:
        self._site = site
        self._nodes = nodes
        self._racked = {name: rack for rack, spec in site.racks.items() for name in expand(spec.nodes)}
        self._own = {row.name for row in rows if row.gpu_vendor}
        self.declared = frozenset((*self._racked, *(row.name for row in rows)))
        self._keys: dict[str, list[str]] = {}
        for key in site.nodes:
            for name in expand(key):
                self._keys.setdefault(name, []).append(key)
        self._members: dict[KeyPath, list[str]] = {}
        for name in nodes:
            self._members.setdefault(self._holder(name), []).append(name)

    def members(self, holder: KeyPath) -> Sequence[str]:
        """The nodes that a value speaks for."""
        return self._members[holder]

    def of(self, names: Mapping[str, Gpu]) -> dict[KeyPath, list[str]]:
        """These nodes by where it is said of them."""
        found: dict[KeyPath, list[str]] = {}
        for name in names:
            found.setdefault(self._holder(name), []).append(name)
        return found

    def key_of(self, names: Sequence[str]) -> str:
        """A host list of these nodes; if there is a key of `nodes:` for just these, that one as it is written."""
        wanted = set(names)
        same = (key for key in self._keys.get(names[0], ()) if set(expand(key)) == wanted)
        return next(same, fold(names))

    def _holder(self, name: str) -> KeyPath:
        keys = self._keys.get(name, ())
        for key in reversed(keys):
            if self._site.nodes[key].gpu is not None:
                return ("nodes", key)
        if name not in self.declared and keys:
            return ("nodes", keys[0])
        rack = self._racked.get(name) or (None if name in self._own else self._nodes[name].rack)
        return ("racks", rack) if rack in self._site.racks and rack is not None else _OVERRIDE


def write(site: Site, files: Sources, edit: GpuEdit) -> Sources:
    """The site's files with the values of an edit; what is right in them stays.

    Raises:
        InputError: One cannot be written without touching something else.
    """
    for holder, gpu in edit.values:
        for path, value in _values(holder, gpu, _spec(site, holder)):
            files = set_value(files, path, value)
    return files


def write_each(
    site: Site, nodes: Mapping[str, Node], files: Sources, edit: GpuEdit, wanted: Mapping[str, Gpu]
) -> tuple[Sources, dict[str, str]]:
    """As `write`, but what cannot be written keeps nothing else from it; with the nodes that are left, and why."""
    left = dict(edit.left)
    own = {name for (kind, key), _ in edit.values if kind == "nodes" for name in expand(str(key))}
    for holder, gpu in edit.values:
        try:
            files = write(site, files, GpuEdit(((holder, gpu),), {}))
        except InputError as error:
            reason = error.problems[0].message.removeprefix("cannot edit: ")
            members = expand(str(holder[1])) if holder[0] == "nodes" else nodes.keys() - own
            left |= {
                name: f"{reason}: write its `gpu` by hand"
                for name in members
                if wanted.get(name) == gpu and (holder[0] == "nodes" or nodes[name].rack == holder[1])
            }
    return files, left


def _spec(site: Site, holder: KeyPath) -> GpuSpec | None:
    kind, key = holder
    if kind == "racks":
        return site.racks[str(key)].gpu
    spec = site.nodes.get(str(key))
    return spec.gpu if spec else None


def _values(holder: KeyPath, gpu: Gpu, spec: GpuSpec | None) -> Iterator[tuple[KeyPath, Any]]:
    new = {"vendor": gpu.vendor, "model": gpu.model, "count": gpu.count}
    if spec is None:
        yield (*holder, "gpu"), new
        return
    for key, value in new.items():
        if getattr(spec, key) != value:
            yield (*holder, "gpu", key), value
