"""What `aamic federation` changes in a site: federation on, off, or spread in another way. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aamic.compile.edit import Sources, remove, set_value
from aamic.compile.hostlist import fold
from aamic.compile.references import racks_of
from aamic.compile.topology import groups_of, items_of
from aamic.compile.yamltext import KeyPath
from aamic.errors import InputError, Problem
from aamic.model.fleet import Fleet
from aamic.model.site import Federation, Site
from aamic.ops.levelling import levelled
from aamic.ops.moves import owners

SHARDS: KeyPath = ("federation", "shards")
_KEPT = "leave out {} to keep the list, or add `--replace` to give it up for a number"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a user wants federation to be; None leaves what the site says. `replace` gives up a list of shards."""

    shards: int | None = None
    by: str | None = None
    central: str | None = None
    shard_nodes: str | None = None
    replicas: int | None = None
    replace: bool = False


def enable(site: Site, files: Sources, wish: Wish) -> Sources:
    """The site with federation on, and what it says of federation kept where nothing else is wished.

    Raises:
        InputError: The site does not say what is needed, or the wish would drop a list of shards.
    """
    spec = site.federation
    _check_list(spec, wish)
    values: dict[str, Any] = {}
    if spec is None or not spec.enabled:
        values["enabled"] = True
    wanted = {
        "central_node": wish.central or _central(site),
        "by": wish.by,
        "shards": wish.shards,
        "shard_nodes": wish.shard_nodes,
        "replicas": wish.replicas,
    }
    values |= {key: value for key, value in wanted.items() if value is not None and _says(spec, key) != value}
    if spec is None:
        return set_value(files, ("federation",), values)
    for key, value in values.items():
        files = set_value(files, ("federation", key), value)
    return files


def _says(spec: Federation | None, key: str) -> Any:
    """The value that the site itself writes."""
    return getattr(spec, key) if spec is not None and key in spec.model_fields_set else None


def _central(site: Site) -> str:
    central = (site.federation and site.federation.central_node) or site.prometheus.node
    if central is None:
        raise InputError([Problem("no node is named for the central server", hint="name it with `--central NODE`")])
    return central


def _check_list(spec: Federation | None, wish: Wish) -> None:
    """Refuse what needs a number of shards where there is none, or a list; a list is not dropped by the way."""
    if spec is not None and isinstance(spec.shards, list):
        given = [f"`--{key}`" for key in ("shards", "by") if getattr(wish, key) is not None]
        if given and (wish.shards is None or not wish.replace):
            listed = ", ".join(f"`{each.name}`" for each in spec.shards[:3]) + (", ..." if len(spec.shards) > 3 else "")  # noqa: PLR2004
            hint = _KEPT.format(" and ".join(given)) if wish.shards is not None else "leave out `--by`"
            raise InputError([Problem(f"this site lists its shards and their nodes itself: {listed}", hint=hint)])
        if wish.shard_nodes is not None and wish.shards is None and all(each.host for each in spec.shards):
            message = "`--shard-nodes` would change nothing: each shard that this site lists names its own `host`"
            raise InputError([Problem(message, hint="change `host` of these shards by hand")])
    elif wish.shards is None and _says(spec, "shards") is None:
        raise InputError(
            [
                Problem(
                    "this site does not say how many shards there are",
                    hint="add `--shards NUMBER`",
                )
            ]
        )


def disable(site: Site, files: Sources) -> Sources:
    """The site with federation off; everything else that it says of federation stays for another time."""
    if site.federation is None or not site.federation.enabled:
        return files
    return set_value(files, ("federation", "enabled"), False)


def redistribute(site: Site, fleet: Fleet, files: Sources, by: str, shards: int | None) -> Sources:
    """The site with its nodes spread in another way; shards that it lists are levelled and keep their names."""
    spec = site.federation
    if spec is None:
        return files
    if isinstance(spec.shards, int):
        files = set_value(files, ("federation", "by"), by) if by != spec.by else files
        return set_value(files, SHARDS, shards) if shards not in {None, spec.shards} else files
    names = [each.name for each in spec.shards]
    before, after = owners(fleet), levelled_owners(fleet, names, by)
    racks = racks_of(fleet.nodes)
    for index, name in enumerate(names):
        members = [node for node in fleet.nodes if after[node] == name]
        if members != [node for node in fleet.nodes if before[node] == name]:
            files = _relist(files, index, described(members, racks))
    return files


def levelled_owners(fleet: Fleet, names: Sequence[str], by: str) -> dict[str, str]:
    """The listed shard of each node once they are levelled by moving racks, or nodes."""
    groups, before = groups_of(by, fleet.nodes), owners(fleet)
    homes = {key: _home([before[name] for name in members], names) for key, members in groups.items()}
    placed = levelled(items_of(by, groups, fleet.weights), homes, names)
    return {name: placed[key] for key, members in groups.items() for name in members}


def _home(shards: Sequence[str], names: Sequence[str]) -> str:
    """Where most of a rack is already, the first in the list of several."""
    return max(names, key=shards.count)


def described(members: Iterable[str], racks: Mapping[str, Sequence[str]]) -> tuple[list[str], str | None]:
    """Nodes as whole racks where they hold all of one, and the host list of the others, None where there are none.

    >>> described(["a1", "a2", "b1"], {"ra": ["a1", "a2"], "rb": ["b1", "b2"]})
    (['ra'], 'b1')
    """
    left = dict.fromkeys(members)
    whole = [rack for rack, names in racks.items() if names and all(name in left for name in names)]
    for rack in whole:
        for name in racks[rack]:
            del left[name]
    return whole, fold(left) if left else None


def _relist(files: Sources, index: int, wanted: tuple[list[str], str | None]) -> Sources:
    """The files with other members in one listed shard; new ones come before old ones go, so none is ever empty."""
    values = dict(zip(("racks", "nodes"), wanted, strict=True))
    for key, value in values.items():
        if value:
            files = set_value(files, (*SHARDS, index, key), value)
    for key, value in values.items():
        if not value:
            files = remove(files, (*SHARDS, index, key))
    return files
