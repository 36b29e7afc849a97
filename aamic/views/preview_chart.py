"""Lines over time, drawn by matplotlib's objects: no window, no state of pyplot, no text that is mathematics."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from math import nan
from typing import Any, Final

from matplotlib import rc_context, rcdefaults, rcParams
from matplotlib.axes import Axes

from aamic.model.dashboard import Bound
from aamic.model.preview import Line, Picture, Severity, Window
from aamic.views.scale import bounded, drawn, extent, marks, times
from aamic.views.units import valued

INK: Final = "#1b1f24"
SOFT: Final = "#57606b"
GRID: Final = "#e3e7ec"
LINES: Final = ("#1f5fbf", "#c2570c", "#117a55", "#8e3bb0", "#0e7f90", "#a8326b", "#8a6a00", "#566270")
"""The colours of lines on paper."""
DASHES: Final = ("", "7 3", "2 2.5")
"""Lines are told apart by their dashes as well, as not everybody sees colours."""
TONES: Final[dict[Severity, str]] = {
    "critical": "#a40e26", "warning": "#7a4d00", "info": "#47505a", "ok": "#116329", "unknown": "#47505b",
    "none": "#57606b",
}  # fmt: skip


_DAY: Final = 86_400
_DATED: Final = 95
_TIMED: Final = 52
"""Pixels that a moment with its date needs, and one without."""


@dataclass(frozen=True, slots=True)
class Paper:
    """How large a chart is, in pixels, and its letters."""

    width: float
    height: float
    letters: float = 11.0


@contextmanager
def settings() -> Iterator[None]:
    """Matplotlib as it comes, whatever a person has set for drawings of their own."""
    with rc_context():
        rcdefaults()
        rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "aamic"})
        yield


def style(number: int) -> tuple[str, str]:
    """The colour and dashes of a line by its number.

    >>> style(0), style(8)
    (('#1f5fbf', ''), ('#1f5fbf', '2 2.5'))
    """
    return LINES[number % len(LINES)], DASHES[number % len(DASHES)]


def draw(axes: Axes, picture: Picture, window: Window, paper: Paper) -> None:
    """Draw the lines of a picture, its bounds and its scales; `axes` are as large as `paper`."""
    ends = extent(picture.panel, picture.lines)
    axes.set_xlim(window.start, window.end)
    axes.set_ylim(*ends)
    _scales(axes, picture, window, paper)
    if picture.panel.stacked:
        _stack(axes, picture.lines, window)
    else:
        for number, line in enumerate(picture.lines):
            _line(axes, line, number, window)
    for bound in drawn(picture.panel, ends):
        _bound(axes, bound, picture, paper)


def _scales(axes: Axes, picture: Picture, window: Window, paper: Paper) -> None:
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(SOFT)
    axes.tick_params(length=0, labelsize=paper.letters, labelcolor=SOFT, pad=4)
    axes.tick_params(axis="x", pad=8)
    axes.grid(visible=True, axis="y", color=GRID, linewidth=1)
    axes.set_axisbelow(True)
    places = marks(*axes.get_ylim(), picture.panel.unit, max(2, int(paper.height // 40)))
    axes.set_yticks(places, [valued(each, picture.panel.unit, window.end) for each in places], parse_math=False)
    wide = _DATED if window.end - window.start > _DAY else _TIMED
    moments = times(window, max(2, int(paper.width // wide)))
    axes.set_xticks([at for at, _ in moments], [text for _, text in moments], parse_math=False)


def _line(axes: Axes, line: Line, number: int, window: Window) -> None:
    colour, dashes = style(number)
    values = [nan if each is None else bounded(each) for each in line.values]
    axes.plot(
        window.moments, values, color=colour, linewidth=1.5, linestyle=_pattern(dashes), marker="o", markersize=3,
        markeredgewidth=0, markevery=_lonely(line),
    )  # fmt: skip


def _pattern(dashes: str) -> Any:
    return (0, tuple(map(float, dashes.split()))) if dashes else "-"


def _lonely(line: Line) -> list[int]:
    """Where a value has no neighbour: a line of one point is not seen without a dot."""
    there = [each is not None for each in line.values]
    around = zip([False, *there[:-1]], there, [*there[1:], False], strict=True)
    return [place for place, (before, own, after) in enumerate(around) if own and not before and not after]


def _stack(axes: Axes, lines: tuple[Line, ...], window: Window) -> None:
    """Each line upon those before it; one that is not there adds nothing, and where none is there, there is a gap."""
    base = [0.0] * len(window.moments)
    for number, line in enumerate(lines):
        top = [bounded(low + (each or 0.0)) for low, each in zip(base, line.values, strict=True)]
        colour, dashes = style(number)
        for run in _runs(line):
            over, below = window.moments[run], [*top[run], *reversed(base[run])]
            axes.fill([*over, *reversed(over)], below, facecolor=colour, alpha=0.35, linewidth=0)
        drawn_ = [nan if each is None else high for high, each in zip(top, line.values, strict=True)]
        axes.plot(
            window.moments, drawn_, color=colour, linewidth=1.5, linestyle=_pattern(dashes), marker="o", markersize=3,
            markeredgewidth=0, markevery=_lonely(line),
        )  # fmt: skip
        base = top


def _runs(line: Line) -> Iterator[slice]:
    """The places between gaps."""
    for there, run in groupby(range(len(line.values)), lambda place: line.values[place] is not None):
        if there:
            first, *rest = run
            yield slice(first, (rest or [first])[-1] + 1)


def _bound(axes: Axes, bound: Bound, picture: Picture, paper: Paper) -> None:
    """A line at the bound, with its word and value above it."""
    axes.axhline(bound.value, color=TONES[bound.severity], linewidth=1.2, linestyle=(0, (1.5, 2.5)))
    text = f"{bound.severity} {valued(bound.value, picture.panel.unit)}"
    axes.annotate(
        text, (1, bound.value), (-2, 2), xycoords=("axes fraction", "data"), textcoords="offset pixels", ha="right",
        va="bottom", color=TONES[bound.severity], fontsize=paper.letters - 1, parse_math=False, annotation_clip=False,
        bbox={"facecolor": "#ffffff", "edgecolor": "none", "alpha": 0.8, "pad": 0.5}, zorder=5,
    )  # fmt: skip
