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
from aamic.errors import InputError, OutsideError, Problem

if TYPE_CHECKING:
    from aamic.commands.planning import Scope
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
    bool, typer.Option("--exit-code", help="Exit 16 when something differs, 1 when something is held back or unknown.")
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
    from aamic.clients.files import expect_writable
    from aamic.commands import planning

    by_files = offline or against is not None
    given = {"--limit": limit, "--adopt": adopt, "--offline": by_files, "--outputs": outputs, "--host-root": host_root}
    _refuse_mixes({name for name, value in given.items() if value}, saved=saved is not None)
    if out is not None:
        expect_writable(out)
    if saved is not None:
        made = read_saved(saved)
    else:
        scope = planning.scope(compiled(site), planning.Wish(limit, adopt))
        if by_files:
            revision = "HEAD" if against is None else against
            made = planning.offline(scope, site, outputs or site.parent / "outputs", revision)
        else:
            made = look(scope, site, host_root, parallel=parallel, processes=processes)
    try:
        if out is not None:
            _save(made, out)
    finally:  # the hosts were looked at, so the plan is told even where it cannot be kept
        typer.echo(shown(made, format_), nl=False)
    if exit_code and (code := _exit_code(made)):
        raise typer.Exit(code)


def _refuse_mixes(given: set[str], *, saved: bool) -> None:
    """Refuse options that would be ignored beside others. Raises InputError."""
    problems = []
    if saved:
        why = "`--saved` prints a plan as it is"
        problems += [_mixed(name, why, "leave one of the two out") for name in sorted(given)]
    elif "--offline" in given and "--host-root" in given:
        problems.append(_mixed("--host-root", "`--offline` looks at no host", "leave one of the two out"))
    elif "--outputs" in given and "--offline" not in given:
        problems.append(_mixed("--outputs", "hosts are looked at", "add `--offline` to compare with files"))
    if problems:
        raise InputError(problems)


def _mixed(name: str, why: str, hint: str) -> Problem:
    return Problem(f"{name} has no meaning here: {why}", hint=hint)


def look(scope: Scope, site: Path, host_root: Path | None, *, parallel: int | None = None, processes: int = 1) -> Plan:
    """The plan for hosts as they are, or for folders that stand for them."""
    from dataclasses import replace

    from aamic.commands import planning
    from aamic.commands.progress import progress
    from aamic.commands.transport import maker, opened
    from aamic.deploy.observe import Asking

    fleet = scope.compiled.fleet
    limits = fleet.ssh.command_timeout, parallel or fleet.ssh.max_parallel
    asking = Asking(*limits, make_hosts=maker(fleet, site, host_root), processes=processes)
    with opened(fleet, site, host_root) as hosts, progress("looking at hosts", len(scope.desired)) as tick:
        made = planning.live(scope, site, hosts, asking, tick).plan
    return replace(made, notes=(*made.notes, *_missing(host_root)))


def _missing(host_root: Path | None) -> tuple[str, ...]:
    """A note on a folder of hosts that is not there: it may be misspelt."""
    if host_root is None or host_root.exists():
        return ()
    return (f"`{host_root}` does not exist yet, so every host is taken for an empty one; an apply makes it",)


def read_saved(path: Path) -> Plan:
    """The plan in a file. Raises OutsideError where it cannot be read, InputError where it is no plan."""
    from aamic.deploy.saved import load

    try:
        return load(path.read_bytes(), str(path))
    except OSError as error:
        raise OutsideError(f"cannot read `{path}`: {error.strerror}", "`aamic plan --out` writes it") from error


def _save(made: Plan, path: Path) -> None:
    from aamic.clients.files import write_whole
    from aamic.deploy.saved import dump

    write_whole(path, dump(made))


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
    return EXIT_UNKNOWN if made.unobserved or made.blocked or made.undecided or made.held else 0
