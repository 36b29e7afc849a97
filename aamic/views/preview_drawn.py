"""What each kind of panel shows within its box of a picture; what has no room is counted."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from aamic.model.dashboard import Kind
from aamic.model.preview import ORDER, Figure, Line, Picture, Severity, Window
from aamic.views.preview_canvas import Canvas, fitting, lines, measured
from aamic.views.preview_chart import INK, LINES, SOFT, TONES, Paper, draw, style
from aamic.views.preview_prose import plain
from aamic.views.preview_words import MARKS, more, nothing, said, units
from aamic.views.units import valued

_LINE: Final = 17.0
_NAMED: Final = 26.0
"""Pixels of a cell that has room for its name and value."""
_BAD: Final = frozenset({"critical", "unknown", "warning"})
_TONES: Final[dict[Severity, str]] = {
    "critical": "#ffcfd0", "warning": "#ffe6a8", "unknown": "#dfe4ea", "ok": "#e0f4e5", "info": "#eef1f4",
    "none": "#ffffff",
}  # fmt: skip
_DASHED: Final = {"": ((0, 20),), "7 3": ((0, 8), (12, 8)), "2 2.5": ((0, 3), (6, 3), (12, 3), (18, 3))}
"""How the dashes of a line look in a legend: where each begins and how long it is."""
_SHADES: Final = ("#edf2fa", "#d4e0f3", "#b7cbea", "#9bb6e1", "#7d9fd8")


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle, in pixels from the upper left corner."""

    x: float
    y: float
    width: float
    height: float


def tone(severity: Severity) -> str:
    """The colour behind what is judged so."""
    return _TONES[severity]


def body(canvas: Canvas, picture: Picture, window: Window, box: Box) -> None:
    """Draw what a picture shows, and what failed or is left out."""
    for fault in picture.faults:
        for text in lines(f"query failed: {fault}", 11, box.width)[:3]:
            canvas.words(box.x, box.y, text, bold=True, colour=TONES["critical"], room=box.width)
            box = replace(box, y=box.y + _LINE, height=box.height - _LINE)
    if box.height < _LINE:
        return
    if not (picture.lines or picture.figures or picture.rows or picture.firing or picture.panel.content):
        canvas.words(box.x, box.y, nothing(picture), size=14, colour=SOFT, room=box.width)
        return
    _BODIES[picture.panel.kind](canvas, picture, window, box)


def _rest(canvas: Canvas, picture: Picture, box: Box, hidden: int) -> None:
    """The note of what has no room and what was left out before, on the last line of a box."""
    told = more(replace(picture, more=picture.more + hidden))
    if told:
        canvas.words(box.x, box.y + box.height - 13, told, size=10, colour=SOFT, room=box.width)


def _text_of(figure: Figure, picture: Picture, window: Window) -> str:
    mark = f"{MARKS[figure.severity]} " if figure.severity in _BAD else ""
    return mark + said(figure, picture.panel.unit, window.end)


def _stat(canvas: Canvas, picture: Picture, window: Window, box: Box) -> None:
    alone = len(picture.figures) == 1
    across = 1 if alone else max(1, int(box.width // 105))
    down = max(1, int(box.height // 38))
    width = box.width / across
    for number, each in enumerate(_kept(picture.figures, across * down)):
        x, y = box.x + number % across * width, box.y + number // across * 38
        size = 24 if alone else 14
        text = fitting(_text_of(each, picture, window), size, width - 12, bold=True)
        top = y + (4 if alone else 14)
        if each.severity in _BAD:
            canvas.box(x - 3, top - 3, measured(text, size, bold=True) + 8, size + 8, tone(each.severity))
        if not alone:
            canvas.words(x, y, each.name, size=10, colour=SOFT, room=width - 8)
        canvas.words(x, top, text, size=size, bold=True, colour=_ink(each.severity), room=width)
    _rest(canvas, picture, box, max(0, len(picture.figures) - across * down))


def _kept(figures: Sequence[Figure], room: int) -> list[Figure]:
    """As many as there is room for, in their order; the worst are among them."""
    first = {id(each) for each in sorted(figures, key=lambda each: ORDER.index(each.severity))[:room]}
    return [each for each in figures if id(each) in first]


def _ink(severity: Severity) -> str:
    return INK if severity in {"none", "info"} else TONES[severity]


def _chart(canvas: Canvas, picture: Picture, window: Window, box: Box) -> None:
    across = 2 if box.width > 420 else 1  # noqa: PLR2004  # pixels for two columns
    down = max(1, min(math.ceil(len(picture.lines) / across), int(box.height * 0.36 // 14)))
    note = 14 if picture.more or len(picture.lines) > across * down else 0
    height = box.height - down * 14 - note - 26
    axes = canvas.axes(box.x + 58, box.y + 2, box.width - 70, height)
    draw(axes, picture, window, Paper(box.width - 70, height, 9.5))
    told = {id(each) for each in _kept([line.last for line in picture.lines], across * down)}
    entries = [pair for pair in enumerate(picture.lines) if id(pair[1].last) in told]
    for at, entry in enumerate(entries):
        place = Box(box.x + at % across * box.width / across, box.y + height + 27 + at // across * 14,
                    box.width / across - 8, 14)  # fmt: skip
        _entry(canvas, picture, window, place, entry)
    _rest(canvas, picture, box, max(0, len(picture.lines) - across * down))


def _entry(canvas: Canvas, picture: Picture, window: Window, box: Box, numbered: tuple[int, Line]) -> None:
    """A line of a legend: its dashes, name and last value."""
    number, line = numbered
    colour, dashes = style(number)
    for start, width in _DASHED[dashes]:
        canvas.box(box.x + start, box.y + 5, width, 2.5, colour)
    value = _text_of(line.last, picture, window) + (" (ended)" if line.last.text == "ended" else "")
    used = measured(value, 9.5, bold=True)
    canvas.words(box.x + 26, box.y + 1, line.name, size=9.5, room=box.width - used - 34)
    if line.last.severity in _BAD:
        canvas.box(box.x + box.width - used - 3, box.y, used + 6, 13, tone(line.last.severity))
    canvas.words(
        box.x + box.width, box.y + 1, value, size=9.5, bold=True, colour=_ink(line.last.severity), align="right"
    )


def _bars(canvas: Canvas, picture: Picture, window: Window, box: Box) -> None:
    room = int((box.height - 14) // _LINE)
    top = picture.panel.most or max((each.value or 0.0 for each in picture.figures), default=0.0)
    for number, each in enumerate(picture.figures[:room]):
        y, start, wide = box.y + number * _LINE, box.x + box.width * 0.36, box.width * 0.44
        share = max(0.0, min((each.value or 0.0) / top, 1.0)) if top > 0 else 0.0
        canvas.words(box.x, y, each.name, size=10.5, room=box.width * 0.34)
        canvas.box(start, y + 1, wide, 10, "#e3e7ec")
        canvas.box(start, y + 1, wide * share, 10, LINES[0] if each.severity == "none" else TONES[each.severity])
        value = _text_of(each, picture, window)
        canvas.words(box.x + box.width, y, value, size=10.5, bold=True, colour=_ink(each.severity), align="right")
    _rest(canvas, picture, box, max(0, len(picture.figures) - room))


def _heatmap(canvas: Canvas, picture: Picture, window: Window, box: Box) -> None:
    every = picture.figures
    across = max(1, int(box.width // 92))
    tall = min((box.height - 14) / math.ceil(len(every) / across), 40.0)
    named = tall >= _NAMED
    width, height = (box.width / across, tall) if named else _square(len(every), box)
    across = across if named else int(box.width // width)
    for number, each in enumerate(every):
        cell = Box(box.x + number % across * width, box.y + number // across * height, width - 2, height - 2)
        canvas.box(cell.x, cell.y, cell.width, cell.height, _shade(each, picture), _edge(each))
        if named:
            canvas.words(cell.x + 4, cell.y + 2, each.name, size=8.5, room=cell.width - 6)
            text = _text_of(each, picture, window)
            canvas.words(cell.x + 4, cell.y + 12, text, size=11, bold=True, colour=_ink(each.severity), room=cell.width)
        elif each.severity in _BAD and width > 9:  # noqa: PLR2004  # pixels for a mark
            size = min(width, 14) * 0.7
            canvas.words(cell.x + cell.width / 2, cell.y + (cell.height - size) / 2, MARKS[each.severity], size=size,
                         bold=True, colour=TONES[each.severity], align="center")  # fmt: skip
    _rest(canvas, picture, box, 0)


def _square(number: int, box: Box) -> tuple[float, float]:
    """The largest square of which so many fit into a box."""
    height = box.height - 14
    size = min(math.sqrt(box.width * height / number), 24.0)
    while int(box.width // size) * int(height // size) < number and size > 2:  # noqa: PLR2004  # pixels
        size -= 0.25
    return size, size


def _edge(figure: Figure) -> str:
    return TONES["critical"] if figure.severity == "critical" else "none"


def _shade(figure: Figure, picture: Picture) -> str:
    if figure.severity != "none":
        return tone(figure.severity)
    return _SHADES[shade(figure, picture)]


def shade(figure: Figure, picture: Picture) -> int:
    """Where a value is between the ends of its scale, from 0 to 4."""
    values = [each.value for each in picture.figures if each.value is not None]
    low = picture.panel.least if picture.panel.least is not None else min(values, default=0.0)
    high = picture.panel.most if picture.panel.most is not None else max(values, default=1.0)
    if figure.value is None or high <= low:
        return 0
    return max(0, min(int((figure.value - low) / (high - low) * len(_SHADES)), len(_SHADES) - 1))


def _table(canvas: Canvas, picture: Picture, window: Window, box: Box) -> None:
    kinds = units(picture)
    rows: list[list[tuple[str, Severity]]] = [
        [(each, "none") if isinstance(each, str) else
         ((f"{MARKS[each.severity]} " if each.severity in _BAD else "") + said(each, unit, window.end), each.severity)
         for each, unit in zip(row, kinds, strict=True)]
        for row in picture.rows
    ]  # fmt: skip
    _grid(canvas, picture, box, picture.heads, rows)


def _alerts(canvas: Canvas, picture: Picture, window: Window, box: Box) -> None:
    rows: list[Sequence[tuple[str, Severity]]] = []
    for each in picture.firing:
        age = "unknown" if each.since is None else valued(max(0.0, window.end - each.since), "s")
        word = f"{MARKS[each.level]} {each.severity or 'unknown'}"
        rows.append(((word, each.level), (each.name, "none"), (each.labels, "none"), (age, "none")))
    _grid(canvas, picture, box, ("severity", "alert", "of", "for"), rows)


def _grid(
    canvas: Canvas, picture: Picture, box: Box, heads: Sequence[str], rows: Sequence[Sequence[tuple[str, Severity]]]
) -> None:
    """Cells in columns, as wide as their texts need where there is room."""
    room = int((box.height - 14) // _LINE) - 1
    shown = rows[: max(0, room)]
    wanted = [max(measured(text[:60], 10.5) for text in (heads[at], *(row[at][0] for row in shown))) + 16
              for at in range(len(heads))]  # fmt: skip
    scale = box.width / max(1.0, sum(wanted))
    widths = [each * scale for each in wanted]
    for number, row in enumerate([[(head, "none") for head in heads], *shown]):
        x, y = box.x, box.y + number * _LINE
        for (text, severity), width in zip(row, widths, strict=True):
            if severity in _BAD:
                canvas.box(x - 3, y - 2, width - 4, _LINE - 1, tone(severity))
            ink = SOFT if number == 0 else _ink(severity) if severity in _BAD else INK
            canvas.words(x, y, text, size=10.5, bold=number == 0, colour=ink, room=width - 8)
            x += width
    _rest(canvas, picture, box, len(rows) - len(shown))


def _text(canvas: Canvas, picture: Picture, _: Window, box: Box) -> None:
    every = [part for line in plain(picture.panel.content) for part in lines(line, 11, box.width) or [""]]
    for number, line in enumerate(every[: int(box.height // _LINE)]):
        canvas.words(box.x, box.y + number * _LINE, line, room=box.width)


_BODIES: Final[Mapping[Kind, Callable[[Canvas, Picture, Window, Box], None]]] = {
    "stat": _stat, "timeseries": _chart, "heatmap": _heatmap, "table": _table, "bars": _bars, "alerts": _alerts,
    "text": _text,
}  # fmt: skip
