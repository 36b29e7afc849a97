"""Who is asked for what dashboards show: the site's widest server, and its Alertmanagers for alerts of now."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aamic.commands.options import span
from aamic.errors import HostError, OutsideError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from aamic.clients.base import Charted
    from aamic.model.dashboard import Dashboard, Panel
    from aamic.model.fleet import Fleet
    from aamic.model.preview import Firing, Preview
    from aamic.ops.panelasked import Answer, Look

_TIMEOUT: Final = 60.0
_PARALLEL: Final = 6


@dataclass(frozen=True, slots=True)
class Source:
    """The server that is asked. `passed` are those that would have been asked first, and why they were not.

    `whole`: it has what the site's servers have, the alerts of shards among it.
    """

    url: str
    server: Charted
    whole: bool
    passed: tuple[str, ...] = ()


def reached(fleet: Fleet, url: str | None) -> Source:
    """The first server that answers. Raises OutsideError where none does."""
    from aamic.clients.prometheus import Prometheus
    from aamic.ops.thanosview import query_urls

    whole = [*query_urls(fleet), *([url] if url and fleet.thanos else [])]
    passed: list[str] = []
    for each in [url] if url else [*query_urls(fleet), *_widest(fleet)]:
        server = Prometheus(each, _TIMEOUT)
        try:
            server.at("vector(1)", time.time())
        except OutsideError as error:
            passed.append(str(error))
        else:
            return Source(server.url, server, each in whole or fleet.federation is None, tuple(passed))
    hint = "name a server that you reach with `--prometheus URL`, such as through a tunnel"
    raise OutsideError("; ".join(passed), hint)


def _widest(fleet: Fleet) -> list[str]:
    """The URLs of the servers that know all of the site: central, or the single one."""
    from aamic.ops.evidence import url_of

    return [url_of(fleet, each) for each in fleet.servers if each.role != "shard"]


@dataclass(frozen=True, slots=True)
class Wish:
    """When is looked, how many seconds back (None: as the dashboard says), and what is chosen of variables."""

    moment: float
    seconds: float | None
    given: Mapping[str, tuple[str, ...]]


class Asking:
    """Asks one server for dashboards, a few panels at once.

    `own`: alerts are what that server has stored; else they are those that the site's Alertmanagers have now.
    """

    def __init__(self, fleet: Fleet, source: Source, wish: Wish, *, own: bool) -> None:
        self._fleet = fleet
        self._source = source
        self._server = source.server
        self._wish = wish
        self._own = own or not fleet.alertmanagers

    def preview(self, dashboard: Dashboard) -> Preview:
        """What the dashboard shows."""
        from aamic.model.preview import Preview
        from aamic.ops.panelasked import Look, answers, window
        from aamic.ops.pictures import picture

        seconds = self._wish.seconds or span(dashboard.span, "--range")
        look = Look(window(self._wish.moment, seconds), {}, self._scrape())
        chosen, strange, notes = self._choices(dashboard, look)
        look = Look(look.window, chosen, look.scrape)
        found = self._answers(dashboard, lambda panel: answers(panel, self._server, look, self._alarms))
        return Preview(
            dashboard,
            {panel.title: picture(panel, found[panel.title], look) for panel in dashboard.panels},
            look.window,
            self._source.url,
            tuple((name, ", ".join(values)) for name, values in look.choices.items() if values),
            (*notes, *self._notes(dashboard)),
            strange,
        )

    def _choices(
        self, dashboard: Dashboard, look: Look
    ) -> tuple[Mapping[str, tuple[str, ...]], tuple[str, ...], tuple[str, ...]]:
        """What is chosen of each variable, what of it is not there, and a note where the server did not say."""
        from aamic.ops.panelasked import Look, choices, reason, strangers

        given = {each.name: self._wish.given.get(each.name, ()) for each in dashboard.variables}
        try:
            strange = tuple(strangers(dashboard.variables, Look(look.window, given, look.scrape), self._server))
            return choices(dashboard.variables, given, self._server, look), strange, ()
        except OutsideError as error:
            return given, (), (f"What there is to choose from is not known: {reason(error)}.",)

    def _answers(
        self, dashboard: Dashboard, ask: Callable[[Panel], tuple[Answer, ...]]
    ) -> Mapping[str, tuple[Answer, ...]]:
        from aamic.commands.progress import progress
        from aamic.deploy.fanout import fan_out

        panels = {each.title: each for each in dashboard.panels}
        with progress(dashboard.uid, len(panels)) as tick:
            done = fan_out(tuple(panels), lambda title: ask(panels[title]), _PARALLEL, tick)
        return {title: (str(each),) if isinstance(each, HostError) else each for title, each in done.items()}

    def _scrape(self) -> float:
        from aamic.model.quantities import duration_seconds

        own = [each.scrape_interval for each in self._fleet.servers]
        federated = [self._fleet.federation.interval] if self._fleet.federation else []
        return max(map(duration_seconds, (*own, *federated)), default=15.0)

    def _alarms(self) -> Sequence[Firing]:
        """The alerts that fire: of the past, or of a server that is named, by what it stored; else by Alertmanager."""
        from aamic.clients.alarms import Alertmanagers
        from aamic.ops.panelasked import counted, fired, told

        if self._own:
            shards = () if self._source.whole else counted(self._server, self._wish.moment)
            return (*fired(self._server, self._wish.moment), *shards)
        urls = [f"http://{self._fleet.address(each.host, each.port)}" for each in self._fleet.alertmanagers]
        return told(Alertmanagers(urls).firing())

    def _notes(self, dashboard: Dashboard) -> Iterator[str]:
        for each in self._source.passed:
            yield f"Asked instead of another: {each}."
        if self._own and not self._source.whole and any(each.kind == "alerts" for each in dashboard.panels):
            yield "Alerts of shards are counted only, as the server that was asked holds no more of them."
