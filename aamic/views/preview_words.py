"""Words of previews: values with their units, and what is wrong in a sentence; both pages and pictures say these."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from aamic.model.dashboard import Unit
from aamic.model.preview import ORDER, Figure, Picture, Preview, Severity, Window
from aamic.views.units import valued

MARKS: Final[dict[Severity, str]] = {
    "critical": "✕", "unknown": "?", "warning": "!", "info": "i", "ok": "✓", "none": "",
}  # fmt: skip
"""A mark for each judgement, so that nothing is said by colour alone."""
_NAMED: Final = 3
_DAY: Final = 86_400


def said(figure: Figure, unit: Unit, now: float) -> str:
    """A value as people read it, or the text in its place.

    >>> said(Figure("a", 65.0), "celsius", 0), said(Figure("a", 1.0, "ok", "up"), "none", 0)
    ('65 °C', 'up')
    """
    if figure.text and figure.text != "ended":
        return figure.text
    return "no number" if figure.value is None else valued(figure.value, unit, now)


def units(picture: Picture) -> tuple[Unit, ...]:
    """The unit of each column of a table."""
    return tuple(each.unit for each in picture.panel.columns) or (picture.panel.unit,) * len(picture.heads)


def unit_of(figure: Figure, picture: Picture) -> Unit:
    """The unit of a value, also of one in a column of its own unit."""
    places = (at for row in picture.rows for at, cell in enumerate(row) if cell is figure)
    place = next(places, None)
    return picture.panel.unit if place is None else units(picture)[place]


def more(picture: Picture) -> str:
    """How much is not shown, as a note; empty where everything is.

    >>> from aamic.model.dashboard import Panel
    >>> more(Picture(Panel("t", "timeseries", ()), more=488))
    'and 488 more, which are lower'
    """
    if not picture.more:
        return ""
    how = {"timeseries": ", which are lower", "bars": ", which are lower"}.get(picture.panel.kind, "")
    return f"and {picture.more:,} more{how}"


def crossings(picture: Picture, now: float) -> str:
    """What is wrong in a picture, the worst first: names with their values."""
    told = [_crossing(each, picture, now) for each in picture.crossed[:_NAMED]]
    rest = picture.crossings - len(told)
    return "; ".join(told) + (f" and {rest:,} more" if rest else "")


def _crossing(figure: Figure, picture: Picture, now: float) -> str:
    alert = f" ({figure.alert})" if figure.alert else ""
    if picture.panel.kind == "alerts":
        return figure.name
    name = "" if figure.name == picture.panel.title else figure.name
    return f"{name} {said(figure, unit_of(figure, picture), now)}".strip() + alert


@dataclass(frozen=True, slots=True)
class Look:
    """What to look at: a picture's number, how bad it is and the word for that, its title, and what is wrong."""

    number: int
    severity: Severity
    word: str
    title: str
    what: str


def summary(preview: Preview) -> Iterator[Look]:
    """What to look at, the worst first."""
    numbered = list(enumerate(preview.every))
    for severity in ORDER[: ORDER.index("info")]:
        for number, each in numbered:
            if each.crossings and each.severity == severity:
                yield Look(number, severity, severity, each.panel.title, crossings(each, preview.window.end))
        for number, each in numbered if severity == "critical" else ():
            if each.faults:
                yield Look(number, "unknown", "failed", each.panel.title, f"query failed: {each.faults[0]}")


def quiet(preview: Preview) -> str:
    """What is to be said of pictures in which nothing is wrong: a bound that is not crossed, and what shows nothing."""
    judged = sum(bool(each.panel.every_bound or each.panel.mappings) and not each.empty for each in preview.every)
    wrong = any(each.crossings for each in preview.every)
    parts = [] if wrong else [f"Nothing crosses a bound; {_panels(judged)} of {len(preview.every)} have bounds."]
    if preview.empty:
        titles = ", ".join(each.panel.title for each in preview.empty)
        parts.append(f"No data: {titles}.")
    return " ".join(parts)


def _panels(number: int) -> str:
    return f"{number} panel" if number == 1 else f"{number} panels"


def moment(at: float) -> str:
    """A moment for people; with the time zone, which is always UTC.

    >>> moment(1_764_000_000.5)
    '2025-11-24 16:00:00 UTC'
    """
    return f"{datetime.fromtimestamp(int(at), UTC):%Y-%m-%d %H:%M:%S} UTC"


def span(window: Window) -> str:
    """The length of a window.

    >>> span(Window(0, 21_600, 60)), span(Window(0, 5400, 60)), span(Window(0, 172_800, 60))
    ('6 h', '90 min', '2 d')
    """
    seconds = round(window.end - window.start)
    size, name = next(each for each in ((_DAY, "d"), (3600, "h"), (60, "min"), (1, "s")) if seconds % each[0] == 0)
    return f"{seconds // size} {name}"


def about(picture: Picture, window: Window) -> str:
    """A chart in words, for who does not see it."""
    lines = len(picture.lines) + picture.more
    wrong = f"; {picture.severity}: {crossings(picture, window.end)}" if picture.crossings else ""
    return f"{picture.panel.title}: {lines:,} series over {span(window)}{wrong}"


def headline(preview: Preview) -> str:
    """When, how far back and of whom: the line below a title."""
    chosen = "".join(f"; {name}: {value}" for name, value in preview.choices)
    return (
        f"{moment(preview.window.end)}, and {span(preview.window)} before; times in UTC{chosen}; from {preview.source}"
    )


def verdict(preview: Preview) -> tuple[Severity, str]:
    """How bad a dashboard is at one look, and the word for it; nothing is called well that was not answered."""
    if preview.severity == "critical":
        return "critical", "critical"
    if preview.failed:
        return "unknown", "queries failed"
    if preview.severity in {"unknown", "warning"}:
        return preview.severity, preview.severity
    if all(each.empty or each.panel.kind in {"text", "alerts"} for each in preview.every):
        return "unknown", "no data"
    judged = any(each.panel.every_bound and not each.empty for each in preview.every)
    return ("ok", "no bound crossed") if judged else ("none", "")


def own(picture: Picture) -> tuple[Severity, str]:
    """How bad a picture is, and the word for it."""
    if picture.faults:
        return "unknown", "failed"
    if picture.severity != "none" or picture.empty:
        return picture.severity, picture.severity
    return ("ok", "ok") if picture.panel.every_bound else ("none", "")


def titled(picture: Picture) -> tuple[Severity, str]:
    """What stands beside a picture's title; values that stand alone say it themselves."""
    return ("none", "") if picture.panel.kind == "stat" and not picture.faults else own(picture)


def nothing(picture: Picture) -> str:
    """What stands where a picture has nothing to show."""
    if picture.faults:
        return "unknown"
    return "none fires" if picture.panel.kind == "alerts" else picture.panel.empty
