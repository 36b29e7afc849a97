"""`aamic plan`: what an apply would change, on which hosts."""

from __future__ import annotations

import os
import shutil
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aamic.commands.options import DEFAULT_SITE, SitePath, compiled
from aamic.commands.transport import HostRoot, Parallel, Processes
from aamic.errors import OutsideError

if TYPE_CHECKING:
    from aamic.commands.planning import Scope
    from aamic.deploy.observe import Asking
    from aamic.model.plan import Plan

EXIT_UNKNOWN = 1
EXIT_DIFFERENT = 16


class Format(StrEnum):
    """How a plan is printed."""

    text = "text"
    json = "json"
    markdown = "markdown"
    html = "html"


LimitTo = Annotated[str, typer.Option("--limit", help="A host list, or `bundle:NAME`.", show_default=False)]
Adopt = Annotated[bool, typer.Option("--adopt", help="Take over files that somebody else put in the way.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="File to write the plan to, for `aamic apply`.")]
Formats = Annotated[Format, typer.Option("--format", help="How the plan is printed.")]
ExitCode = Annotated[
    bool, typer.Option("--exit-code", help="Exit 16 when something differs, 1 when a host could not be compared.")
]
Offline = Annotated[bool, typer.Option("--offline", help="Compare with the outputs in git; no host is looked at.")]
Against = Annotated[str | None, typer.Option("--against", help="Git revision for --offline; HEAD if not given.")]
Outputs = Annotated[
    Path | None, typer.Option("--outputs", help="Folder of the outputs for --offline; `outputs` beside the site.")
]
Saved = Annotated[
    Path | None, typer.Option("--saved", help="Print a plan that `--out` wrote, as it is; no host is looked at.")
]


def plan(  # noqa: PLR0913  # one argument for each option
    site: SitePath = DEFAULT_SITE,
    limit: LimitTo = "",
    out: Out = None,
    format_: Formats = Format.text,
    *,
    exit_code: ExitCode = False,
    adopt: Adopt = False,
    offline: Offline = False,
    against: Against = None,
    outputs: Outputs = None,
    saved: Saved = None,
    host_root: HostRoot = None,
    parallel: Parallel = None,
    processes: Processes = 1,
) -> None:
    """Show what would change on which hosts, and what it means for their services. Nothing is changed."""
    from aamic.commands import planning
    from aamic.deploy.observe import Asking

    if saved is not None:
        made = read_saved(saved)
    else:
        scope = planning.scope(compiled(site), planning.Wish(limit, adopt))
        if offline or against is not None:
            made = planning.offline(scope, site, outputs or site.parent / "outputs", against or "HEAD")
        else:
            ssh = scope.compiled.fleet.ssh
            asking = Asking(ssh.command_timeout, parallel or ssh.max_parallel, processes=processes)
            made = _live(scope, site, host_root, asking)
    if out is not None:
        _save(made, out)
    typer.echo(shown(made, format_), nl=False)
    if exit_code and (code := _exit_code(made)):
        raise typer.Exit(code)


def _live(scope: Scope, site: Path, host_root: Path | None, asking: Asking) -> Plan:
    from dataclasses import replace

    from aamic.commands import planning
    from aamic.commands.progress import progress
    from aamic.commands.transport import maker, opened

    fleet = scope.compiled.fleet
    asking = replace(asking, make_hosts=maker(fleet, site, host_root))
    with opened(fleet, site, host_root) as hosts, progress("looking at hosts", len(scope.desired)) as tick:
        return planning.live(scope, site, hosts, asking, tick).plan


def read_saved(path: Path) -> Plan:
    """The plan in a file. Raises OutsideError where it cannot be read, InputError where it is no plan."""
    from aamic.deploy.saved import load

    try:
        return load(path.read_bytes(), str(path))
    except OSError as error:
        raise OutsideError(f"cannot read `{path}`: {error.strerror}") from error


def _save(made: Plan, path: Path) -> None:
    from aamic.deploy.saved import dump

    try:
        path.write_bytes(dump(made))
    except OSError as error:
        raise OutsideError(f"cannot write `{path}`: {error.strerror}") from error


def shown(made: Plan, format_: Format) -> str:
    """The plan as it is printed."""
    from aamic.compile.hostlist import fold

    if format_ is Format.json:
        from aamic.deploy.saved import dump

        return dump(made).decode()
    if format_ is Format.markdown:
        from aamic.views import plan_markdown

        return plan_markdown.markdown(made, fold)
    if format_ is Format.html:
        from aamic.views import plan_html

        return plan_html.html(made, fold)
    from aamic.views import plan_text

    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return plan_text.text(made, fold, width=shutil.get_terminal_size((100, 24)).columns, colour=colour)


def _exit_code(made: Plan) -> int:
    if made.groups:
        return EXIT_DIFFERENT
    return EXIT_UNKNOWN if made.unobserved or made.blocked else 0
