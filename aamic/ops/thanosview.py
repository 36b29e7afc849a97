"""How a site is asked through Thanos Query: where that is, and what one shard alone is asked for."""

from __future__ import annotations

from aamic.model.fleet import Fleet
from aamic.model.thanos import CENTRAL_REPLICA
from aamic.ops.selectors import quoted


def query_urls(fleet: Fleet) -> tuple[str, ...]:
    """The URLs of Thanos Query; none where the site has no Thanos."""
    queries = fleet.thanos.of("query") if fleet.thanos else ()
    return tuple(f"http://{fleet.address(each.host, each.http_port)}" for each in queries)


def only_shard(fleet: Fleet, name: str) -> str:
    """Matchers by which Query asks one shard alone; the shard's own servers answer the same with them.

    So an answer is whole while that shard is there, whichever else is not, and nothing of it is central's copy, which
    is older. Empty where the site has no Thanos.
    """
    if fleet.thanos is None:
        return ""
    # Series have neither label in the servers themselves, where the empty value matches.
    shard = quoted(name.replace(".", r"\.") + "|")
    return f"shard=~{shard},replica!={quoted(CENTRAL_REPLICA)}"
