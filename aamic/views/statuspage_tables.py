"""Tables of the status page, which scroll inside themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Final

from aamic.model.api import Alert, Alerts, Gpus, Group, Health, Remote, Shard, VerdictCounts
from aamic.views import statuspage_words as words
from aamic.views.markup import element, shown, text

_ALERTS: Final = 20
_ROWS: Final = 30
"""Alerts and rows of a table that stand open; other alerts are counted, other rows folded."""
_FEW: Final = 5
"""Racks that stand open though they are well."""


def badge(kind: str, word: str) -> str:
    """A word that stands out by a mark and its colour."""
    return element("span", f'<i aria-hidden="true">{words.MARKS[kind]}</i> {shown(word)}', f"badge {kind}")


def more(folded: str, rest: Sequence[str]) -> str:
    """The rest of something long, which opens at a click."""
    return f"<details><summary>{len(rest):,} more</summary>{folded}</details>" if rest else ""


def _table(
    heading: str, columns: Sequence[tuple[str, str]], rows: Sequence[str], note: str = "", opened: int = 0
) -> str:
    """A table that scrolls inside itself; columns are (heading, class)."""
    name = heading.lower().replace(" ", "-")
    heads = "".join(f'<th scope="col" class="{kind}">{title}</th>' for title, kind in columns)
    opened = min(opened or _ROWS, _ROWS)
    folded = more(_scroll(name, heads, rows[opened:]), rows[opened:])
    return element("section", f'<h2 id="{name}">{heading}</h2>{_scroll(name, heads, rows[:opened])}{folded}{note}')


def _scroll(name: str, heads: str, rows: Sequence[str]) -> str:
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    return f'<div class="scroll" role="region" aria-labelledby="{name}" tabindex="0">{table}</div>'


def _row(first: str, cells: Iterable[tuple[str, str]]) -> str:
    """A row: its name, and cells as (HTML, class)."""
    rest = "".join(element("td", content, kind) for content, kind in cells)
    return f'<tr><th scope="row">{first}</th>{rest}</tr>'


def _figure(value: str) -> tuple[str, str]:
    return (text("span", value, "none") if value == words.UNKNOWN else shown(value)), "number"


def alerts(found: Alerts | None, at: float) -> str:
    """Alerts that fire, the most severe first; `at` is from when on their age is counted."""
    if found is None:
        return element("section", text("h2", "Alerts") + text("p", "Nobody could be asked for alerts.", "none"))
    firing = [each for each in found.alerts if each.state == "firing"]
    quiet = len(found.alerts) - len(firing)
    hidden = found.total - quiet - len(firing[:_ALERTS])
    notes = [f"{hidden:,} more not shown"] * (hidden > 0) + [f"{quiet:,} silenced or inhibited"] * (quiet > 0)
    note = text("p", "; ".join(notes), "note") if notes else ""
    if not firing:
        return element("section", text("h2", "Alerts") + text("p", "None fires.", "none") + note)
    columns = (("Alert", "name"), ("What", "wide"), ("For", "number"))
    return _table("Alerts", columns, [_alert(each, at) for each in firing[:_ALERTS]], note)


def _alert(alert: Alert, at: float) -> str:
    url = words.link(alert.runbook_url)
    name = shown(alert.name)
    linked = f'<a href="{escape(url)}" rel="noopener noreferrer">{name}</a>' if url else name
    severity = badge(words.kind_of(alert.severity), alert.severity or words.UNKNOWN)
    skip = {"alertname", "severity", "cluster"}
    labels = ", ".join(f"{key}={value}" for key, value in sorted(alert.labels.items()) if key not in skip)
    about = "" if alert.about is None else text("span", f"about cluster {alert.about}", "labels")
    what = shown(alert.summary) + about + (text("span", labels, "labels") if labels else "")
    since = words.span(at - alert.since if alert.since else None)
    return _row(f"{linked} {severity}", [(what, "wide"), _figure(since)])


def gpus(found: Sequence[Gpus]) -> str:
    """GPUs by vendor."""
    columns = (
        ("Vendor", "name"),
        *((each, "number") for each in ("Present", "Expected", "Unhealthy", "In use", "Power")),
    )
    return _table("GPUs", columns, [_vendor(each) for each in found]) if found else ""


def _vendor(gpus: Gpus) -> str:
    figures = (
        words.whole(gpus.present),
        words.whole(gpus.expected),
        words.whole(gpus.unhealthy),
        words.percent(None if gpus.utilization is None else round(100 * gpus.utilization, 1)),
        words.power(gpus.power_watts),
    )
    return _row(shown(gpus.vendor), map(_figure, figures))


def racks(health: Health | None) -> str:
    """Racks by what is thought of their nodes, the worst first; those that are well open at a click."""
    if health is None or not health.racks:
        return ""
    columns = (("Rack", "name"), ("Worst", "short"))
    figures = ((each, "number") for each in ("Critical", "Unknown", "Warning", "Ok"))
    ordered = sorted(health.racks, key=lambda group: words.badness(_worst(group.nodes)))
    bad = sum(_worst(group.nodes) != "ok" for group in ordered)
    return _table("Racks", (*columns, *figures), [_rack(group) for group in ordered], opened=max(bad, _FEW))


def _worst(nodes: VerdictCounts) -> str:
    counts = {"critical": nodes.critical, "unknown": nodes.unknown, "warning": nodes.warning}
    return next((verdict for verdict, count in counts.items() if count), "ok" if nodes.ok else "unknown")


def _rack(group: Group) -> str:
    verdict, nodes = _worst(group.nodes), group.nodes
    figures = (nodes.critical, nodes.unknown, nodes.warning, nodes.ok)
    return _row(
        shown(group.name), [(badge(verdict, verdict), "short"), *(_figure(words.whole(each)) for each in figures)]
    )


def shards(found: Sequence[Shard]) -> str:
    """The servers that scrape nodes."""
    names = ("Nodes", "Targets up", "Targets down", "Series", "Of predicted", "Age")
    columns = (("Shard", "name"), ("State", "short"), *((each, "number") for each in names))
    return _table("Shards", columns, [_shard(each) for each in found]) if found else ""


def _shard(shard: Shard) -> str:
    kind, word = {True: ("ok", "up"), False: ("critical", "down"), None: ("unknown", "unknown")}[shard.up]
    share = 100 * shard.series / shard.predicted_series if shard.series is not None and shard.predicted_series else None
    figures = (
        words.whole(shard.nodes),
        words.whole(shard.targets_up),
        words.whole(shard.targets_down),
        words.whole(shard.series),
        words.percent(share if share is None else round(share)),
        words.span(shard.age_seconds),
    )
    name = shown(shard.name) + (text("span", f"replica {shard.replica}", "labels") if shard.replica else "")
    return _row(name, [(badge(kind, word), "short"), *map(_figure, figures)])


def clusters(found: Sequence[Remote]) -> str:
    """Other clusters, as they are seen from this one."""
    names = ("Nodes up", "Nodes down", "GPUs", "Age")
    columns = (("Cluster", "name"), ("State", "short"), *((each, "number") for each in names))
    return _table("Other clusters", columns, [_cluster(each) for each in found]) if found else ""


def _cluster(remote: Remote) -> str:
    figures = (
        words.whole(remote.nodes_up),
        words.whole(remote.nodes_down),
        words.whole(remote.gpus),
        words.span(remote.age_seconds),
    )
    name = shown(remote.name) + "".join(_about(remote))
    return _row(name, [(badge(words.STATES[remote.state], remote.state), "short"), *map(_figure, figures)])


def _about(remote: Remote) -> Iterator[str]:
    if remote.labels:
        yield text("span", ", ".join(f"{key}={value}" for key, value in sorted(remote.labels.items())), "labels")
