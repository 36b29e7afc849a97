"""`aamic health`: how well GPUs, nodes, racks and the cluster are, by what Prometheus stored."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING, Annotated, Final

import typer

from aamic.commands.options import DEFAULT_SITE, Json, SitePath, checked
from aamic.errors import HostError, InputError, OutsideError, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aamic.clients.base import History
    from aamic.model.fleet import Fleet, Server
    from aamic.model.health import Health
    from aamic.ops.health import Keeper, Looked

EXIT_DIFFERENT: Final = 16
_PARALLEL: Final = 8
_TIMEOUT: Final = 120.0
_READY: Final = 5.0
_MISSED: Final = 3
"""Scrapes, or evaluations, that a series may miss before it is taken to have ended; our policy."""

Node = Annotated[str, typer.Argument(metavar="[NODE]", help="A node, or a Slurm host list; every node if not given.")]
Url = Annotated[
    str | None,
    typer.Option("--prometheus", metavar="URL", help="Ask this server alone, such as one behind a tunnel."),
]
Detailed = Annotated[
    bool, typer.Option("--detailed", help="Everything that was looked at, with its value, bounds and meaning.")
]
Exit = Annotated[bool, typer.Option("--exit-code", help="Exit 16 unless every node is ok.")]


def health(  # noqa: PLR0913  # one argument for each option
    node: Node = "",
    site: SitePath = DEFAULT_SITE,
    *,
    prometheus: Url = None,
    detailed: Detailed = False,
    exit_code: Exit = False,
    json: Json = False,
) -> None:
    """Score every GPU, node and rack, and say what is wrong; what is not known is never called good."""
    from aamic.ops.healthdocument import document

    if prometheus is not None and not prometheus.startswith(("http://", "https://")):
        raise typer.BadParameter("write a URL such as `http://mon-01:9090`", param_hint="--prometheus")
    fleet = checked(site).fleet
    found = _found(fleet, _wanted(fleet, node), prometheus, detailed=detailed)
    if json:
        _print(document(found))
    else:
        _tell(found, named=bool(node), detailed=detailed)
    if not found.answered:
        raise typer.Exit(1)
    if exit_code and found.whole.verdict != "ok":
        raise typer.Exit(EXIT_DIFFERENT)


def _print(document: object) -> None:
    import orjson

    sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n")


def _tell(found: Health, *, named: bool, detailed: bool) -> None:
    from aamic.compile.hostlist import fold
    from aamic.views.health import Paper, text

    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    paper = Paper(shutil.get_terminal_size((80, 24)).columns, colour=colour)
    typer.echo(text(found, fold, paper, named=named, detailed=detailed), nl=False, color=colour or None)


def _wanted(fleet: Fleet, text: str) -> Sequence[str]:
    """The nodes of a host list, or all; InputError where the site does not have one."""
    from aamic.ops.nodenames import known_nodes

    names = known_nodes(fleet, text, _not_in_site) if text else tuple(fleet.nodes)
    if all(fleet.nodes[name].gpu is None for name in names):
        whose = "no node of this site has" if not text else "none of these nodes has"
        raise InputError([Problem(f"{whose} GPUs", hint="give nodes a `gpu:` in the site, such as "
                                  "`gpu: {vendor: nvidia, model: H100, count: 8}`")])  # fmt: skip
    return names


def _not_in_site(name: str, near: str | None) -> Problem:
    hint = f"did you mean `{near}`?" if near else "name one of the site's `nodes` or `racks`"
    return Problem(f"the site has no node `{name}`", hint=hint)


def _found(fleet: Fleet, names: Sequence[str], url: str | None, *, detailed: bool) -> Health:
    """What all servers say together; those that do not answer cost no more than their nodes."""
    from aamic.commands.progress import progress
    from aamic.deploy.fanout import fan_out
    from aamic.model.health import Health
    from aamic.ops.health import look, nothing

    with_gpus = [name for name in names if fleet.nodes[name].gpu is not None]
    keepers = {each.name: each for each in _keepers(fleet, with_gpus, url)}

    def work(name: str) -> Looked:
        return look(fleet, keepers[name], with_gpus, detailed=detailed)

    with progress("asking", len(keepers)) as tick:
        done = fan_out(tuple(keepers), work, _PARALLEL, tick)
    looked = [each for each in done.values() if not isinstance(each, HostError)]
    known = {name: each for one in looked for name, each in one.nodes.items()}
    return Health(
        cluster=fleet.cluster,
        at=time.time(),
        nodes=tuple(known.get(name) or nothing(fleet.nodes[name], "no server scrapes it") for name in with_gpus),
        without=tuple(name for name in names if fleet.nodes[name].gpu is None),
        silences=tuple(silence for one in looked for silence in one.silences),
        answered=any(one.answered for one in looked),
    )


def _keepers(fleet: Fleet, names: Sequence[str], url: str | None) -> list[Keeper]:
    """Thanos Query and the servers that scrape these nodes, those of a pair together; or the server that is named."""
    from aamic.ops.health import Keeper
    from aamic.ops.thanosview import only_shard

    if url is not None:
        federated = [each.scrape_interval for each in fleet.servers if each.role == "central"]
        return [Keeper(url, tuple(names), (partial(_opened, url),), _lookback(fleet, fleet.servers, federated))]
    pairs: dict[str, list[Server]] = {}
    wanted = frozenset(names)
    for server in fleet.servers:
        if server.role != "central" and not wanted.isdisjoint(server.nodes):
            pairs.setdefault(server.name, []).append(server)
    return [
        Keeper(name, pair[0].nodes, _openers(fleet, pair), _lookback(fleet, pair), only_shard(fleet, name))
        for name, pair in pairs.items()
    ]


def _lookback(fleet: Fleet, servers: Sequence[Server], more: Sequence[str] = ()) -> float:
    """Seconds for which a sample counts."""
    from aamic.model.quantities import duration_seconds

    own = [interval for each in servers for interval in (each.scrape_interval, each.evaluation_interval)]
    federation = [fleet.federation.interval] if more and fleet.federation else []
    return _MISSED * max(map(duration_seconds, (*own, *more, *federation)), default=15.0)


def _openers(fleet: Fleet, pair: Sequence[Server]) -> tuple[Callable[[], History], ...]:
    """Query first, as it has what both of a pair have; the pair itself where Query is silent, or answers in part."""
    from aamic.ops.evidence import url_of
    from aamic.ops.thanosview import query_urls

    urls = (*query_urls(fleet), *(url_of(fleet, each) for each in pair))
    return tuple(partial(_opened, url) for url in urls)


def _opened(url: str) -> History:
    """A server that is ready; OutsideError, at once the second time, where it is not."""
    found = _reached(url)
    if isinstance(found, OutsideError):
        raise type(found)(str(found), found.hint)
    return found


@cache
def _reached(url: str) -> History | OutsideError:
    from aamic.clients.prometheus import Prometheus

    try:
        Prometheus(url, _READY).ready()
    except OutsideError as error:
        return error
    return Prometheus(url, _TIMEOUT)
