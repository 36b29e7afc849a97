"""A dashboard as one picture: the whole page on Grafana's grid, with what to look at first above it."""

from __future__ import annotations

from typing import Final

from aamic.model.dashboard import WIDTH, Placed, placed
from aamic.model.preview import Preview, Severity
from aamic.views import preview_words as words
from aamic.views.preview_canvas import Canvas
from aamic.views.preview_chart import INK, SOFT, TONES, settings
from aamic.views.preview_drawn import Box, body, tone

_WIDE: Final = 1280.0
_MARGIN: Final = 16.0
_COLUMN: Final = (_WIDE - 2 * _MARGIN) / WIDTH
_ROW: Final = 32.0
_GAP: Final = 4.0
_GROUND: Final = "#f5f6f8"
_PAPER: Final = "#ffffff"
_RULE: Final = "#d5dae0"
_LOOKS: Final = 10
_LINE: Final = 20.0


def png(preview: Preview) -> bytes:
    """The picture as a PNG file; the same data give the same bytes."""
    with settings():
        return _drawn(preview)


def _drawn(preview: Preview) -> bytes:
    places = list(placed(preview.dashboard))
    looks = list(words.summary(preview))
    quiet = words.quiet(preview)
    shown = min(len(looks), _LOOKS) + (len(looks) > _LOOKS) + bool(quiet)
    top = _MARGIN + 66 + len(preview.notes) * 18 + 16 + shown * _LINE
    rows = max((each.y + each.height for each in places), default=0)
    canvas = Canvas(_WIDE, top + rows * _ROW + _MARGIN, _GROUND)
    _head(canvas, preview)
    _look(canvas, preview, looks, quiet, top)
    for each in places:
        _place(canvas, preview, each, top)
    return canvas.png()


def _head(canvas: Canvas, preview: Preview) -> None:
    room = _WIDE - 2 * _MARGIN
    used = canvas.words(_MARGIN, _MARGIN, preview.dashboard.title, size=20, bold=True, room=room * 0.7)
    badge(canvas, _MARGIN + used + 12, _MARGIN + 3, *words.verdict(preview))
    canvas.words(_MARGIN, _MARGIN + 28, preview.dashboard.about, size=11, colour=SOFT, room=room)
    canvas.words(_MARGIN, _MARGIN + 46, words.headline(preview), size=11, colour=SOFT, room=room)
    for number, note in enumerate(preview.notes):
        canvas.words(_MARGIN, _MARGIN + 64 + number * 18, note, size=11, colour=SOFT, room=room)


def _look(canvas: Canvas, preview: Preview, looks: list[words.Look], quiet: str, end: float) -> None:
    y = _MARGIN + 66 + len(preview.notes) * 18
    canvas.box(_MARGIN, y, _WIDE - 2 * _MARGIN, end - y - 4, _PAPER, _RULE)
    y += 7
    for each in looks[:_LOOKS]:
        x = _MARGIN + 10 + badge(canvas, _MARGIN + 10, y, each.severity, each.word) + 8
        x += canvas.words(x, y + 2, f"{each.title}: ", bold=True, room=_WIDE / 3)
        canvas.words(x + 3, y + 2, each.what, room=_WIDE - x - 2 * _MARGIN)
        y += _LINE
    left = [f"and {len(looks) - _LOOKS} more panels"] * (len(looks) > _LOOKS) + [quiet] * bool(quiet)
    for number, text in enumerate(left):
        canvas.words(_MARGIN + 10, y + 2 + number * _LINE, text, colour=SOFT, room=_WIDE - 4 * _MARGIN)


def badge(canvas: Canvas, x: float, y: float, severity: Severity, word: str) -> float:
    """Draw a word that stands out by a mark and its colour; returns how wide it is."""
    if severity == "none":
        return 0.0
    text = f"{words.MARKS[severity]} {word}"
    used = canvas.words(x + 5, y + 2.5, text, size=10, bold=True, colour=TONES[severity])
    canvas.box(x, y, used + 10, 16, tone(severity), TONES[severity])
    return used + 10


def _place(canvas: Canvas, preview: Preview, at: Placed, top: float) -> None:
    x, y = _MARGIN + at.x * _COLUMN, top + at.y * _ROW
    width, height = at.width * _COLUMN, at.height * _ROW
    if y + height > canvas.height:
        return
    if at.panel is None:
        canvas.words(x + 2, y + 10, at.row.title, size=13, bold=True, room=width)
        return
    picture = preview.pictures[at.panel.title]
    canvas.box(x + _GAP / 2, y + _GAP / 2, width - _GAP, height - _GAP, _PAPER, _RULE)
    severity, word = words.titled(picture)
    mark = 0.0 if severity == "none" else 80.0
    used = canvas.words(x + 10, y + 9, at.panel.title, size=11, bold=True, colour=INK, room=width - 20 - mark)
    badge(canvas, x + 10 + used + 8, y + 7, severity, word)
    body(canvas, picture, preview.window, Box(x + 10, y + 30, width - 20, height - 38))
