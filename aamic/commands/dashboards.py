"""`aamic dashboards list` and `export`: which dashboards a site has, and their files for a Grafana."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aamic.commands.options import DEFAULT_SITE, Json, SitePath, print_json, warn
from aamic.errors import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aamic.model.dashboard import Dashboard
    from aamic.model.fleet import Fleet

Names = Annotated[
    list[str] | None, typer.Argument(metavar="[UID...]", help="Which dashboards, such as `aamic-gpu` or `gpu`; all.")
]
Out = Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="Folder to write to; it is made if need be.")]


def list_dashboards(site: SitePath = DEFAULT_SITE, *, json: Json = False) -> None:
    """List the dashboards of the site, and which panels it cannot feed and why."""
    from aamic.views import dashboards as view

    fleet = with_dashboards(site)
    if json:
        print_json(view.to_json(fleet.dashboards, fleet.unfed))
    else:
        typer.echo(view.text(fleet.dashboards, fleet.unfed), nl=False)


def export(names: Names = None, site: SitePath = DEFAULT_SITE, *, out: Out = Path("dashboards")) -> None:
    """Write the dashboards as the JSON files that Grafana imports, for one that aamic does not set up."""
    from aamic.catalog.artifacts.grafana.links import targets
    from aamic.catalog.artifacts.grafana.pages import page
    from aamic.clients.files import write_below

    fleet = with_dashboards(site)
    known = targets(fleet)
    files = {f"{each.uid}.json": page(each, known) for each in named(fleet, names)}
    write_below(out, files)
    typer.echo("".join(f"wrote `{out / name}`\n" for name in files), nl=False)


def with_dashboards(site: Path) -> Fleet:
    """The site's fleet with its dashboards, whether or not a Grafana shows them; its warnings are told."""
    from aamic.compile.compiler import check_site

    outcome = check_site(site, dashboards=True)
    warn(outcome.warnings)
    return outcome.fleet


def named(fleet: Fleet, names: Sequence[str] | None) -> tuple[Dashboard, ...]:
    """The dashboards of these uids, with or without `aamic-`, each once; all where none is named.

    Raises:
        InputError: The site has none of this name, or feeds nothing of it.
    """
    known = {each.uid: each for each in fleet.dashboards}
    wanted = dict.fromkeys(name if name in known else f"aamic-{name}" for name in names or known)
    problems = [_unknown(name.removeprefix("aamic-"), fleet) for name in wanted if name not in known]
    if problems:
        raise InputError(problems)
    return tuple(known[name] for name in wanted)


def _unknown(name: str, fleet: Fleet) -> Problem:
    from aamic.compile.suggest import closest

    if any(each.uid == f"aamic-{name}" for each in fleet.unfed):
        return Problem(f"this site feeds nothing of dashboard `aamic-{name}`", hint="`aamic dashboards list` says why")
    near = closest(f"aamic-{name}", [each.uid for each in fleet.dashboards])
    hint = f"did you mean `{near}`?" if near else "`aamic dashboards list` has those that there are"
    return Problem(f"there is no dashboard `{name}`", hint=hint)
