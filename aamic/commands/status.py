"""`aamic status`: how each host stands to its release and to the site."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import typer

from aamic.commands.options import DEFAULT_SITE, Json, SitePath, compiled, print_json
from aamic.commands.plan import LimitTo
from aamic.commands.transport import HostRoot, Parallel

if TYPE_CHECKING:
    from aamic.clients.base import Hosts
    from aamic.commands.planning import Scope
    from aamic.deploy.observe import Asking, Seen

EXIT_UNREACHABLE = 1
EXIT_DIFFERENT = 16


def status(
    site: SitePath = DEFAULT_SITE,
    limit: LimitTo = "",
    *,
    host_root: HostRoot = None,
    parallel: Parallel = None,
    json: Json = False,
) -> None:
    """Show which hosts are in sync, behind, drifted or unreachable, and what was last applied. Nothing is changed."""
    from aamic.commands import planning
    from aamic.commands.applying import width
    from aamic.commands.transport import opened
    from aamic.compile.hostlist import fold
    from aamic.deploy.diff import Policy
    from aamic.deploy.observe import Asking
    from aamic.deploy.planner import make_plan
    from aamic.deploy.status import statuses
    from aamic.views import status as view

    whole = compiled(site)
    scope = planning.scope(whole, planning.Wish(limit))
    with opened(whole.fleet, site, host_root) as hosts:
        asking = Asking(whole.fleet.ssh.command_timeout, parallel or whole.fleet.ssh.max_parallel)
        seen, at = _look(scope, hosts, asking)
    plan = make_plan(planning.basis(whole, site, scope.wish), scope.desired, seen, Policy(bundle=scope.bundle))
    found = statuses(plan, seen, at)
    if json:
        print_json(view.to_json(found))
    else:
        typer.echo(view.text(found, fold, width=width()), nl=False)
    states = {each.state for each in found}
    if "unreachable" in states:
        raise typer.Exit(EXIT_UNREACHABLE)
    if states - {"in sync"}:
        raise typer.Exit(EXIT_DIFFERENT)


def _look(scope: Scope, hosts: Hosts, asking: Asking) -> tuple[dict[str, Seen], dict[str, float]]:
    """What is seen of each host, and when its answer was there."""
    from aamic.commands.progress import progress
    from aamic.deploy.observe import observe

    at: dict[str, float] = {}
    with progress("looking at hosts", len(scope.desired)) as tick:

        def note(host: str, seen: Seen) -> None:
            at[host] = time.time()
            tick(host, seen)

        return observe(hosts, scope.desired, asking, note), at
