"""`aamic rollback`: bring hosts back to what they were before a release."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from aamic.commands.applying import EXIT_NOT_DONE, Yes
from aamic.commands.options import DEFAULT_SITE, Json, SitePath, compiled, print_json
from aamic.commands.transport import HostRoot, Parallel
from aamic.errors import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from aamic.clients.base import Hosts
    from aamic.commands.planning import Scope
    from aamic.deploy.observe import Seen
    from aamic.deploy.rollback import Carried, Choice

LimitToHosts = Annotated[str, typer.Option("--limit", help="A host list.", show_default=False)]
Release = Annotated[
    str, typer.Option("--release", help="Release to undo; the newest that a host carries if not given.")
]
_SHOWN = 20


def rollback(  # noqa: PLR0913  # one argument for each option
    site: SitePath = DEFAULT_SITE,
    limit: LimitToHosts = "",
    release: Release = "",
    *,
    yes: Yes = False,
    host_root: HostRoot = None,
    parallel: Parallel = None,
    json: Json = False,
) -> None:
    """Undo the last release on the hosts that carry it: files, links and services are then as they were before."""
    from aamic.clients.interrupts import Interrupts
    from aamic.commands import planning
    from aamic.commands.applying import (
        STOPPING,
        Lines,
        Reach,
        ask,
        finish,
        gate_of,
        keeper,
        means,
        need_consent,
        release_name,
        who,
    )
    from aamic.commands.leaving import mark_site
    from aamic.commands.transport import opened
    from aamic.deploy.rollback import choose, edited, roll_back
    from aamic.model.report import Origin, Report
    from aamic.views.report import counted, to_json

    need_consent(yes=yes, hint="`--yes` goes on without asking")
    whole = compiled(site)
    scope = planning.scope(whole, planning.Wish(_hosts_alone(limit)))
    basis = planning.basis(whole, site, scope.wish)
    parallel = parallel or whole.fleet.ssh.max_parallel
    timeout = whole.fleet.ssh.command_timeout
    with opened(whole.fleet, site, host_root) as hosts:
        seen = look(scope, hosts, timeout, parallel)
        slurm = whole.fleet.slurm
        choice = choose(seen, release, slurm.controller if slurm else "")
        _show(choice, release, as_json=json)
        origin = Origin(release_name(basis.revision), who(), basis.revision, "", basis.tree)
        if choice.back is None:
            if json:
                print_json(to_json(Report("rollback", origin, choice.settled)))
            raise typer.Exit(EXIT_NOT_DONE if choice.settled or release else 0)
        _tell_edited(edited(seen, choice.back.hosts))
        ask(f"Undo release {choice.back.name} on {counted(len(choice.back.hosts))}?", yes=yes)
        lines, reach = Lines(), Reach(hosts, parallel, timeout, timer=False)
        tools = means(reach, origin, whole.fleet.rollout, gate_of(whole.fleet, live=False), lines)
        with Interrupts(STOPPING) as interrupts:
            stopped = lambda: interrupts.received is not None  # noqa: E731
            report = roll_back(choice, tools, lines, stopped, keeper(whole.fleet.cluster))
        notes = mark_site(whole.fleet, reach, report, choice.back.name)
    report = replace(report, notes=(*report.notes, *notes))
    finish(report, as_json=json)


def _hosts_alone(limit: str) -> str:
    if limit.startswith("bundle:"):
        raise InputError(
            [Problem("a rollback is for whole hosts, not for a bundle", hint="give `--limit` a host list")]
        )
    return limit


def look(scope: Scope, hosts: Hosts, timeout: float, parallel: int) -> dict[str, Seen]:
    """What is seen of the hosts."""
    from aamic.commands.progress import progress
    from aamic.deploy.observe import Asking, observe

    with progress("looking at hosts", len(scope.desired)) as tick:
        return observe(hosts, scope.desired, Asking(timeout, parallel), tick)


def _show(choice: Choice, release: str, *, as_json: bool) -> None:
    from aamic.views.terminal import safe

    for line in _lines(choice, release):
        typer.echo(safe(line), err=as_json)


def _tell_edited(edited: Mapping[str, Sequence[str]]) -> None:
    """Tell of what was edited by hand, as it may be lost."""
    from aamic.compile.hostlist import fold
    from aamic.views.terminal import safe

    for path, hosts in list(edited.items())[:_SHOWN]:
        told = f"note: edited by hand, and lost if the release wrote it: {path} ({fold(hosts)})"
        typer.echo(safe(told), err=True)
    if len(edited) > _SHOWN:
        typer.echo(f"note: and {len(edited) - _SHOWN:,} more paths that were edited by hand", err=True)


def _lines(choice: Choice, release: str) -> Iterator[str]:
    if choice.back is None:
        yield f"no host carries release {release}" if release else "no host carries a release of aamic"
    else:
        yield f"to be undone: {_told(choice.back)}"
    for other in choice.others:
        yield f"stays: {_told(other)}"
    for report in choice.settled:
        yield f"{report.host}: {report.state}: {report.message}"


def _told(carried: Carried) -> str:
    """A release with what is known of it, and its hosts.

    What was there before it is known to the hosts alone.
    """
    from datetime import UTC, datetime

    from aamic.compile.hostlist import fold
    from aamic.views.report import counted

    last = carried.last
    at = f", {datetime.fromtimestamp(last.at, UTC):%Y-%m-%d %H:%M} UTC by {last.who}" if last else ""
    return f"{carried.name}{at} · {counted(len(carried.hosts))} · {fold(carried.hosts)}"
