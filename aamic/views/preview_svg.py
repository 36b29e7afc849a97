"""A chart as SVG within a page: shapes with classes and no styles, so that the page's policy and colours hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from typing import Final
from xml.etree import ElementTree as ET

from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from aamic.model.preview import Picture, Window
from aamic.views.markup import shown
from aamic.views.preview_chart import GRID, LINES, SOFT, TONES, Paper, draw, settings

_SPACE: Final = "{http://www.w3.org/2000/svg}"
_CLASSES: Final = {
    GRID: "grid", SOFT: "soft", **{tone: f"t-{name}" for name, tone in TONES.items() if name != "none"},
    **{colour: f"l{number}" for number, colour in enumerate(LINES)},
}  # fmt: skip
_LONG: Final = re.compile(r"(\d+\.\d)\d+")


def chart(picture: Picture, window: Window, paper: Paper, about: str) -> str:
    """The chart of a picture's lines; `about` says what is seen, for who does not see it."""
    with settings():
        written = _written(picture, window, paper)
    body = "".join(_shapes(ET.fromstring(written), paper))  # noqa: S314  # what was just written here
    return f'<svg viewBox="0 0 {paper.width:g} {paper.height:g}" role="img" aria-label="{shown(about)}">{body}</svg>'


def _written(picture: Picture, window: Window, paper: Paper) -> bytes:
    left, right, top, bottom = 62.0, 20.0, 8.0, 26.0
    inner = Paper(paper.width - left - right, paper.height - top - bottom, paper.letters)
    figure = Figure(figsize=(paper.width / 72, paper.height / 72), dpi=72)
    canvas = FigureCanvasSVG(figure)
    axes = figure.add_axes((left / paper.width, bottom / paper.height, inner.width / paper.width,
                            inner.height / paper.height))  # fmt: skip
    draw(axes, picture, window, inner)
    written = BytesIO()
    canvas.print_svg(written, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))  # type: ignore[no-untyped-call]
    return written.getvalue()


def _shapes(root: ET.Element, paper: Paper) -> Iterator[str]:
    """Everything that has a colour of ours, flat and in order; backgrounds and marks of axes have none."""
    for each in _outside_definitions(root):
        style = dict(_declarations(each.get("style", "")))
        if each.tag == f"{_SPACE}text":
            yield _text(each, style, paper)
        elif each.tag == f"{_SPACE}path":
            yield _path(each.get("d", ""), style)
        elif each.tag == f"{_SPACE}use":
            yield _dot(each, style)


def _outside_definitions(root: ET.Element) -> Iterator[ET.Element]:
    for child in root:
        if child.tag != f"{_SPACE}defs":
            yield child
            yield from _outside_definitions(child)


def _declarations(style: str) -> Iterator[tuple[str, str]]:
    for each in style.split(";"):
        name, _, value = each.partition(":")
        yield name.strip(), value.strip()


def _path(d: str, style: dict[str, str]) -> str:
    kind = _CLASSES.get(style.get("stroke", ""))
    line = " ".join(_LONG.sub(r"\1", d).split())
    if kind:
        dashes = style.get("stroke-dasharray", "none")
        dashed = "" if dashes == "none" else f' stroke-dasharray="{dashes}"'
        width = style.get("stroke-width", "1")
        return f'<path class="line {kind}" d="{line}" stroke-width="{width}"{dashed}/>'
    area = _CLASSES.get(style.get("fill", ""))
    return f'<path class="area {area}" d="{line}"/>' if area else ""


def _dot(each: ET.Element, style: dict[str, str]) -> str:
    """A point of a line."""
    kind = _CLASSES.get(style.get("fill", ""))
    return f'<circle class="dot {kind}" cx="{each.get("x")}" cy="{each.get("y")}" r="1.5"/>' if kind else ""


def _text(each: ET.Element, style: dict[str, str], paper: Paper) -> str:
    kind = _CLASSES.get(style.get("fill", ""), "soft")
    at = " ".join(f'{name}="{float(each.get(name) or 0):.1f}"' for name in ("x", "y"))
    anchor = style.get("text-anchor", "start")
    size = style.get("font-size", f"{paper.letters}px")
    return f'<text class="{kind}" {at} text-anchor="{anchor}" font-size="{size}">{shown(each.text or "")}</text>'
