"""Dashboards, whoever draws them: Grafana's JSON and the preview are made from the same values. Frozen.

Queries name variables as Grafana does, only as whole values of regular expressions (`node=~"$node"`), so that every
name of a site is quoted by whoever fills them in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

WIDTH: Final = 24
"""Columns of Grafana's grid."""
Kind = Literal["stat", "timeseries", "heatmap", "table", "bars", "alerts", "text"]
"""`heatmap` is one cell for each series (an instant query), coloured by thresholds and in the order of the labels that
its legend names, by which a cell is called: racks and nodes at one look. `bars` is a bar for each series. `alerts`
lists the firing ones, whatever the queries, and its legend of columns is fixed."""
Unit = Literal[
    "short", "percentunit", "celsius", "watt", "joule", "bytes", "Bps", "hertz", "s", "dateTimeFromNow", "ops", "none"
]
"""Grafana's own names of units; `percentunit` is a ratio from 0 to 1, `s` seconds, `dateTimeFromNow` milliseconds
since 1970."""
Severity = Literal["info", "warning", "critical"]


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL query. `legend` is a text with `{{label}}` in it; `instant`: only what is now, as tables have it."""

    expr: str
    legend: str = ""
    instant: bool = False


@dataclass(frozen=True, slots=True)
class Bound:
    """A value from which on a panel changes its colour. `alert` is the alert that fires there, '' where none does.

    Where a site has that alert, its severity counts.
    """

    value: float
    severity: Severity
    alert: str = ""


@dataclass(frozen=True, slots=True)
class AlertBound:
    """A bound that is taken from an alert of the site: what its expression compares with.

    `labels` choose among several alternatives of one alert, such as `(("vendor", "nvidia"),)`, by the matchers in the
    expression. `rest`: the alert is about a share that is left, and the panel shows the rest of it to 1.
    """

    alert: str
    labels: tuple[tuple[str, str], ...] = ()
    rest: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: the label that it shows, or `Value #A` for the value of the first query, `#B` ...

    `link` is the uid of the dashboard that a click opens, with the cell as the value of that dashboard's `variable`.
    `bounds` are of this column; the values of the first query have those of the panel as well.
    """

    field: str
    title: str
    unit: Unit = "none"
    link: str = ""
    variable: str = ""
    bounds: tuple[Bound, ...] = ()


@dataclass(frozen=True, slots=True)
class Named:
    """A value and what is shown in its place."""

    value: float
    text: str
    severity: Literal["ok", "info", "warning", "critical", "unknown"]


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture. `title` is unique in its dashboard; `wanted` bounds become `bounds` once the site's rules are known.

    `least` and `most` are the ends of the scale where they are known. Where a query gives nothing, a stat shows
    `empty`, such as `0` where nothing means none, or `unknown`.
    """

    title: str
    kind: Kind
    queries: tuple[Query, ...]
    about: str = ""
    unit: Unit = "short"
    width: int = 12
    height: int = 8
    wanted: tuple[AlertBound, ...] = ()
    bounds: tuple[Bound, ...] = ()
    columns: tuple[Column, ...] = ()
    mappings: tuple[Named, ...] = ()
    least: float | None = None
    most: float | None = None
    link: str = ""
    """The uid of the dashboard that a series opens, with the label `link_label` as a variable of the same name."""
    link_label: str = ""
    empty: str = "no data"
    stacked: bool = False
    content: str = ""
    """Markdown, of a `text` panel alone."""
    alerts: tuple[str, ...] = ()
    """Alerts about what it shows, besides those of its bounds: their runbooks are linked."""

    @property
    def every_bound(self) -> tuple[Bound, ...]:
        """Its own bounds and those of its columns."""
        return (*self.bounds, *(bound for column in self.columns for bound in column.bounds))

    @property
    def every_alert(self) -> tuple[str, ...]:
        """The alerts about what it shows, each once."""
        return tuple(dict.fromkeys((*(bound.alert for bound in self.every_bound if bound.alert), *self.alerts)))


@dataclass(frozen=True, slots=True)
class Row:
    """Panels below one heading, from left to right, wrapped where they do not fit."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """What a person chooses from: the values of a label of `metric`, all of them at first.

    `metric` is a selector, and may name variables before this one. `multi`: several may be chosen. Without `every`
    there is no choice of all of them, as that would be too much to draw: the first one is chosen at first. `opens` is
    what is chosen at first in place of all.
    """

    name: str
    title: str
    metric: str
    multi: bool = True
    every: bool = True
    opens: str = ""


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One page; `uid` never changes, as people keep links to it."""

    uid: str
    title: str
    about: str
    variables: tuple[Variable, ...]
    rows: tuple[Row, ...]
    tags: tuple[str, ...] = ("aamic",)
    span: str = "6h"
    """How far back it looks when it opens."""
    others: tuple[str, ...] = field(default=())
    """The uids of the dashboards that it links to, with the same variables and time."""
    omitted: tuple[tuple[str, str], ...] = ()
    """Titles of panels of which a query is left out, as this site cannot feed it, and why."""

    @property
    def panels(self) -> tuple[Panel, ...]:
        """Every panel in order."""
        return tuple(panel for row in self.rows for panel in row.panels)


_LABEL: Final = re.compile(r"\{\{\s*([^{}\s]+)\s*\}\}")


def labels_of(legend: str) -> tuple[str, ...]:
    """The labels that a legend names, in their order.

    >>> labels_of("{{rack}} {{node}}")
    ('rack', 'node')
    """
    return tuple(_LABEL.findall(legend))


EVERYTHING: Final = ".*"
"""What a variable stands for where nothing was chosen: any value, or none."""
_NAME: Final = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_OF_REGEX: Final = re.compile(r"[\\.+*?()|\[\]{}^$]")


def filled(text: str, values: Mapping[str, str]) -> str:
    r"""A query, a selector or a legend with the values of its variables; a name without one is left as it is.

    >>> print(filled('up{node=~"$node"}[$__range]', {"node": chosen(["a.b", "c"]), "__range": "6h"}))
    up{node=~"(a\\.b|c)"}[6h]
    """
    return _NAME.sub(lambda match: values.get(match[1] or match[2], match[0]), text)


def chosen(names: Iterable[str]) -> str:
    """What a variable stands for with these values, between the double quotes of a matcher; everything without any."""
    quoted = [_OF_REGEX.sub(r"\\\g<0>", name).replace("\\", "\\\\").replace('"', '\\"') for name in names]
    return f"({'|'.join(quoted)})".replace("\n", "\\n") if quoted else EVERYTHING


@dataclass(frozen=True, slots=True)
class Placed:
    """A panel, or the heading of a row (`panel` None), in the grid of 24 columns; y grows downwards, a heading is 1."""

    x: int
    y: int
    width: int
    height: int
    row: Row
    panel: Panel | None


def placed(dashboard: Dashboard) -> Iterator[Placed]:
    """Every heading and panel at its place, none over another.

    >>> panels = tuple(Panel(name, "stat", (), width=9, height=4) for name in "abc")
    >>> one = Dashboard("u", "t", "", (), (Row("first", panels),))
    >>> [(each.x, each.y, each.panel.title if each.panel else each.row.title) for each in placed(one)]
    [(0, 0, 'first'), (0, 1, 'a'), (9, 1, 'b'), (0, 5, 'c')]
    """
    y = 0
    for row in dashboard.rows:
        yield Placed(0, y, WIDTH, 1, row, None)
        x, y, tallest = 0, y + 1, 0
        for panel in row.panels:
            if x + panel.width > WIDTH:
                x, y, tallest = 0, y + tallest, 0
            yield Placed(x, y, panel.width, panel.height, row, panel)
            x, tallest = x + panel.width, max(tallest, panel.height)
        y += tallest
