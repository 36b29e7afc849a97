"""`aamic validate`: is the site right?"""

from __future__ import annotations

import typer

from aamic.commands.options import DEFAULT_SITE, Json, SitePath, checked, print_json


def validate(site: SitePath = DEFAULT_SITE, *, json: Json = False) -> None:
    """Check the site and tell every problem at once."""
    from aamic.errors import InputError
    from aamic.views.problems import to_json

    if not json:
        from aamic.views.plan_words import counted

        fleet = checked(site).fleet
        nodes, servers = counted(len(fleet.nodes), "node"), counted(len(fleet.servers), "Prometheus server")
        typer.echo(f"{site}: {nodes}, {servers}: no error")
        return
    from aamic.compile.compiler import check_site

    try:
        problems = check_site(site).warnings
    except InputError as error:
        print_json({"valid": False, "problems": to_json(error.problems)})
        raise typer.Exit(1) from None
    print_json({"valid": True, "problems": to_json(problems)})
