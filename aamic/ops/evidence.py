"""What the servers of a site have stored of one node: asked of the servers that scrape it, both of a pair."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import isnan
from typing import Final

from aamic.catalog import gpuerrors
from aamic.clients.base import History, Track
from aamic.errors import OutsideError
from aamic.model.analysis import Window
from aamic.model.fleet import Fleet, GpuProbe, Server
from aamic.model.quantities import duration_seconds
from aamic.ops import selectors
from aamic.ops.selectors import CodeSource

NEIGHBOURS: Final = 3
"""Scrape intervals that may lie between two samples of a series that is not interrupted; our policy."""
EXPORTER_LAG: Final = 30.0
"""Seconds by which an exporter may know of an event later: AMD's reads codes every 30 s."""
LOOK_BACK: Final = 900.0
"""Seconds before a window that are read as well, to see what was there already."""

Open = Callable[[str], History]
"""From the URL of a server to the server."""


@dataclass(frozen=True, slots=True)
class Codes:
    """The raw tracks of one metric of error codes, and how its labels read."""

    source: CodeSource
    tracks: Sequence[Track]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is stored of one node between `start` and `end`: the exporter's `up`, neutral series, raw codes.

    `faults` say why nothing is known at all; `cut` until when data are too old to be kept. `step` is the scrape
    interval in seconds. `url` is who answered, `notes` are told besides.
    """

    node: str
    vendor: str
    start: float
    end: float
    step: float
    url: str = ""
    up: Sequence[Track] = ()
    records: Sequence[Track] = ()
    codes: Sequence[Codes] = ()
    blind: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    cut: float | None = None
    cut_why: str = ""

    @property
    def slack(self) -> float:
        """How far apart two samples may be and still be neighbours, in seconds."""
        return NEIGHBOURS * self.step

    def window(self, start: float, end: float) -> Window:
        """A window over this evidence."""
        return Window(start, end, 2 * self.step + EXPORTER_LAG, self.slack)

    def good(self) -> list[float]:
        """When the exporter answered, in order."""
        return sorted({at for track in self.up for at, value in track.samples if value == 1})

    def bad(self) -> list[float]:
        """When it did not."""
        return sorted({at for track in self.up for at, value in track.samples if value != 1 and not isnan(value)})


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is the same for each server that is asked about a node."""

    fleet: Fleet
    node: str
    probe: GpuProbe
    job: str
    start: float
    end: float
    blind: tuple[str, ...]


def url_of(fleet: Fleet, server: Server) -> str:
    """The URL of a server of the site."""
    return f"http://{fleet.address(server.host, server.port)}"


def holders(fleet: Fleet, node: str) -> tuple[Server, ...]:
    """The servers that scrape a node; both of a pair."""
    return tuple(server for server in fleet.servers if node in server.nodes)


def read(fleet: Fleet, node: str, span: tuple[float, float], now: float, open_: Open) -> Evidence:
    """What the servers that scrape a node have stored of it in a span, and a while before.

    Of a pair the server that saw the exporter more often is taken: two that are asked at different moments cannot be
    mixed. Whatever fails is a fault of the evidence, named with its URL, never an exception.
    """
    start, end = span[0] - LOOK_BACK, min(span[1] + LOOK_BACK, now)
    blank = Evidence(node, "", start, end, duration_seconds("15s"))
    if node not in fleet.nodes:
        return replace(blank, faults=("the node is not in this site",))
    probe = selectors.probe_of(fleet, node)
    if probe is None:
        return replace(blank, faults=(_without_probe(fleet, node),))
    endpoint = selectors.endpoint_of(fleet, probe, node)
    servers = holders(fleet, node)
    if endpoint is None or not servers:
        return replace(blank, faults=("no server of this site scrapes the exporter of its GPUs",))
    emitted = {metric.name for metric in endpoint.metrics}
    blind = _blind(probe, emitted)
    asked = _Asked(fleet, node, probe, endpoint.job, start, end, blind)
    return _best([_asked(asked, server, now, open_) for server in servers])


def has_no_gpus(fleet: Fleet, node: str) -> bool:
    """Whether the site has the node, and gives it no GPUs."""
    return node in fleet.nodes and fleet.nodes[node].gpu is None


def _without_probe(fleet: Fleet, node: str) -> str:
    if fleet.nodes[node].gpu is None:
        return "the site gives the node no GPUs"
    return "no exporter of its GPUs runs in this site"


def _blind(probe: GpuProbe, emitted: set[str]) -> tuple[str, ...]:
    """What cannot be seen because the exporter is not asked for it."""
    wanted = {source.metric for source in selectors.code_sources(probe)}
    kind = gpuerrors.kind(probe.vendor)
    return () if wanted & emitted else (f"the exporter is not asked for {kind}s",)


def _best(found: Sequence[Evidence]) -> Evidence:
    """The one that saw most; what the others failed with becomes a note of it."""
    best = max(found, key=lambda each: (not each.faults, len(each.good())))
    others = tuple(fault for each in found if each is not best for fault in each.faults)
    if best.faults:
        return replace(best, faults=(*best.faults, *others))
    return replace(best, notes=(*best.notes, *(f"{fault} (its replica was asked)" for fault in others)))


def _asked(asked: _Asked, server: Server, now: float, open_: Open) -> Evidence:
    """What one server says."""
    url = url_of(asked.fleet, server)
    step = duration_seconds(server.scrape_interval)
    kept = now - duration_seconds(server.retention)
    cut = kept if kept > asked.start else None
    base = Evidence(asked.node, asked.probe.vendor, asked.start, asked.end, step, url, blind=asked.blind)
    try:
        history = open_(url)
        up = history.tracks(selectors.up(asked.fleet, asked.node, asked.job), asked.start, asked.end)
        records = history.tracks(selectors.records(asked.fleet, asked.node), asked.start, asked.end)
        codes = tuple(_codes(asked, history))
    except OutsideError as error:
        return replace(base, faults=(f"Prometheus cannot be asked: {error}",))
    cut_why = f"{server.name} keeps {server.retention}"
    return replace(base, up=up, records=records, codes=codes, cut=cut, cut_why=cut_why)


def _codes(asked: _Asked, history: History) -> Iterator[Codes]:
    for source in selectors.code_sources(asked.probe):
        yield Codes(source, history.tracks(selectors.codes(asked.fleet, asked.node, source), asked.start, asked.end))
