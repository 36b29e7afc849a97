"""A graph as an SVG picture: a column for each layer; arrows that pass a column run below its boxes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from xml.etree import ElementTree as ET

from aamic.model.graph import Arrow, Box, Graph

_CHARACTER: Final = 7.8
_LINE: Final = 18
_PADDING: Final = 14
_GAP: Final = 90
_SPACE: Final = 16
_MARGIN: Final = 24
_MAX_CHARACTERS: Final = 48
_FILLS: Final = {
    "nodes": "#eef2f7",
    "shard": "#dbeafe",
    "central": "#bfdbfe",
    "alertmanager": "#fde68a",
    "receiver": "#dcfce7",
}
_STYLE: Final = (
    "text{font:13px ui-sans-serif,system-ui,sans-serif;fill:#111827}"
    ".title{font-weight:600}rect{stroke:#475569}path{stroke:#64748b;fill:none}"
)

_Spot = tuple[float, float, float, float]


def svg(graph: Graph) -> str:
    """The picture; every text in it is escaped by the XML library."""
    spots, width, height = _place(graph)
    root = ET.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {width:.0f} {height:.0f}",
            "width": f"{width:.0f}",
            "height": f"{height:.0f}",
            "role": "img",
            "aria-label": "monitoring topology",
        },
    )
    ET.SubElement(root, "style").text = _STYLE
    ET.SubElement(root, "rect", {"width": "100%", "height": "100%", "style": "fill:#ffffff;stroke:none"})
    for arrow in graph.arrows:
        _draw_arrow(root, arrow, spots)
    for box in graph.boxes:
        _draw_box(root, box, spots[box.key])
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"


def _place(graph: Graph) -> tuple[dict[str, _Spot], float, float]:
    """x, y, width and height of each box, and the size of the picture."""
    layers: dict[int, list[Box]] = {}
    for box in graph.boxes:
        layers.setdefault(box.layer, []).append(box)
    heights = {layer: sum(_height(box) + _SPACE for box in boxes) - _SPACE for layer, boxes in layers.items()}
    tallest = max(heights.values(), default=0)
    spots: dict[str, _Spot] = {}
    x: float = _MARGIN
    for layer in sorted(layers):
        width = max(_width(box) for box in layers[layer])
        y = _MARGIN + (tallest - heights[layer]) / 2
        for box in layers[layer]:
            spots[box.key] = (x, y, width, _height(box))
            y += _height(box) + _SPACE
        x += width + _GAP
    return spots, x - _GAP + _MARGIN, tallest + 2 * _MARGIN + _SPACE


def _width(box: Box) -> float:
    return max(len(_short(line)) for line in box.lines) * _CHARACTER + 2 * _PADDING


def _height(box: Box) -> float:
    return len(box.lines) * _LINE + 2 * _PADDING - 6


def _short(line: str) -> str:
    return line if len(line) <= _MAX_CHARACTERS else line[: _MAX_CHARACTERS - 1] + "…"


def _draw_box(root: ET.Element, box: Box, spot: _Spot) -> None:
    x, y, width, height = spot
    group = ET.SubElement(root, "g")
    ET.SubElement(group, "title").text = " ".join(box.lines)
    ET.SubElement(group, "rect", _numbers(x=x, y=y, width=width, height=height, rx=6) | {"fill": _FILLS[box.kind]})
    for number, line in enumerate(box.lines):
        at = _numbers(x=x + _PADDING, y=y + _PADDING + 9 + number * _LINE)
        ET.SubElement(group, "text", at | ({"class": "title"} if number == 0 else {})).text = _short(line)


def _draw_arrow(root: ET.Element, arrow: Arrow, spots: Mapping[str, _Spot]) -> None:
    source, target = spots[arrow.source], spots[arrow.target]
    x1, y1 = source[0] + source[2], source[1] + source[3] / 2
    x2, y2 = target[0], target[1] + target[3] / 2
    between = [spot for spot in spots.values() if x1 < spot[0] and spot[0] + spot[2] < x2]
    bends = [_curve(x1, y1, x2 - 6, y2)]
    if between:
        left, right = min(spot[0] for spot in between), max(spot[0] + spot[2] for spot in between)
        below = max(spot[1] + spot[3] for spot in between) + _SPACE
        bends = [_curve(x1, y1, left, below), f"L{right:.1f},{below:.1f}", _curve(right, below, x2 - 6, y2)]
    group = ET.SubElement(root, "g")
    ET.SubElement(group, "title").text = arrow.label
    ET.SubElement(group, "path", {"d": f"M{x1:.1f},{y1:.1f} {' '.join(bends)}"})
    head = f"M{x2 - 7:.1f},{y2 - 4:.1f} L{x2:.1f},{y2:.1f} L{x2 - 7:.1f},{y2 + 4:.1f} Z"
    ET.SubElement(group, "path", {"d": head, "style": "fill:#64748b"})


def _curve(x1: float, y1: float, x2: float, y2: float) -> str:
    middle = (x1 + x2) / 2
    return f"C{middle:.1f},{y1:.1f} {middle:.1f},{y2:.1f} {x2:.1f},{y2:.1f}"


def _numbers(**values: float) -> dict[str, str]:
    return {name: f"{value:.1f}" for name, value in values.items()}
