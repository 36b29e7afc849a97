"""`aamic slurm jobs` and `aamic slurm nodes`: what Slurm says now."""

from __future__ import annotations

import typer

from aamic.commands.options import DEFAULT_SITE, Json, SitePath, checked, print_json
from aamic.commands.workloads import Local, opened_slurm


def jobs(site: SitePath = DEFAULT_SITE, *, local: Local = False, json: Json = False) -> None:
    """List the jobs that the controller holds now."""
    from aamic.views import slurm as view

    fleet = checked(site).fleet
    with opened_slurm(fleet, site, local=local) as slurm:
        found = slurm.jobs()
    if json:
        print_json(view.jobs_json(found))
    else:
        typer.echo(view.jobs_text(found), nl=False)


def nodes(site: SitePath = DEFAULT_SITE, *, local: Local = False, json: Json = False) -> None:
    """List the nodes of the Slurm cluster, with who drained them and why."""
    from aamic.views import slurm as view

    fleet = checked(site).fleet
    with opened_slurm(fleet, site, local=local) as slurm:
        found = slurm.nodes()
    if json:
        print_json(view.nodes_json(found))
    else:
        typer.echo(view.nodes_text(found), nl=False)
