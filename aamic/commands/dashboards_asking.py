"""Who is asked for what dashboards show: the site's widest server, and its Alertmanagers for alerts of now."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aamic.commands.options import span
from aamic.errors import HostError, OutsideError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aamic.clients.base import Charted
    from aamic.model.dashboard import Dashboard, Panel
    from aamic.model.fleet import Fleet
    from aamic.model.preview import Firing, Preview
    from aamic.ops.panelasked import Answer

_TIMEOUT: Final = 60.0
_PARALLEL: Final = 6


def reached(fleet: Fleet, url: str | None) -> tuple[str, Charted]:
    """The first server that answers, and its URL. Raises OutsideError where none does."""
    from aamic.clients.prometheus import Prometheus

    told: list[str] = []
    for each in [url] if url else _urls(fleet):
        server = Prometheus(each, _TIMEOUT)
        try:
            server.at("vector(1)", time.time())
        except OutsideError as error:
            told.append(str(error))
        else:
            return server.url, server
    raise OutsideError(
        "; ".join(told), "name a server that you reach with `--prometheus URL`, such as through a tunnel"
    )


def _urls(fleet: Fleet) -> list[str]:
    """Where the site's own series are seen whole: Thanos Query, then central or the single server."""
    from aamic.ops.evidence import url_of

    queries = fleet.thanos.of("query") if fleet.thanos else ()
    servers = [each for each in fleet.servers if each.role != "shard"] or list(fleet.servers)
    return [
        *(f"http://{fleet.address(each.host, each.http_port)}" for each in queries),
        *(url_of(fleet, each) for each in servers),
    ]


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

    def __init__(self, fleet: Fleet, server: tuple[str, Charted], wish: Wish, *, own: bool) -> None:
        self._fleet = fleet
        self._url, self._server = server
        self._wish = wish
        self._own = own or bool(fleet.thanos) or not fleet.alertmanagers

    def preview(self, dashboard: Dashboard) -> Preview:
        """What the dashboard shows."""
        from aamic.model.preview import Preview
        from aamic.ops.panelasked import Look, answers, choices, window
        from aamic.ops.pictures import picture

        seconds = self._wish.seconds or span(dashboard.span, "--range")
        look = Look(window(self._wish.moment, seconds), {}, self._scrape())
        look = Look(look.window, choices(dashboard.variables, self._wish.given, self._server, look), look.scrape)
        found = self._answers(dashboard, lambda panel: answers(panel, self._server, look, self._alarms))
        return Preview(
            dashboard,
            {panel.title: picture(panel, found[panel.title], look) for panel in dashboard.panels},
            look.window,
            self._url,
            tuple((name, ", ".join(values)) for name, values in look.choices.items() if values),
            tuple(self._notes(dashboard)),
        )

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
            shards = counted(self._server, self._wish.moment) if self._apart else ()
            return (*fired(self._server, self._wish.moment), *shards)
        urls = [f"http://{self._fleet.address(each.host, each.port)}" for each in self._fleet.alertmanagers]
        return told(Alertmanagers(urls).firing())

    def _notes(self, dashboard: Dashboard) -> Sequence[str]:
        if self._own and self._apart and any(each.kind == "alerts" for each in dashboard.panels):
            return ("Alerts of shards are counted only, as the server that was asked holds no more of them.",)
        return ()

    @property
    def _apart(self) -> bool:
        """Whether shards have alerts that the server which is asked has not."""
        return self._fleet.federation is not None and self._fleet.thanos is None
