"""`aamic federation enable` and `disable`: one server or several, as an edit of the site and its plan."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import typer

from aamic.commands.applying import Yes
from aamic.commands.editing import About, DryRun, PlanWanted, Way, carry_out, propose
from aamic.commands.options import DEFAULT_SITE, Json, SitePath
from aamic.commands.transport import HostRoot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aamic.commands.editing import Proposal
    from aamic.model.fleet import Fleet, Server
    from aamic.model.rebalance import Transition

LOOKS_BACK: Final = "rules and dashboards that look back see of a moved node what its new server has since the change"
"""What is told of every edit that moves nodes."""
SMALL: Final = 100
"""Policy: below so many nodes one server is nearly always enough."""


class By(StrEnum):
    """How nodes are placed."""

    auto = "auto"
    rack = "rack"
    number = "count"


Shards = Annotated[
    int | None, typer.Option("--shards", min=1, max=1000, help="How many shards; as the site says if not given.")
]
Placed = Annotated[By | None, typer.Option("--by", help="Keep racks whole, or balance series (auto) or nodes (count).")]
Central = Annotated[
    str | None,
    typer.Option("--central", metavar="NODE", help="Host of the central server; as the site says if not given."),
]
ShardNodes = Annotated[
    str | None, typer.Option("--shard-nodes", metavar="HOSTS", help="Hosts of the shards: a host list.")
]
Replicas = Annotated[int | None, typer.Option("--replicas", min=1, max=2, help="2 makes each shard an HA pair.")]
Replace = Annotated[bool, typer.Option("--replace", help="Give up the site's own list of shards for a number.")]


def enable(  # noqa: PLR0913  # one argument for each option
    site: SitePath = DEFAULT_SITE,
    *,
    shards: Shards = None,
    by: Placed = None,
    central: Central = None,
    shard_nodes: ShardNodes = None,
    replicas: Replicas = None,
    replace: Replace = False,
    plan: PlanWanted = True,
    host_root: HostRoot = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Let site.yaml spread the nodes over shards, show what moves, then the plan. Nothing is applied."""
    from aamic.ops import federationedit
    from aamic.ops.federationedit import Wish

    if replace and shards is None:
        raise typer.BadParameter("a list is given up for a number: add `--shards`", param_hint="--replace")
    for word, value in (("--central", central), ("--shard-nodes", shard_nodes)):
        if value is not None and not value.strip():
            raise typer.BadParameter("no node is named", param_hint=word)
    way = Way(plan, host_root, yes, dry_run, json)
    wish = Wish(shards, by.value if by else None, central, shard_nodes, replicas, replace)
    proposal = propose(site, lambda checked, files: federationedit.enable(checked.site, files, wish))
    carry_out(proposal, site, way, _about(proposal, _small(proposal)))


def disable(  # noqa: PLR0913  # one argument for each option
    site: SitePath = DEFAULT_SITE,
    *,
    plan: PlanWanted = True,
    host_root: HostRoot = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Let site.yaml have one server again, show what it must carry, then the plan. Nothing is applied."""
    from aamic.ops import federationedit

    way = Way(plan, host_root, yes, dry_run, json)
    proposal = propose(site, lambda checked, files: federationedit.disable(checked.site, files))
    carry_out(proposal, site, way, _about(proposal, ()))


def _about(proposal: Proposal, small: tuple[str, ...]) -> About:
    """What becomes of servers, nodes, history and rules."""
    from aamic.compile.hostlist import fold
    from aamic.ops.moves import transition
    from aamic.views.federation import transition_json, transition_text
    from aamic.views.shards import table, to_json

    fleet = proposal.compiled.fleet
    change = transition(proposal.before.fleet, fleet)
    notes = tuple(_notes(proposal.before.fleet, fleet, change))
    question = f"Spread {len(fleet.nodes):,} nodes over shards all the same?" if small else ""
    moved = (transition_text(change, fold),) if proposal.files else ()
    values = {"servers": to_json(fleet), **transition_json(change), "advice": [line.strip() for line in small]}
    return About("\n".join((*small, table(fleet), *moved)), notes, question, values)


def _small(proposal: Proposal) -> tuple[str, ...]:
    """Why a small site is better off with the one server that it has; empty where that does not hold."""
    before = proposal.before.fleet
    if before.federation is not None or len(before.nodes) >= SMALL:
        return ()
    server = before.servers[0]
    memory = before.nodes[server.host].memory
    return (
        f"federation costs more than it gives below {SMALL} nodes, and this site has {len(before.nodes):,}",
        _carries(server, memory),
        "  several are more to watch, and central shows only aggregates, as late as its interval",
    )


def _carries(server: Server, memory: int | None) -> str:
    """What the one server has to carry, and what it could."""
    from aamic.compile.capacity import NEAR, holds
    from aamic.views.shards import of_total

    need = f"{server.load.series:,} series in {of_total(server.load.memory, memory)} of RAM"
    could = f"; {holds(memory * NEAR):,} would fit" if memory else ""
    return f"  the one server on {server.host} is predicted to carry {need}{could}"


def _notes(before: Fleet, after: Fleet, change: Transition) -> Iterator[str]:
    """What else is worth a word."""
    from aamic.ops.moves import alerts_that_change

    if after.federation is None and before.federation is not None:
        yield _takes_over(after.servers[0], after)
    old, new = _top(before), _top(after)
    if old != new:
        yield f"who asked `{old}` for all nodes, such as dashboards, finds them at `{new}`"
    hosts = {server.host for server in after.servers if server.role == "shard"}
    count = len({server.name for server in after.servers if server.role == "shard"})
    if count > 1 and len(hosts) == 1:
        yield f"all shards run on `{next(iter(hosts))}`; `--shard-nodes` spreads them"
    come, go = alerts_that_change(before, after)
    if come:
        yield f"alerts that come: {', '.join(come)}"
    if go:
        yield f"alerts that go: {', '.join(go)}"
    if change.nodes:
        yield LOOKS_BACK


def _top(fleet: Fleet) -> str:
    """Where the server listens that sees all nodes: central, or the single one."""
    server = next(server for server in fleet.servers if server.role != "shard")
    return f"{server.host}:{server.port}"


def _takes_over(single: Server, after: Fleet) -> str:
    from aamic.views.shards import of_total

    node, load = after.nodes[single.host], single.load
    rules = sum(len(group.rules) for group in after.rules)
    return (
        f"`{single.name}` on `{single.host}` takes over: {load.series:,} series are predicted, "
        f"{of_total(load.memory, node.memory)} of RAM and {of_total(load.disk, node.disk)} of disk; "
        f"it evaluates the rules of shards and of central, {rules:,} together"
    )
