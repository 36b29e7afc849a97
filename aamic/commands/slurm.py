"""`aamic slurm jobs` and `aamic slurm nodes`: what Slurm says now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from aamic.commands.options import DEFAULT_SITE, Json, SitePath, checked, print_json
from aamic.commands.workloads import Local, chosen_nodes, opened_slurm

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aamic.model.slurm import Job

OnNodes = Annotated[str, typer.Option("--node", metavar="HOSTS", help="Only jobs on these nodes.")]
User = Annotated[str, typer.Option("--user", help="Only jobs of this user.")]
Partition = Annotated[str, typer.Option("--partition", help="Only jobs in this partition.")]
State = Annotated[str, typer.Option("--state", help="Only jobs in this state, such as `running`.")]
Drained = Annotated[bool, typer.Option("--drained", help="Only nodes that start no new jobs.")]


def jobs(  # noqa: PLR0913  # one argument for each option
    site: SitePath = DEFAULT_SITE,
    *,
    node: OnNodes = "",
    user: User = "",
    partition: Partition = "",
    state: State = "",
    local: Local = False,
    json: Json = False,
) -> None:
    """List the jobs that the controller holds now: pending, running, and finished ones until it forgets them."""
    from aamic.compile.hostlist import fold
    from aamic.views import slurm as view

    _known_state(state)
    fleet = checked(site).fleet
    with opened_slurm(fleet, site, local=local) as slurm:
        names = {each.name for each in chosen_nodes(node, slurm.nodes())} if node else set()
        found = [
            job
            for job in slurm.jobs()
            if _has(user, [job.user])
            and _has(partition, job.partition.split(","))
            and _has(state.upper(), [job.state, *job.flags])
            and (not node or names.intersection(job.nodes))
        ]
    if json:
        print_json(view.jobs_json(found))
    else:
        typer.echo(view.jobs_text(_sorted(found), fold), nl=False)


def nodes(site: SitePath = DEFAULT_SITE, *, drained: Drained = False, local: Local = False, json: Json = False) -> None:
    """List the nodes of the Slurm cluster: state, GPUs, and who drained which since when and why."""
    from aamic.ops.drains import is_ours
    from aamic.views import slurm as view

    fleet = checked(site).fleet
    with opened_slurm(fleet, site, local=local) as slurm:
        found = [node for node in slurm.nodes() if node.drained or not drained]
    if json:
        print_json(view.nodes_json(found, is_ours))
    else:
        typer.echo(view.nodes_text(found, is_ours), nl=False)


def _known_state(state: str) -> None:
    """A usage error for a state that no job is ever in: nothing found would read like good news."""
    from aamic.clients.slurmtext import BASE_STATES, FLAGS
    from aamic.compile.suggest import closest

    known = sorted({*BASE_STATES, *FLAGS})
    if state and state.upper() not in known:
        near = closest(state.upper(), known)
        hint = f"did you mean `{near.lower()}`?" if near else f"known are {', '.join(known).lower()}"
        raise typer.BadParameter(f"`{state}` is no state of a job: {hint}", param_hint="--state")


def _has(wanted: str, those: Iterable[str]) -> bool:
    return not wanted or wanted in those


def _sorted(found: Iterable[Job]) -> list[Job]:
    """Running ones first, then those that wait, then those that ended; the newest of each first."""
    order = {"RUNNING": 0, "SUSPENDED": 1, "PENDING": 2}
    return sorted(found, key=lambda job: (order.get(job.state, 3), -job.id))
