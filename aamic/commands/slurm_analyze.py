"""`aamic slurm job-analyze`, `affected-jobs` and `node-analyze`: jobs and nodes explained by what GPUs did."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import typer

from aamic.commands.options import DEFAULT_SITE, Json, SitePath, checked, print_json, span
from aamic.commands.workloads import Local, opened_slurm, tell
from aamic.errors import HostError, InputError, OutsideError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from aamic.clients.base import History, Workloads
    from aamic.model.analysis import Analysis
    from aamic.model.fleet import Fleet
    from aamic.model.slurm import HookRecord, Job, SlurmNode
    from aamic.ops.evidence import Ask, Evidence, Open

T = TypeVar("T")
_TIMEOUT: Final = 30.0
_DAY: Final = 86_400.0
"""Seconds before and after a job in which other jobs of its GPUs are looked at; our policy."""

JobId = Annotated[str, typer.Argument(metavar="JOBID", help="A job `123`, array task `123_4` or component `200+1`.")]
NodeName = Annotated[str, typer.Argument(metavar="NODE", help="The node to look at.")]
Url = Annotated[
    str | None,
    typer.Option("--prometheus", metavar="URL", help="The server to ask for every node, in place of the site's own."),
]
Journals = Annotated[
    bool,
    typer.Option("--journals/--no-journals", help="Read which GPUs a job had from the epilogs' journals, over SSH."),
]
Since = Annotated[str, typer.Option("--since", metavar="SPAN", help="How far back, such as `2h` or `7d`.")]
Hours = Annotated[float, typer.Option("--hours", min=0.1, max=8760, help="How many hours back.")]


def job_analyze(  # noqa: PLR0913  # one argument for each option
    job: JobId,
    site: SitePath = DEFAULT_SITE,
    *,
    prometheus: Url = None,
    journals: Journals = True,
    local: Local = False,
    json: Json = False,
) -> None:
    """Tell whether a job's GPUs explain how it ended: verdict, reasons, what to do, and what is not known."""
    from aamic.compile.hostlist import fold
    from aamic.views import analysis as view

    fleet = checked(site).fleet
    ask = _ask(fleet, prometheus)
    with opened_slurm(fleet, site, local=local) as slurm:
        runs = slurm.job(job)
        if not runs:
            hint = "accounting may have forgotten it, or never had it; `aamic slurm jobs` lists those of now"
            raise InputError([Problem(f"Slurm knows no job `{job}`", hint=hint)])
        hooks = _hooks(fleet, site, runs) if journals else ()
        found = _explained(slurm, runs, ask, hooks)
    if json:
        print_json(view.jobs_json(found))
    else:
        typer.echo(view.jobs_text(found, fold), nl=False)


def affected_jobs(  # noqa: PLR0913  # one argument for each option
    node: NodeName,
    site: SitePath = DEFAULT_SITE,
    *,
    since: Since = "24h",
    prometheus: Url = None,
    local: Local = False,
    json: Json = False,
) -> None:
    """List the jobs that ran on a node, finished ones too, with those first that its events may have hit."""
    from aamic.compile.hostlist import fold
    from aamic.ops.suspects import affected
    from aamic.views import analysis as view

    fleet = checked(site).fleet
    _in_site(fleet, node)
    ask = _ask(fleet, prometheus)
    start = ask.now - span(since, "--since")
    with opened_slurm(fleet, site, local=local) as slurm:
        jobs = slurm.history(start, ask.now, (node,))
    stored = _of_node(node, jobs, start, ask)
    found = affected(stored, jobs, ask)
    if json:
        print_json(view.affected_json(node, start, found))
    else:
        typer.echo(view.affected_text(node, start, found, fold), nl=False)


def node_analyze(  # noqa: PLR0913  # one argument for each option
    node: NodeName,
    site: SitePath = DEFAULT_SITE,
    *,
    hours: Hours = 24,
    prometheus: Url = None,
    local: Local = False,
    json: Json = False,
) -> None:
    """Tell what happened on a node: suspected GPUs, events, the jobs that ran, and how it stands in Slurm."""
    from aamic.compile.hostlist import fold
    from aamic.ops.suspects import look_at
    from aamic.views import analysis as view

    fleet = checked(site).fleet
    _in_site(fleet, node)
    ask = _ask(fleet, prometheus)
    start = ask.now - hours * 3600
    with opened_slurm(fleet, site, local=local) as slurm:
        seen = _or_noted(lambda: _seen(slurm, node), None, f"how `{node}` stands in Slurm is not known")
        none: Sequence[Job] = ()
        jobs = _or_noted(lambda: slurm.history(start, ask.now, (node,)), none, "which jobs ran there is not known")
    stored = _of_node(node, jobs, start, ask)
    found = look_at(stored, start, jobs, ask, seen)
    if json:
        print_json(view.node_json(found))
    else:
        typer.echo(view.node_text(found, fold), nl=False)


def _explained(slurm: Workloads, runs: Sequence[Job], ask: Ask, hooks: Sequence[HookRecord]) -> tuple[Analysis, ...]:
    """Each run explained; where a program failed on a GPU, with a look at the other jobs that it had."""
    from aamic.ops.jobs import conclude, examine

    examined = examine(runs, ask, hooks)
    found = tuple(conclude(each) for each in examined)
    faulty = dict.fromkeys(e.node for each in found for e in each.events if e.bearing == "application")
    if not faulty:
        return found
    repeated = _repeated(slurm, tuple(faulty), found, ask)
    return tuple(conclude(each, repeated) for each in examined)


def _repeated(
    slurm: Workloads, nodes: tuple[str, ...], found: Sequence[Analysis], ask: Ask
) -> Mapping[tuple[str, str], int]:
    """In how many jobs of the days around programs failed on the same GPUs; nothing where accounting is silent."""
    from aamic.ops.jobs import read
    from aamic.ops.suspects import affected, repeated

    windows = [each.window for each in found if each.window is not None]
    start, end = min(each.start for each in windows) - _DAY, max(each.end for each in windows) + _DAY
    try:
        jobs = [job for job in slurm.history(start, min(end, ask.now), nodes) if job.started is not None]
    except OutsideError as error:
        tell([f"whether programs of other jobs failed on these GPUs is not known: {error}"])
        return {}
    on_node = {node: [job for job in jobs if node in job.nodes] for node in nodes}
    return repeated([a for node, ran in on_node.items() if ran for a in affected(read(ask, node, ran), ran, ask)])


def _of_node(node: str, jobs: Sequence[Job], start: float, ask: Ask) -> Evidence:
    """What is stored of a node since `start` and its jobs began."""
    from aamic.ops import evidence
    from aamic.ops.limits import bounds

    first = min((job.started for job in jobs if job.started is not None), default=start)
    return evidence.read(ask, node, (min(start, first), ask.now), bounds(ask.fleet, node).limits)


def _or_noted(ask: Callable[[], T], otherwise: T, note: str) -> T:
    """What Slurm says; where it does not, a note, as what the GPUs did is worth telling without it."""
    try:
        return ask()
    except OutsideError as error:
        tell([f"{note}: {error}"])
        return otherwise


def _in_site(fleet: Fleet, node: str) -> None:
    """InputError where the site has no such node, as nothing of it is measured then."""
    from aamic.compile.suggest import closest

    if node not in fleet.nodes:
        near = closest(node, fleet.nodes)
        hint = f"did you mean `{near}`?" if near else "name one of the site's `nodes` or `racks`"
        raise InputError([Problem(f"the site has no node `{node}`", hint=hint)])


def _seen(slurm: Workloads, node: str) -> SlurmNode | None:
    """The node as Slurm sees it; None where Slurm does not have it."""
    return next((each for each in slurm.nodes() if each.name == node), None)


def _ask(fleet: Fleet, url: str | None) -> Ask:
    from aamic.ops.evidence import Ask

    return Ask(fleet, time.time(), _opener(url))


def _opener(url: str | None) -> Open:
    """How servers are reached: each is asked once whether it is ready, and given up for all nodes if it is not."""
    from aamic.clients.prometheus import Prometheus

    if url is not None and not url.startswith(("http://", "https://")):
        raise typer.BadParameter("write a URL such as `http://mon-01:9090`", param_hint="--prometheus")
    opened: dict[str, History | OutsideError] = {}

    def reached(address: str) -> History | OutsideError:
        server = Prometheus(address, _TIMEOUT)
        try:
            server.ready()
        except OutsideError as error:
            return error
        return server

    def open_(own: str) -> History:
        address = url or own
        found = opened.get(address) or opened.setdefault(address, reached(address))
        if isinstance(found, OutsideError):
            raise OutsideError(str(found), found.hint)
        return found

    return open_


def _hooks(fleet: Fleet, site: Path, runs: Sequence[Job]) -> tuple[HookRecord, ...]:
    """What the epilogs of these jobs' nodes wrote down, where Slurm does not know which GPUs they had."""
    unknown = [run for run in runs if run.gpus is None and run.gpu_count != 0 and run.ended is not None]
    nodes = tuple(dict.fromkeys(node for run in unknown for node in run.nodes if node in fleet.nodes))
    if not nodes or fleet.slurm is None or not fleet.slurm.post_job_check:
        return ()
    try:
        return _journals(fleet, site, nodes)
    except OutsideError as error:
        tell([f"the journals of epilogs were not read: {error}"])
        return ()


def _journals(fleet: Fleet, site: Path, nodes: tuple[str, ...]) -> tuple[HookRecord, ...]:
    from aamic.commands.progress import progress
    from aamic.commands.transport import opened
    from aamic.deploy.fanout import fan_out
    from aamic.ops.hookjournal import command, read_journal

    with opened(fleet, site, None) as hosts, progress("reading journals", len(nodes)) as tick:

        def work(name: str) -> tuple[HookRecord, ...]:
            answer = hosts.run(name, command(), (), fleet.ssh.command_timeout)
            return read_journal(name, answer.output.decode(errors="replace")).records

        seen = fan_out(nodes, work, fleet.ssh.max_parallel, tick)
    failed = {name: each for name, each in seen.items() if isinstance(each, HostError)}
    tell([f"the epilog's journal of `{name}` was not read: {error}" for name, error in failed.items()])
    return tuple(record for each in seen.values() if not isinstance(each, HostError) for record in each)
