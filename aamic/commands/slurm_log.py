"""`aamic slurm log-correlation`: what the epilogs of nodes wrote down of jobs, side by side."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from aamic.commands.options import DEFAULT_SITE, Json, SitePath, checked, print_json, span
from aamic.commands.transport import HostRoot, Parallel, folder
from aamic.commands.workloads import settings, tell
from aamic.errors import HostError, InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aamic.clients.base import Hosts
    from aamic.model.fleet import Fleet
    from aamic.model.slurm import HookRecord
    from aamic.ops.hookjournal import Journal

OnNodes = Annotated[str, typer.Option("--node", metavar="HOSTS", help="Nodes to ask; all of Slurm if not given.")]
Since = Annotated[str, typer.Option("--since", help="How far back, such as `2h` or `7d`, by the nodes' clocks.")]
JobId = Annotated[int | None, typer.Option("--job", help="Only this job, by its raw number.")]


def log_correlation(  # noqa: PLR0913  # one argument for each option
    site: SitePath = DEFAULT_SITE,
    *,
    node: OnNodes = "",
    since: Since = "24h",
    job: JobId = None,
    host_root: HostRoot = None,
    parallel: Parallel = None,
    json: Json = False,
) -> None:
    """Show which jobs ended on which GPUs, how, and what the verdict of their node was then."""
    from aamic.commands.transport import opened
    from aamic.views import slurm as view

    fleet = checked(site).fleet
    names, start = _names(fleet, node), time.time() - span(since, "--since")
    with opened(fleet, site, folder(host_root)) as hosts:
        seen = _journals(fleet, hosts, names, parallel)
    unknown = {name: str(each) for name, each in seen.items() if isinstance(each, HostError)}
    read = {name: each for name, each in seen.items() if not isinstance(each, HostError)}
    records = _chosen(read, start, job)
    damaged = {name: each.damaged for name, each in read.items() if each.damaged}
    absent = [name for name, each in read.items() if not each.kept]
    tell(_notes(fleet, absent))
    if json:
        print_json(view.records_json(records, unknown, damaged, absent))
    else:
        lost = [f"{count:,} lines of the journal of `{name}` make no sense" for name, count in damaged.items()]
        typer.echo(view.records_text(records, [*unknown.values(), *lost]), nl=False)
    if unknown:
        raise typer.Exit(1)


def _names(fleet: Fleet, text: str) -> tuple[str, ...]:
    """The nodes to ask; InputError where one runs no jobs of this site."""
    from aamic.compile.hostlist import HostListError, expand
    from aamic.compile.suggest import closest

    known = settings(fleet).nodes
    if not text:
        return known
    try:
        names = tuple(dict.fromkeys(expand(text)))
    except HostListError as error:
        raise InputError([Problem(f"--node: {error}", hint=error.hint)]) from error
    for name in names:
        if name not in known:
            near = closest(name, known)
            hint = f"did you mean `{near}`?" if near else "`slurm.nodes` of the site are those that run jobs"
            raise InputError([Problem(f"--node: `{name}` is no Slurm node of this site", hint=hint)])
    return names


def _notes(fleet: Fleet, absent: Sequence[str]) -> list[str]:
    """Why there may be no jobs to show."""
    from aamic.compile.hostlist import fold

    notes = [f"no epilog has written a journal yet on {fold(absent)}"] if absent else []
    if not settings(fleet).post_job_check:
        notes.append("`slurm.post_job_check` is off, so no epilog writes down further jobs")
    return notes


def _journals(
    fleet: Fleet, hosts: Hosts, names: tuple[str, ...], parallel: int | None
) -> dict[str, Journal | HostError]:
    """The journal of each node, or why it is not known."""
    from aamic.commands.progress import progress
    from aamic.deploy.fanout import fan_out
    from aamic.ops.hookjournal import NONE_KEPT, Journal, command, read_journal

    def work(name: str) -> Journal:
        answer = hosts.run(name, command(), (), fleet.ssh.command_timeout)
        if answer.status == NONE_KEPT:
            return Journal((), 0, kept=False)
        if answer.status:
            raise HostError("broken", f"`{name}`: its journal of jobs cannot be read (status {answer.status})")
        return read_journal(name, answer.output.decode(errors="replace"))

    with progress("reading journals", len(names)) as tick:
        return fan_out(names, work, parallel or fleet.ssh.max_parallel, tick)


def _chosen(read: Mapping[str, Journal], start: float, job: int | None) -> list[HookRecord]:
    """Those that are asked for, in order of time."""
    records = [each for journal in read.values() for each in journal.records]
    chosen = [each for each in records if each.at >= start and (job is None or each.job == job)]
    return sorted(chosen, key=lambda each: (each.at, each.node, each.job))
