"""A cluster as one page for people: no file beside it, no program in it, nothing fetched but itself, each minute."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from aamic.model.api import Alerts, Health, Status, VerdictCounts
from aamic.views import statuspage_tables as tables
from aamic.views import statuspage_words as words
from aamic.views.markup import element, prose, text
from aamic.views.statuspage_style import STYLE
from aamic.views.wholepage import policy, whole

CSP: Final = f"{policy(STYLE)}; frame-ancestors 'none'"
"""Value of the header `Content-Security-Policy` with which the page works."""
_LINES: Final = 20
"""Lines of a list that stand open; more are folded."""


def page(status: Status, health: Health | None, alerts: Alerts | None) -> str:
    """The whole page; every text in it that comes from a site, a host or another cluster is escaped."""
    parts = [
        _head(status),
        _tiles(status),
        _lines("Why", status.reasons),
        _lines("Not known", status.missing),
        tables.alerts(alerts, status.at),
        tables.gpus(status.gpus),
        tables.racks(health),
        tables.shards(status.shards),
        tables.clusters(status.clusters),
        "<footer><p>Loads itself anew every minute.</p></footer>",
    ]
    body = "\n".join(part for part in parts if part)
    return whole(f"{status.cluster}: {status.verdict}", STYLE, body, refresh=60)


def _head(status: Status) -> str:
    time = text("p", f"As of {words.moment(status.at)}")
    old = '<p class="old">This page could not load itself anew for three minutes: what it says is old.</p>'
    return element("header", text("h1", status.cluster) + tables.badge(status.verdict, status.verdict) + time + old)


def _tiles(status: Status) -> str:
    nodes, alerts, gpus = status.nodes, status.alerts, status.gpus
    expected, present = _sum(each.expected for each in gpus), _sum(each.present for each in gpus)
    tiles = [
        _tile("Nodes up", _of(nodes.up, nodes.total), _down(nodes.down)),
        _tile("GPUs present", _of(present, expected) if gpus else words.UNKNOWN, _unwell(status)),
        _tile("Critical alerts", words.whole(None if alerts is None else alerts.critical), _other_alerts(status)),
        _tile("Nodes that are ok", words.percent(status.score), _judged(status.verdicts)),
    ]
    return element("dl", "".join(tiles), "tiles")


def _tile(name: str, figure: str, about: str) -> str:
    return element("div", text("dt", name) + text("dd", figure, "figure") + text("dd", about))


def _of(part: int | None, total: int | None) -> str:
    if part is None and total is None:
        return words.UNKNOWN
    return words.whole(part) if total is None else f"{words.whole(part)} of {words.whole(total)}"


def _sum(values: Iterable[int | None]) -> int | None:
    """The sum; not known if one part of it is not."""
    found = list(values)
    return None if None in found else sum(value for value in found if value is not None)


def _down(number: int | None) -> str:
    return "how many are down is unknown" if number is None else f"{number:,} down"


def _unwell(status: Status) -> str:
    known = [each.unhealthy for each in status.gpus if each.unhealthy is not None]
    unknown = [each.expected or each.present or 0 for each in status.gpus if each.unhealthy is None]
    if not known:
        return "their health is unknown"
    return f"{sum(known):,} unhealthy" + (f", {sum(unknown):,} unknown" if unknown else "")


def _other_alerts(status: Status) -> str:
    if status.alerts is None:
        return "nobody could be asked"
    return f"{status.alerts.warning:,} warning, {status.alerts.info:,} info"


def _judged(verdicts: VerdictCounts | None) -> str:
    if verdicts is None:
        return "no node is judged"
    return f"{verdicts.critical:,} critical, {verdicts.warning:,} warning, {verdicts.unknown:,} unknown"


def _lines(heading: str, lines: Sequence[str]) -> str:
    """A list of sentences; the end of a long one opens at a click."""
    if not lines:
        return ""
    items = [element("li", prose(line)) for line in lines]
    body = element("ul", "".join(items[:_LINES]), "lines")
    return element(
        "section",
        text("h2", heading) + body + tables.more(element("ul", "".join(items[_LINES:]), "lines"), items[_LINES:]),
    )
