"""Where the marks of a chart's axes stand: round values in their unit, round times in UTC."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Final

from aamic.model.dashboard import Bound, Panel, Unit
from aamic.model.preview import Line, Window

_NICE: Final = (1.0, 2.0, 2.5, 5.0, 10.0)
_CLOCK: Final = {60.0: (1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0), 3600.0: (0.25, 0.5, 1.0, 2.0, 3.0, 6.0, 12.0, 24.0)}
_TIMES: Final = (
    60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800, 1_209_600, 2_592_000,
    7_776_000, 31_536_000,
)  # fmt: skip
_DAY: Final = 86_400
_ROOM: Final = 0.06
_NEAR: Final = 1.7
"""How many times the values a bound may be, and still be drawn."""
_FAR: Final = 0.4
"""Share of the highest value from which on the lowest is far enough from 0 that a scale need not show that."""
_LARGEST: Final = 1e100
"""Beyond this a value is drawn at the edge: arithmetic with it would overflow."""


def bounded(value: float) -> float:
    """A value that charts can compute with.

    >>> bounded(5), bounded(-1e308)
    (5, -1e+100)
    """
    return max(-_LARGEST, min(value, _LARGEST))


def extent(panel: Panel, lines: tuple[Line, ...]) -> tuple[float, float]:
    """The ends of the scale: what is known of it, as much more as the values need, and bounds that are not far."""
    every = [bounded(each) for line in lines for each in line.values if each is not None]
    if panel.stacked:
        columns = zip(*(line.values for line in lines), strict=True)
        every += [bounded(sum(each or 0.0 for each in column)) for column in columns]
    top = max(every, default=1.0)
    near = [each.value for each in panel.bounds if top * _NEAR >= each.value]
    low = min([*every, *([0.0] if panel.least is None else [panel.least])])
    if panel.least is None and not panel.stacked and min(every, default=0.0) > _FAR * top:
        low = min(every) * (1 - _ROOM)
    high = max([top, *near, *([] if panel.most is None else [panel.most])])
    if high <= low:
        high = low + (abs(low) or 1.0)
    room = (high - low) * _ROOM
    return low - (room if low < 0 else 0.0), high + (0.0 if high == panel.most else room)


def drawn(panel: Panel, ends: tuple[float, float]) -> list[Bound]:
    """The bounds within the ends of a scale, the highest last."""
    return sorted((each for each in panel.bounds if ends[0] <= each.value <= ends[1]), key=lambda each: each.value)


def marks(low: float, high: float, unit: Unit, most: int = 5) -> list[float]:
    """Round values from `low` to `high`, at most about so many.

    >>> marks(0, 3e9, "bytes"), marks(0, 1, "percentunit", 4), marks(0, 7000, "s")
    ([0.0, 1073741824.0, 2147483648.0], [0.0, 0.25, 0.5, 0.75, 1.0], [0.0, 1800.0, 3600.0, 5400.0])
    """
    size = _size(max(abs(low), abs(high)), unit)
    step = _step((high - low) / size / most, size if unit == "s" else 0) * size
    first = math.ceil(low / step - 1e-9)
    return [number * step for number in range(first, first + 2 * most + 2) if number * step <= high * (1 + 1e-9)]


def _size(top: float, unit: Unit) -> float:
    """What one is counted in."""
    if unit == "bytes":
        return 1024.0 ** min(6, int(math.log(top, 1024))) if top >= 1 else 1.0
    if unit == "s":
        return next((each for each in (86_400.0, 3600.0, 60.0) if top >= 2 * each), 1.0)
    return 1.0


def _step(least: float, counted: float) -> float:
    """The next round step; minutes and hours are round by the clock."""
    power = 10.0 ** math.floor(math.log10(least))
    clock = next((each for each in _CLOCK.get(counted, ()) if each >= least), None)
    return clock or next(each * power for each in _NICE if each * power >= least * (1 - 1e-9))


def times(window: Window, most: int) -> list[tuple[float, str]]:
    """Round moments of a window, at most so many, and how each is written.

    >>> times(Window(0, 21600, 120), 4)
    [(0, '00:00'), (7200, '02:00'), (14400, '04:00'), (21600, '06:00')]
    """
    span = window.end - window.start
    step = next((each for each in _TIMES if span / each < most), _TIMES[-1] * math.ceil(span / _TIMES[-1] / most))
    first = math.ceil(window.start / step) * step
    form = "%m-%d" if step >= _DAY else "%m-%d %H:%M" if span > _DAY else "%H:%M"
    found = (first + number * step for number in range(most + 1))
    return [(at, datetime.fromtimestamp(at, UTC).strftime(form)) for at in found if at <= window.end]
