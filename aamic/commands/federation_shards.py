"""`aamic federation shards`: each shard with what it carries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from aamic.commands.options import DEFAULT_SITE, Json, SitePath, checked, print_json
from aamic.errors import InputError, Problem

if TYPE_CHECKING:
    from aamic.model.fleet import Fleet

Shard = Annotated[str, typer.Argument(metavar="SHARD", help="The shard to show; all if not given.", show_default=False)]
Nodes = Annotated[bool, typer.Option("--nodes", help="Print a line `NODE SHARD` for each node, for scripts.")]


def federation_shards(
    shard: Shard = "", site: SitePath = DEFAULT_SITE, *, nodes: Nodes = False, json: Json = False
) -> None:
    """Show each shard with its hosts, racks, nodes and predicted load."""
    from aamic.compile.hostlist import fold
    from aamic.views.federation import nodes_text, shards_json, shards_text

    fleet = checked(site).fleet
    names = _chosen(shard, shard_names(fleet))
    if json:
        print_json(shards_json(fleet, names))
    else:
        typer.echo(nodes_text(fleet, names) if nodes else shards_text(fleet, names, fold))


def shard_names(fleet: Fleet) -> list[str]:
    """The names of the shards, in order. Raises InputError where federation is off."""
    names = list(dict.fromkeys(server.name for server in fleet.servers if server.role == "shard"))
    if not names:
        hint = "`aamic shards` shows the one server; `aamic federation enable` makes it several"
        raise InputError([Problem("federation is off in this site", hint=hint)])
    return names


def _chosen(shard: str, names: list[str]) -> list[str]:
    from aamic.compile.suggest import closest
    from aamic.compile.text import shown

    if not shard:
        return names
    if shard in names:
        return [shard]
    near = closest(shard, names)
    hint = f"did you mean `{near}`?" if near else "`aamic federation shards` lists them"
    raise InputError([Problem(f"this site has no shard {shown(shard)}", hint=hint)])
