"""What the servers of a site have stored of one node: asked of the servers that scrape it, both of a pair."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, isnan
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
_MARGIN: Final = 300.0
"""Seconds before a piece of time that are read again, so that what happens at its start has a sample before."""
_PIECE: Final = 6 * 3600.0
"""Seconds that are read at once; a healthy node with 8 GPUs then answers with some 12,000 samples."""
LOOK_BACK: Final = 900.0
"""Seconds around a window that are read as well, to see what was there already, and what comes late."""

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

    Of neutral series those are left out of which nothing is to be told; `recorded` are spans in which there were any.
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
    recorded: Sequence[tuple[float, float]] = ()
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

    def clipped(self, start: float, end: float) -> Evidence:
        """What there is between two times, with the last sample of each series before."""
        return replace(
            self,
            start=max(self.start, start),
            end=min(self.end, end),
            up=_clipped(self.up, start, end),
            records=_clipped(self.records, start, end),
            codes=tuple(replace(each, tracks=_clipped(each.tracks, start, end)) for each in self.codes),
        )

    def good(self) -> list[float]:
        """When the exporter answered, in order."""
        return sorted({at for track in self.up for at, value in track.samples if value == 1})

    def bad(self) -> list[float]:
        """When it did not."""
        return sorted({at for track in self.up for at, value in track.samples if value != 1 and not isnan(value)})


@dataclass(frozen=True, slots=True)
class Ask:
    """Whom is asked: a site, how its servers are reached, and what time it is, in seconds since 1970."""

    fleet: Fleet
    now: float
    open_: Open


@dataclass(frozen=True, slots=True)
class _Wanted:
    """How the GPUs of a node are read, under which job, and from where on heat counts."""

    probe: GpuProbe
    job: str
    limits: Mapping[str, float]


def url_of(fleet: Fleet, server: Server) -> str:
    """The URL of a server of the site."""
    return f"http://{fleet.address(server.host, server.port)}"


def holders(fleet: Fleet, node: str) -> tuple[Server, ...]:
    """The servers that scrape a node; both of a pair."""
    return tuple(server for server in fleet.servers if node in server.nodes)


def read(ask: Ask, node: str, span: tuple[float, float], limits: Mapping[str, float]) -> Evidence:
    """What the servers that scrape a node have stored of it in a span, and a while around it.

    Of a pair the server that saw the exporter more often is taken: two that are asked at different moments cannot be
    mixed. Whatever fails is a fault of the evidence, named with its URL, never an exception. `limits` are degrees from
    which on heat counts, by neutral name; records of which nothing is to be told are left out.
    """
    fleet = ask.fleet
    start, end = span[0] - LOOK_BACK, min(span[1] + LOOK_BACK, ask.now)
    blank = Evidence(node, "", start, end, step_of(fleet, node))
    if node not in fleet.nodes:
        return replace(blank, faults=("the node is not in this site",))
    probe = selectors.probe_of(fleet, node)
    if probe is None:
        return replace(blank, faults=(_without_probe(fleet, node),))
    endpoint = selectors.endpoint_of(fleet, probe, node)
    servers = holders(fleet, node)
    if endpoint is None or not servers:
        return replace(blank, faults=("no server of this site scrapes the exporter of its GPUs",))
    base = replace(blank, vendor=probe.vendor, blind=_blind(probe, {metric.name for metric in endpoint.metrics}))
    wanted = _Wanted(probe, endpoint.job, limits)
    return _best([_asked(ask, server, base, wanted) for server in servers])


def step_of(fleet: Fleet, node: str) -> float:
    """How often a node is scraped, in seconds."""
    return max((duration_seconds(server.scrape_interval) for server in holders(fleet, node)), default=15.0)


def has_no_gpus(fleet: Fleet, node: str) -> bool:
    """Whether the site has the node, and gives it no GPUs."""
    return node in fleet.nodes and fleet.nodes[node].gpu is None


def _without_probe(fleet: Fleet, node: str) -> str:
    if has_no_gpus(fleet, node):
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


def _asked(ask: Ask, server: Server, base: Evidence, wanted: _Wanted) -> Evidence:
    """What one server says, a piece of time after another, so that little is held at once."""
    url = url_of(ask.fleet, server)
    kept = ask.now - duration_seconds(server.retention)
    cut_why = f"{server.name} keeps {server.retention}"
    base = replace(base, url=url, cut=kept if kept > base.start else None, cut_why=cut_why)
    try:
        history = ask.open_(url)
        found = [_piece(ask.fleet, history, piece, wanted) for piece in _pieces(base)]
    except OutsideError as error:
        return replace(base, faults=(f"Prometheus cannot be asked: {error}",))
    return replace(
        base,
        up=[track for piece in found for track in piece.up],
        records=[track for piece in found for track in piece.records],
        recorded=[span for piece in found for span in piece.recorded],
        codes=tuple(_joined(those) for those in zip(*(piece.codes for piece in found), strict=True)),
    )


def _joined(pieces: Sequence[Codes]) -> Codes:
    """One metric of all pieces: a code that is there at the end of one and the start of the next is not new."""
    return replace(pieces[0], tracks=[track for piece in pieces for track in piece.tracks])


def _pieces(base: Evidence) -> Iterator[Evidence]:
    lower = base.start
    while lower < base.end:
        upper = min(lower + _PIECE, base.end)
        yield replace(base, start=lower, end=upper)
        lower = upper


def _piece(fleet: Fleet, history: History, base: Evidence, wanted: _Wanted) -> Evidence:
    span = base.start - _MARGIN, base.end
    limits = {f"gpu:{name}": limit for name, limit in wanted.limits.items()}
    sifted = history.query(selectors.sieve(fleet, base.node, span, limits))
    telling = {sample.labels.get("record", "") for sample in sifted}
    names = sorted(telling if _needs_presence(base) else telling - {selectors.PRESENT})
    return replace(
        base,
        up=history.tracks(selectors.up(fleet, base.node, wanted.job), *span),
        records=history.tracks(selectors.records(fleet, base.node, names), *span) if names else (),
        recorded=((base.start, base.end),) if selectors.PRESENT in telling else (),
        codes=tuple(
            Codes(source, history.tracks(selectors.codes(fleet, base.node, source), *span))
            for source in selectors.code_sources(wanted.probe)
        ),
    )


def _needs_presence(base: Evidence) -> bool:
    """Whether only a record tells that a GPU is there; where each always shows a code, that does."""
    return bool(base.blind) or not gpuerrors.always_shown(base.vendor)


def _clipped(tracks: Sequence[Track], start: float, end: float) -> list[Track]:
    cut = []
    for track in tracks:
        lower = max(0, bisect_left(track.samples, (start,)) - 1)
        upper = bisect_left(track.samples, (end, inf))
        if lower < upper:
            cut.append(Track(track.labels, track.samples[lower:upper]))
    return cut
