"""A picture measured in pixels from its upper left corner, for texts and boxes that end where their room ends."""

from __future__ import annotations

from functools import cache, lru_cache
from io import BytesIO
from typing import Final

from matplotlib import get_data_path
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from matplotlib.patches import Rectangle

from aamic.views.preview_chart import INK
from aamic.views.terminal import safe

_INCH: Final = 72.0
_SHARPNESS: Final = 1.5
_MISSING: Final = "?"
_TALLEST: Final = 14_000.0
"""Pixels; a picture that would be taller is cut there, as whoever draws it holds it in memory."""


class Canvas:
    """What is drawn on; no text is read as mathematics, and what its font has not is a question mark."""

    def __init__(self, width: float, height: float, ground: str) -> None:
        self.width, self.height = width, min(height, _TALLEST)
        self._figure = Figure(figsize=(self.width / _INCH, self.height / _INCH), dpi=_INCH * _SHARPNESS)
        self._figure.patch.set_facecolor(ground)
        self._canvas = FigureCanvasAgg(self._figure)

    def box(  # noqa: PLR0913, PLR0917  # where, how large and what colour
        self, x: float, y: float, width: float, height: float, colour: str, edge: str = "none"
    ) -> None:
        """Fill a rectangle."""
        place = (x / self.width, 1 - (y + height) / self.height)
        size = (width / self.width, height / self.height)
        shape = Rectangle(place, *size, transform=self._figure.transFigure, facecolor=colour, edgecolor=edge,
                          linewidth=1)  # fmt: skip
        self._figure.add_artist(shape)

    def words(  # noqa: PLR0913  # where, what and how
        self, x: float, y: float, text: str, *, size: float = 11, colour: str = INK, bold: bool = False,
        room: float = 1e9, align: str = "left",
    ) -> float:  # fmt: skip
        """Write text with its upper edge at `y`, cut where its room ends; returns how wide it is."""
        text = fitting(text, size, room, bold=bold)
        weight = "bold" if bold else "normal"
        self._figure.text(
            x / self.width, 1 - (y + size * 0.93) / self.height, text, fontsize=size, color=colour, fontweight=weight,
            ha=align, va="baseline", parse_math=False, family="DejaVu Sans",
        )  # fmt: skip
        return measured(text, size, bold=bold)

    def axes(self, x: float, y: float, width: float, height: float) -> Axes:
        """Axes in a rectangle."""
        place = (x / self.width, 1 - (y + height) / self.height, width / self.width, height / self.height)
        axes = self._figure.add_axes(place)
        axes.set_facecolor("none")
        axes.set_zorder(2)
        return axes

    def png(self) -> bytes:
        """The picture as a PNG file, without any date."""
        written = BytesIO()
        self._canvas.print_png(written, metadata={"Software": None})  # type: ignore[no-untyped-call]
        return written.getvalue()


def fitting(text: str, size: float, room: float, *, bold: bool = False) -> str:
    r"""Text on one line that is not wider than its room, with `…` where more follows.

    >>> fitting("abc\x1b", 10, 1000), fitting("a-name-that-is-long", 10, 50)
    ('abc\\x1b', 'a-nam…')
    """
    text = drawable(text[:500])
    if measured(text, size, bold=bold) <= room:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        fits = measured(f"{text[:middle]}…", size, bold=bold) <= room
        low, high = (middle, high) if fits else (low, middle - 1)
    return f"{text[:low]}…"


def drawable(text: str) -> str:
    r"""Text of which the font has every character.

    >>> drawable("65 °C ✕ \u4e2d")
    '65 °C ✕ ?'
    """
    return "".join(each if ord(each) in _characters() else _MISSING for each in safe(text))


def lines(text: str, size: float, room: float) -> list[str]:
    """Text in lines that are not wider than their room, cut at blanks.

    >>> lines("one two three", 10, 50)
    ['one two', 'three']
    """
    found: list[str] = []
    for word in text.split():
        longer = f"{found[-1]} {word}" if found else word
        if found and measured(longer, size) <= room:
            found[-1] = longer
        else:
            found.append(word)
    return found


def measured(text: str, size: float, *, bold: bool = False) -> float:
    """How wide text is as it is drawn, in pixels."""
    return _measured(drawable(text), size, bold=bold)


@lru_cache(maxsize=20_000)
def _measured(text: str, size: float, *, bold: bool) -> float:
    font = _font(bold=bold)
    font.set_size(size, _INCH)
    font.set_text(text, 0.0)
    return float(font.get_width_height()[0]) / 64


@cache
def _font(*, bold: bool) -> FT2Font:
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return FT2Font(f"{get_data_path()}/fonts/ttf/{name}")


@cache
def _characters() -> frozenset[int]:
    return frozenset(_font(bold=False).get_charmap()) & frozenset(_font(bold=True).get_charmap())
