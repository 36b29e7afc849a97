"""`aamic federation status`: how the Prometheus servers of a site stand, asked of each of them."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final

import typer

from aamic.commands.options import DEFAULT_SITE, Json, SitePath, checked, columns, print_json, span
from aamic.errors import HostError, InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aamic.clients.instance import Instance
    from aamic.model.federation import Expected, FederationStatus, Observed

EXIT_DIFFERENT: Final = 16
AT_ONCE: Final = 400
"""Servers that are asked at once: as many as there are nearly everywhere, and connections that any shell allows."""

Shards = Annotated[
    list[str] | None,
    typer.Argument(metavar="SHARD", help="Shards, `central`, or one server such as `shard-1/a`; all if not given."),
]
Exit = Annotated[bool, typer.Option("--exit-code", help="Exit 16 unless every server is ok.")]
Timeout = Annotated[
    str, typer.Option("--timeout", metavar="TIME", help="How long each server may take for everything.")
]


def federation_status(
    shard: Shards = None,
    site: SitePath = DEFAULT_SITE,
    *,
    timeout: Timeout = "10s",
    exit_code: Exit = False,
    json: Json = False,
) -> None:
    """Ask every Prometheus server how it stands, and central what it has of the shards; nothing is changed."""
    from aamic.ops.federationwanted import expected_servers
    from aamic.views.federation_document import to_json
    from aamic.views.federation_status import text

    seconds = span(timeout, "--timeout")
    fleet = checked(site).fleet
    expected = expected_servers(fleet)
    names = _wanted(expected, shard or ())
    found = _found(fleet.cluster, expected, names, seconds)
    if json:
        print_json(to_json(found))
    else:
        typer.echo(text(found, width=columns(), jobs=bool(shard)), nl=False)
    if not found.answered:
        raise typer.Exit(1)
    if exit_code and found.state != "ok":
        raise typer.Exit(EXIT_DIFFERENT)


def _wanted(expected: Sequence[Expected], words: Iterable[str]) -> tuple[str, ...]:
    """The servers that these words mean; InputError where the site does not have one."""
    from difflib import get_close_matches

    known: dict[str, list[str]] = {}
    for each in expected:
        for word in {each.name, each.name.partition("/")[0]}:
            known.setdefault(word, []).append(each.name)
    problems = []
    for word in words:
        if word not in known:
            near = get_close_matches(word, known, 1)
            hint = (
                f"did you mean `{near[0]}`?" if near else f"it has {', '.join(f'`{each}`' for each in list(known)[:9])}"
            )
            problems.append(Problem(f"the site has no Prometheus server `{word}`", hint=hint))
    if problems:
        raise InputError(problems)
    return tuple(dict.fromkeys(name for word in words for name in known[word]))


def _found(cluster: str, expected: Sequence[Expected], names: Sequence[str], seconds: float) -> FederationStatus:
    """What the named servers say, or all; central is asked in any case, as it tells of the shards."""
    from aamic.commands.progress import progress
    from aamic.deploy.fanout import fan_out
    from aamic.ops.federation import judge
    from aamic.ops.federationlook import look

    asked = {each.name: each for each in expected if not names or each.name in names or each.role == "central"}

    def work(name: str) -> Observed:
        return look(partial(_opened, asked[name].address), asked[name], cluster, seconds)

    with progress("asking", len(asked)) as tick:
        done = fan_out(tuple(asked), work, AT_ONCE, tick)
    observed = {name: each for name, each in done.items() if not isinstance(each, HostError)}
    return judge(cluster, time.time(), tuple(asked.values()), observed, names)


def _opened(address: str, seconds: float) -> Instance:
    from aamic.clients.instance import Instance

    return Instance(f"http://{address}", seconds)
