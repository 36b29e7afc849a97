"""Panels as HTML: real tables and lists, and charts for two widths; every text in them is escaped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from aamic.model.dashboard import Kind
from aamic.model.preview import Figure, Firing, Picture, Severity, Window
from aamic.views.markup import element, shown, text
from aamic.views.preview_chart import DASHES, LINES, Paper
from aamic.views.preview_prose import paragraphs
from aamic.views.preview_svg import chart
from aamic.views.preview_words import MARKS, about, more, nothing, said, titled, units
from aamic.views.units import valued

_GRID: Final = 1180
_ROW: Final = 30
_PHONE: Final = Paper(330, 190, 11.5)
_DENSE: Final = 48
"""Cells from which on there is no room for their names."""
_SHADES: Final = 5
_SHORT: Final = 28


def panel(picture: Picture, number: int, window: Window) -> str:
    """A panel with its heading, what it shows, and what its queries are."""
    kind = picture.panel.kind
    body = _BODIES[kind](picture, window) if _has(picture) else text("p", nothing(picture), "empty")
    faults = "".join(text("p", f"query failed: {each}", "fault") for each in picture.faults)
    left = text("p", more(picture), "note") if picture.more else ""
    head = element("h3", shown(picture.panel.title) + badge(*titled(picture)))
    several = " several" if len(picture.figures) > 1 else ""
    parts = f"{head}{faults}{body}{left}{_about(picture)}"
    return f'<section class="panel w{picture.panel.width} k-{kind}{several}" id="p{number}">{parts}</section>'


def badge(severity: Severity, word: str = "") -> str:
    """A word that stands out by a mark and its colour; nothing where nobody judges."""
    if severity == "none":
        return ""
    mark = f'<i aria-hidden="true">{MARKS[severity]}</i> '
    return " " + element("span", mark + shown(word or severity), f"badge {severity}")


def _has(picture: Picture) -> bool:
    return bool(picture.lines or picture.figures or picture.rows or picture.firing or picture.panel.content)


def _about(picture: Picture) -> str:
    queries = "".join(element("li", text("code", each.expr)) for each in picture.panel.queries)
    told = text("p", picture.panel.about) if picture.panel.about else ""
    if not queries and not told:
        return ""
    return f"<details><summary>about</summary>{told}{element('ul', queries)}</details>"


def _stat(picture: Picture, window: Window) -> str:
    alone = len(picture.figures) == 1
    tiles = (_tile(each, picture, window, named=not alone) for each in picture.figures)
    return element("dl", "".join(tiles), "stats" if alone else "stats many")


def _tile(figure: Figure, picture: Picture, window: Window, *, named: bool) -> str:
    name = text("dt", figure.name if named else picture.panel.title, "" if named else "hidden")
    return element("div", name + element("dd", _value(figure, picture, window), f"figure {figure.severity}"))


def _value(figure: Figure, picture: Picture, window: Window) -> str:
    """A value, with a mark where it is judged as bad."""
    shows = shown(said(figure, picture.panel.unit, window.end))
    mark = MARKS[figure.severity] if figure.severity in {"critical", "unknown", "warning"} else ""
    return f'{mark} <span class="hidden">{figure.severity}: </span>{shows}' if mark else shows


def _chart(picture: Picture, window: Window) -> str:
    width = picture.panel.width / 24 * _GRID - 30
    wide = Paper(max(width, 200), max(picture.panel.height * _ROW - 60, 110))
    about_ = about(picture, window)
    charts = "".join(
        element("div", chart(picture, window, paper, about_), kind)
        for paper, kind in ((wide, "wide"), (_PHONE, "slim"))
    )
    return charts + _legend(picture, window)


def _legend(picture: Picture, window: Window) -> str:
    """What each line is, with its last value and its highest."""
    rows = []
    for number, line in enumerate(picture.lines):
        last = _value(line.last, picture, window) + (" (ended)" if line.last.text == "ended" else "")
        peak = "" if line.peak is None else shown(valued(line.peak, picture.panel.unit, window.end))
        cells = element("td", last, f"number {line.last.severity}") + element("td", peak, "number")
        rows.append(element("tr", _named(line.name, f"{_swatch(number)} ") + cells))
    heads = '<th scope="col">series</th><th scope="col" class="number">last</th><th scope="col" class="number">max</th>'
    return _scroll(f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>", picture, "legend")


def _named(name: str, before: str = "") -> str:
    """The heading of a row, with HTML before it."""
    return f'<th scope="row" class="{_fit(name)}">{before}{shown(name)}</th>'


def _fit(name: str) -> str:
    """The class of a name: short ones are not broken into lines."""
    return "short" if len(name) <= _SHORT else "long"


def _scroll(table: str, picture: Picture, kind: str = "") -> str:
    label = shown(picture.panel.title)
    return f'<div class="scroll {kind}" role="region" aria-label="{label}" tabindex="0">{table}</div>'


def _swatch(number: int) -> str:
    dashes = DASHES[number % len(DASHES)]
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    line = f'<path class="line l{number % len(LINES)}" d="M0 5H24" stroke-width="3"{dashed}/>'
    return f'<svg class="swatch" viewBox="0 0 24 10" width="24" height="10" aria-hidden="true">{line}</svg>'


def _bars(picture: Picture, window: Window) -> str:
    top = picture.panel.most or max((each.value or 0.0 for each in picture.figures), default=0.0)
    rows = "".join(_bar(each, top, picture, window) for each in picture.figures)
    return _scroll(f"<table><tbody>{rows}</tbody></table>", picture)


def _bar(figure: Figure, top: float, picture: Picture, window: Window) -> str:
    share = max(0.0, min((figure.value or 0.0) / top, 1.0)) * 100 if top > 0 else 0.0
    bar = f'<rect class="bar {figure.severity}" width="{share:.1f}" height="10"/>'
    drawn = f'<svg class="bars" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">{bar}</svg>'
    value = element("td", _value(figure, picture, window), f"number {figure.severity}")
    return element("tr", _named(figure.name) + element("td", drawn, "track") + value)


def _heatmap(picture: Picture, window: Window) -> str:
    dense = len(picture.figures) > _DENSE
    cells = "".join(_cell(each, picture, window, dense=dense) for each in picture.figures)
    label = shown(f"{picture.panel.title}: {len(picture.figures):,} values")
    kind = "cells dense" if dense else "cells"
    return f'<ul class="{kind}" aria-label="{label}">{cells}</ul>' + (_worst(picture, window) if dense else "")


def _cell(figure: Figure, picture: Picture, window: Window, *, dense: bool) -> str:
    kind = _shade(figure, picture) if figure.severity == "none" else figure.severity
    if dense:
        title = shown(f"{figure.name}: {said(figure, picture.panel.unit, window.end)}")
        mark = MARKS[figure.severity] if figure.severity in {"critical", "unknown", "warning"} else ""
        return f'<li class="{kind}" title="{title}">{mark}</li>'
    return f'<li class="{kind}">{text("span", figure.name)}<b>{_value(figure, picture, window)}</b></li>'


def _shade(figure: Figure, picture: Picture) -> str:
    """A shade by where the value is between the ends of the scale."""
    values = [each.value for each in picture.figures if each.value is not None]
    low = picture.panel.least if picture.panel.least is not None else min(values, default=0.0)
    high = picture.panel.most if picture.panel.most is not None else max(values, default=1.0)
    if figure.value is None or high <= low:
        return "v0"
    return f"v{max(0, min(int((figure.value - low) / (high - low) * _SHADES), _SHADES - 1))}"


def _worst(picture: Picture, window: Window) -> str:
    """The names of the worst cells, as dense ones show none."""
    rows = "".join(
        element("li", badge(each.severity) + shown(f" {each.name} {said(each, picture.panel.unit, window.end)}"))
        for each in picture.crossed
    )
    rest = picture.crossings - len(picture.crossed)
    note = text("p", f"and {rest:,} more like these", "note") if rest else ""
    return (element("ul", rows, "worst") if rows else "") + note


def _table(picture: Picture, window: Window) -> str:
    numbers = [any(isinstance(row[at], Figure) for row in picture.rows) for at in range(len(picture.heads))]
    heads = "".join(
        f'<th scope="col" class="{"number" if number else "name"}">{shown(each)}</th>'
        for each, number in zip(picture.heads, numbers, strict=True)
    )
    rows = "".join(element("tr", _row(row, picture, window)) for row in picture.rows)
    return _scroll(f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>", picture)


def _row(row: Iterable[str | Figure], picture: Picture, window: Window) -> str:
    cells = []
    for cell, unit in zip(row, units(picture), strict=True):
        if isinstance(cell, str):
            cells.append(text("td", cell, _fit(cell)))
            continue
        mark = MARKS[cell.severity] + " " if cell.severity in {"critical", "unknown", "warning"} else ""
        cells.append(text("td", mark + said(cell, unit, window.end), f"number {cell.severity}"))
    return "".join(cells)


def _alerts(picture: Picture, window: Window) -> str:
    columns = (("severity", "name"), ("alert", "name"), ("of", "name"), ("for", "number"))
    heads = "".join(f'<th scope="col" class="{kind}">{name}</th>' for name, kind in columns)
    rows = "".join(_alert(each, window) for each in picture.firing)
    return _scroll(f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>", picture)


def _alert(alert: Firing, window: Window) -> str:
    age = "unknown" if alert.since is None else valued(max(0.0, window.end - alert.since), "s")
    cells = element("td", badge(alert.level, alert.severity or "unknown")) + element("th", shown(alert.name))
    return element("tr", cells + text("td", alert.labels, "labels") + text("td", age, "number"))


def _text(picture: Picture, _: Window) -> str:
    return paragraphs(picture.panel.content)


_BODIES: Final[Mapping[Kind, Callable[[Picture, Window], str]]] = {
    "stat": _stat, "timeseries": _chart, "heatmap": _heatmap, "table": _table, "bars": _bars, "alerts": _alerts,
    "text": _text,
}  # fmt: skip
