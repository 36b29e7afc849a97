"""`aamic slurm backtest`: what the drain policy would have done in the last days."""

from __future__ import annotations

import time
from contextlib import ExitStack
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from aamic.commands.options import DEFAULT_SITE, Json, SitePath, compiled, print_json
from aamic.commands.workloads import Local, opened_slurm, settings

if TYPE_CHECKING:
    from aamic.model.fleet import Fleet, Server
    from aamic.ops.drainrules import Rules
    from aamic.ops.stored import Holder, Span

_TIMEOUT: Final = 300.0
_DAY: Final = 86_400
_LOOKBACK: Final = 3
"""Evaluations that a series may miss before it is taken to have ended."""


class Format(StrEnum):
    """How the result is printed."""

    text = "text"
    markdown = "markdown"


Days = Annotated[int, typer.Option("--days", min=1, max=366, help="How many days to replay.")]
Until = Annotated[
    str,
    typer.Option("--until", metavar="TIME", help="End of the last day, such as `2026-11-25`; today's midnight, UTC."),
]
Horizon = Annotated[
    int, typer.Option("--horizon", min=1, max=720, help="Hours within which a job must fail for a drain to foresee it.")
]
Against = Annotated[
    str, typer.Option("--against", metavar="REVISION", help="Compare with the policy in the outputs in git.")
]
Formats = Annotated[Format, typer.Option("--format", help="How the result is printed.")]
Jobs = Annotated[bool, typer.Option("--jobs/--no-jobs", help="Whether accounting is asked which jobs failed.")]


def backtest(  # noqa: PLR0913  # one argument for each option
    site: SitePath = DEFAULT_SITE,
    days: Days = 7,
    until: Until = "",
    horizon: Horizon = 24,
    *,
    against: Against = "",
    format_: Formats = Format.text,
    jobs: Jobs = True,
    local: Local = False,
    json: Json = False,
) -> None:
    """Replay the drain policy over stored history: what it would have drained, and which failed jobs that came before.

    Nothing is changed. Servers are asked for whole days first, and then for each node that may have failed in one.
    """
    from aamic.commands.progress import progress
    from aamic.compile.hostlist import fold
    from aamic.ops.backtest import Past
    from aamic.ops.backtest import backtest as replay
    from aamic.ops.drainrules import rules
    from aamic.views import backtest as view

    outcome = compiled(site)
    every = [rules(outcome.tree), *([_at(site, against)] if against else [])]
    span = _span(days, until, settings(outcome.fleet).health.interval)
    with ExitStack() as stack:
        slurm = stack.enter_context(opened_slurm(outcome.fleet, site, local=local)) if jobs else None
        past = Past(_holders(outcome.fleet), slurm, span, horizon * 3600)
        tick = stack.enter_context(progress("replayed", days * len(past.holders)))
        found = replay(every, past, lambda name: tick(name, None))
    if json:
        print_json(view.to_json(found))
    else:
        typer.echo((view.markdown if format_ is Format.markdown else view.text)(found, fold))
    if not found.known:
        raise typer.Exit(1)


def _at(site: Path, revision: str) -> Rules:
    """The rules in the outputs as they were where this branch and a git revision parted."""
    from aamic.clients.git import files_at, merge_base
    from aamic.deploy.offline import read_tree
    from aamic.ops.drainrules import rules

    folder = site.parent / "outputs"
    commit = merge_base(site.parent, revision)
    name = "HEAD" if revision == "HEAD" else commit[:7]
    return rules(read_tree(files_at(folder, commit), f"`{folder}` at `{name}`"), name)


def _span(days: int, until: str, step: int) -> Span:
    from aamic.ops.stored import Span

    end = _parsed(until) if until else time.time() // _DAY * _DAY
    end -= end % step
    return Span(end - days * _DAY // step * step, end, step)


def _parsed(until: str) -> float:
    try:
        at = datetime.fromisoformat(until)
    except ValueError:
        raise typer.BadParameter(
            "write a time such as `2025-11-01` or `2025-11-01T12:00Z`", param_hint="--until"
        ) from None
    end = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    if end > time.time():
        raise typer.BadParameter(f"`{until}` is still to come, so nothing of it is stored", param_hint="--until")
    return end


def _holders(fleet: Fleet) -> list[Holder]:
    """The servers that scrape nodes, those of a pair together."""
    pairs: dict[str, list[Server]] = {}
    for server in fleet.servers:
        if server.role != "central":
            pairs.setdefault(server.name, []).append(server)
    return [_holder(fleet, name, servers) for name, servers in pairs.items()]


def _holder(fleet: Fleet, name: str, servers: list[Server]) -> Holder:
    from aamic.clients.prometheus import Prometheus
    from aamic.model.quantities import duration_seconds
    from aamic.ops.stored import Holder

    asked = tuple(Prometheus(f"http://{fleet.address(each.host, each.port)}", _TIMEOUT) for each in servers)
    slowest = max(duration_seconds(each.evaluation_interval) for each in servers)
    return Holder(name, servers[0].nodes, asked, _LOOKBACK * slowest)
