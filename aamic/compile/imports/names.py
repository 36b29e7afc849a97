"""Which sightings are of one node: names, their long forms, and addresses."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from aamic.compile.addresses import is_ip, value
from aamic.compile.hostlist import fold
from aamic.compile.imports.sighting import WEAK, Reading, Sighting
from aamic.compile.text import shown

NODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,252}")
_LONGEST: Final = 400
_LOCAL: Final = re.compile(r"localhost(\..*)?|127\..*|::1|ip6-localhost", re.IGNORECASE)


def is_local(host: str) -> bool:
    """Whether a host is the one that asks.

    >>> is_local("127.0.0.1"), is_local("localhost"), is_local("10.0.0.1")
    (True, True, False)
    """
    return _LOCAL.fullmatch(host) is not None


def hosts(names: Iterable[str]) -> str:
    """Names as a sentence has them: folded, in backticks, cut where they are very many."""
    return shown(fold(names), _LONGEST)


def nodes(count: int) -> str:
    """Such as `1 node`."""
    return f"{count:,} {'node' if count == 1 else 'nodes'}"


def with_names(reading: Reading) -> tuple[dict[str, list[Sighting]], list[str]]:
    """The sightings of each node, and what had to be guessed for that."""
    notes: list[str] = []
    sightings = list(_shortened(reading.sightings, notes))
    by_address = _by_address(sightings)
    found: defaultdict[str, list[Sighting]] = defaultdict(list)
    unnamed: set[str] = set()
    unfit: set[str] = set()
    for sighting in sightings:
        name = sighting.name or by_address.get(value(str(sighting.facts["address"])))
        if name is None:
            name = str(sighting.facts["address"]).replace(":", "-").strip("-")
            unnamed.add(name)
        if NODE.fullmatch(name):
            found[name].append(sighting)
        else:
            unfit.add(name)
    if unnamed:
        notes.append(f"no source names the hosts at {hosts(unnamed)}: they are called by their addresses")
    notes += [f"{shown(name)} is left out: it cannot be the name of a node" for name in unfit]
    return dict(found), notes


def _shortened(sightings: Iterable[Sighting], notes: list[str]) -> Iterator[Sighting]:
    """Sightings of `gpu-01.example.com` as `gpu-01`, where a source has a node of this name."""
    all_of = list(sightings)
    names = {each.name for each in all_of if each.name is not None}
    longer: defaultdict[str, set[str]] = defaultdict(set)
    for name in names:
        short = name.partition(".")[0]
        if short != name and short in names and not is_ip(name):
            longer[short].add(name)
    short_of = {long.pop(): short for short, long in longer.items() if len(long) == 1}
    if short_of:
        verb = "is" if len(short_of) == 1 else "are"
        notes.append(f"{hosts(short_of)} {verb} taken for {hosts(short_of.values())}")
    for each in all_of:
        if each.name is not None and each.name in short_of:
            yield replace(each, name=short_of[each.name], facts={f"{WEAK}address": each.name, **each.facts})
        else:
            yield each


def _by_address(sightings: Iterable[Sighting]) -> dict[str, str]:
    """Names by address, where only one node has it."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for each in sightings:
        if each.name is not None and "address" in each.facts:
            found[value(str(each.facts["address"]))].add(each.name)
    return {address: names.pop() for address, names in found.items() if len(names) == 1}
