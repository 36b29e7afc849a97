"""`aamic shards`: which Prometheus server carries what."""

from __future__ import annotations

import typer

from aamic.commands.options import DEFAULT_SITE, Json, SitePath, checked, print_json


def shards(site: SitePath = DEFAULT_SITE, *, json: Json = False) -> None:
    """Show each Prometheus server with its nodes and its predicted load."""
    from aamic.views.shards import table, to_json

    fleet = checked(site).fleet
    if json:
        print_json(to_json(fleet))
    else:
        typer.echo(table(fleet))
