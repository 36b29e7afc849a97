"""Stacked lines: what is not known is a gap, not a nought."""

from __future__ import annotations

from math import isnan

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon

from aamic.clients.base import Track
from aamic.ops.pictures import picture
from aamic.views.preview_chart import Paper, draw
from tests.everykind import LOOK, panel

START, STEP = LOOK.window.start, LOOK.window.step


def tracks(*places: range) -> list[Track]:
    """A series of the value 1 at each of some places of the window."""
    return [
        Track({"node": f"n{number}"}, [(START + place * STEP, 1.0) for place in there])
        for number, there in enumerate(places)
    ]


def values(line: Line2D) -> list[float]:
    return [float(each) for each in np.asarray(line.get_ydata())]


@pytest.mark.parametrize(
    ("places", "lonely", "areas"),
    [
        ((range(100, 110),), 231, [(100, 109)]),
        ((range(10), range(200, 241)), 190, [(0, 9), (200, 240)]),
        (([*range(5), *range(50, 60)],), 226, [(0, 4), (50, 59)]),
    ],
)
def test_where_no_line_is_there_is_a_gap(places: tuple[range, ...], lonely: int, areas: list[tuple[int, int]]) -> None:
    axes = Figure().add_subplot()
    stacked = picture(panel("timeseries", stacked=True), (tracks(*places),), LOOK)
    draw(axes, stacked, LOOK.window, Paper(600, 200, 11.0))
    drawn = [values(line) for line in axes.lines[: len(places)]]
    assert sum(all(isnan(each) for each in column) for column in zip(*drawn, strict=True)) == lonely
    found = [
        (min(patch.get_xy()[:, 0]), max(patch.get_xy()[:, 0])) for patch in axes.patches if isinstance(patch, Polygon)
    ]
    assert found == [(START + first * STEP, START + last * STEP) for first, last in areas]


def test_a_line_that_is_not_there_adds_nothing_to_the_others() -> None:
    axes = Figure().add_subplot()
    stacked = picture(panel("timeseries", stacked=True), (tracks(range(20), range(10)),), LOOK)
    draw(axes, stacked, LOOK.window, Paper(600, 200, 11.0))
    assert [max(values(line)[:10]) for line in axes.lines[:2]] == [1.0, 2.0]
