"""`aamic federation rebalance`: what a better distribution would move, and whether that is worth it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from aamic.commands.applying import Yes
from aamic.commands.editing import About, DryRun, PlanWanted, Way, carry_out, propose, tried
from aamic.commands.federation_enable import LOOKS_BACK, By, Shards
from aamic.commands.options import DEFAULT_SITE, Json, SitePath, print_json, warn
from aamic.commands.transport import HostRoot
from aamic.errors import InputError, OutsideError, Problem

if TYPE_CHECKING:
    from pathlib import Path

    from aamic.compile.compiler import Checked
    from aamic.compile.edit import Sources
    from aamic.compile.parse import Document
    from aamic.model.fleet import Fleet, Server
    from aamic.model.rebalance import Balance, Candidate

_TIMEOUT: Final = 5.0

Only = Annotated[By | None, typer.Option("--by", help="Look at this way alone; at all three if not given.")]
Write = Annotated[bool, typer.Option("--write", help="Edit the site to say what is proposed; asks first.")]
Live = Annotated[bool, typer.Option("--live", help="Ask each shard how many series it has in memory.")]


def rebalance(  # noqa: PLR0913  # one argument for each option
    site: SitePath = DEFAULT_SITE,
    *,
    by: Only = None,
    shards: Shards = None,
    live: Live = False,
    write: Write = False,
    plan: PlanWanted = True,
    host_root: HostRoot = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Compare how nodes are spread with how they could be; `--write` edits the site. Nothing is applied."""
    from aamic.ops.rebalance import POLICY, WAYS, best, needs, policy
    from aamic.views.balance import Comparison, text, to_json

    way = Way(plan, host_root, yes, dry_run, json)
    document, before = _read(site, shards)
    present = _present(before.fleet, live=live)
    wanted = by.value if by else None
    ways = (wanted,) if wanted else WAYS
    candidates = tuple(_candidate(site, document, before, present, each, shards) for each in ways)
    chosen = best(candidates, _own(before), by=wanted, shards=shards)
    found = Comparison(present, candidates, needs(present), POLICY, policy(), chosen)
    if (write or dry_run) and chosen is not None:
        _carry_out(chosen, shards, site, way, About(shown=text(found), values=to_json(found)))
    elif json:
        print_json({"version": 1, **to_json(found)})
    else:
        typer.echo(text(found))


def _read(site: Path, shards: int | None) -> tuple[Document, Checked]:
    """The site as it is. Raises InputError where it has nothing to rebalance."""
    from aamic.commands.federation_shards import shard_names
    from aamic.compile.compiler import check_document, shipped_catalog
    from aamic.compile.parse import load

    document = load(site)
    before = check_document(document, shipped_catalog())
    warn(before.warnings)
    shard_names(before.fleet)
    spec = before.site.federation
    if spec is not None and isinstance(spec.shards, list) and shards is not None:
        hint = "`aamic federation enable --shards NUMBER --replace` gives up the list for a number"
        raise InputError([Problem("`--shards` has no meaning here: this site lists its shards", hint=hint)])
    return document, before


def _own(before: Checked) -> str:
    """By what the site places its nodes."""
    return before.site.federation.by if before.site.federation else ""


def _redistributed(before: Checked, files: Sources, by: str, shards: int | None) -> Sources:
    from aamic.ops.federationedit import redistribute

    return redistribute(before.site, before.fleet, files, by, shards)


def _candidate(  # noqa: PLR0913, PLR0917  # the site in three forms, and what is wanted of it
    site: Path, document: Document, before: Checked, present: Balance, by: str, shards: int | None
) -> Candidate:
    """What the site would be with another distribution: it is compiled, so what is shown is what would be."""
    from aamic.model.rebalance import Candidate
    from aamic.ops.moves import transition
    from aamic.ops.rebalance import balance_of, carried, judge

    try:
        then = tried(site, document, lambda files: _redistributed(before, files, by, shards))
    except InputError as error:
        first = next(each for each in error.problems if each.severity == "error")
        return Candidate(by, shards or len(present.series), fault=first.message)
    moved = carried(before.fleet, then.fleet, present.measured)
    balance, change = balance_of(then.fleet, moved), transition(before.fleet, then.fleet)
    return Candidate(by, len(balance.series), balance, change, judge(present, balance, change))


def _carry_out(chosen: Candidate, shards: int | None, site: Path, way: Way, about: About) -> None:
    from aamic.compile.hostlist import fold
    from aamic.views.federation import transition_text

    proposal = propose(site, lambda checked, files: _redistributed(checked, files, chosen.by, shards))
    moved = transition_text(chosen.transition, fold) if chosen.transition else ""
    carry_out(proposal, site, way, About(f"{about.shown}\n{moved}", (LOOKS_BACK,), values=about.values))


# What shards have in memory


def _present(fleet: Fleet, *, live: bool) -> Balance:
    from aamic.ops.rebalance import balance_of

    return balance_of(fleet, _measured(fleet) if live else None)


def _measured(fleet: Fleet) -> dict[str, int | None]:
    """The series in memory of each shard, the larger number of a pair; None where no server of it says."""
    from aamic.commands.federation_status import AT_ONCE
    from aamic.commands.progress import progress
    from aamic.deploy.fanout import fan_out

    servers = {each.title: each for each in fleet.servers if each.role == "shard"}
    with progress("asking shards", len(servers)) as tick:
        found = fan_out(tuple(servers), lambda key: _head(fleet, servers[key]), AT_ONCE, tick)
    measured: dict[str, int | None] = {each.name: None for each in servers.values()}
    for key, each in servers.items():
        count = found[key]
        if isinstance(count, int):
            measured[each.name] = max(count, measured[each.name] or 0)
    return measured


def _head(fleet: Fleet, server: Server) -> int | None:
    """What a server says, or None with the reason on standard error."""
    from aamic.clients.prometheus import Prometheus
    from aamic.views.terminal import safe

    try:
        return Prometheus(f"http://{fleet.address(server.host, server.port)}", _TIMEOUT).series()
    except OutsideError as error:
        typer.echo(safe(f"warning: {server.title} on {server.host}: {error}"), err=True)
        return None
