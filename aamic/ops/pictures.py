"""What a panel shows of what was answered: named, judged by the panel's own bounds, in order, and of a bounded size."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from aamic.agent.health.drainwords import natural
from aamic.clients.base import Sample, Track
from aamic.model.dashboard import Panel, Query, labels_of
from aamic.model.preview import ORDER, Figure, Firing, Line, Picture, Window
from aamic.ops.panelasked import Answer, Look, legend
from aamic.ops.paneltable import rows
from aamic.ops.panelvalues import collated, figure, number, order

MOST: Final[Mapping[str, int]] = {
    "timeseries": 12, "stat": 12, "bars": 24, "heatmap": 2000, "table": 60, "alerts": 60, "text": 0,
}  # fmt: skip
"""Series or rows that a panel of each kind shows; the others are counted."""
_NAMED: Final = 8
"""What is crossed that is told by name."""
_NAME: Final = 80
_LABEL: Final = re.compile(r"\{\{\s*([^{}\s]+)\s*\}\}")


def picture(panel: Panel, found: Sequence[Answer], look: Look) -> Picture:
    """What a panel shows of the answers to its queries, one for each; what failed is told, and the others are shown."""
    faults = tuple(dict.fromkeys(each for each in found if isinstance(each, str)))
    if panel.kind == "alerts":
        return _alerts(panel, _firing(found), faults)
    if panel.kind == "table":
        return _table(panel, found, faults)
    if panel.kind == "timeseries":
        return _lines(panel, found, faults, look)
    return _figures(panel, found, faults, look)


def named(legend: str, labels: Mapping[str, str]) -> str:
    """What a series is called: the legend with its labels filled in, or all labels without one; cut if it is long.

    >>> named("GPU {{gpu}} of {{node}}", {"node": "gpu-001", "gpu": "3"}), named("", {"__name__": "up", "node": "a"})
    ('GPU 3 of gpu-001', 'node=a')
    """
    every = ", ".join(f"{name}={value}" for name, value in sorted(labels.items()) if name != "__name__")
    text = _LABEL.sub(lambda found: labels.get(found[1], ""), legend).strip() if legend else every
    text = text or labels.get("__name__", "")
    return text if len(text) <= _NAME else f"{text[: _NAME - 1]}…"


def _samples(panel: Panel, found: Sequence[Answer], look: Look) -> Iterable[Figure]:
    for query, answer in zip(panel.queries, found, strict=True):
        said = legend(query.legend, look)
        those = [each for each in answer if isinstance(each, Sample)] if not isinstance(answer, str) else []
        for each in _ordered(panel, query, said, those):
            yield figure(panel, named(said, each.labels), each.value)


def _ordered(panel: Panel, query: Query, said: str, those: Sequence[Sample]) -> Sequence[Sample]:
    """Cells by the labels of their legend, as Grafana sorts them; others as people read their names."""
    labels = labels_of(query.legend) if panel.kind == "heatmap" else ()
    if labels:
        return sorted(those, key=lambda each: [collated(each.labels.get(name, "")) for name in labels])
    return those if order(query.expr) else sorted(those, key=lambda each: natural(named(said, each.labels)))


def _figures(panel: Panel, found: Sequence[Answer], faults: tuple[str, ...], look: Look) -> Picture:
    every = list(_samples(panel, found, look))
    if panel.kind == "bars":
        every.sort(key=lambda each: -math.inf if each.value is None else each.value, reverse=True)
    most = MOST[panel.kind]
    kept = {id(each) for each in sorted(every, key=_badness)[:most]}
    shown = tuple(each for each in every if id(each) in kept)
    crossed, crossings = _crossed(every)
    return Picture(
        panel, figures=shown, more=len(every) - len(shown), faults=faults, crossed=crossed, crossings=crossings
    )


def _badness(each: Figure) -> int:
    return ORDER.index(each.severity)


def _crossed(every: Iterable[Figure]) -> tuple[tuple[Figure, ...], int]:
    """Some of what is critical, unknown or a warning, the worst first, and how much is."""
    bad = [each for each in every if _badness(each) < ORDER.index("info")]
    bad.sort(key=lambda each: (_badness(each), -math.inf if each.value is None else -each.value, natural(each.name)))
    return tuple(bad[:_NAMED]), len(bad)


def _lines(panel: Panel, found: Sequence[Answer], faults: tuple[str, ...], look: Look) -> Picture:
    """The lines that went highest, in order of their names: what is drawn is then what would cross a bound."""
    every = [
        _line(panel, named(legend(query.legend, look), each.labels), each, look.window)
        for query, answer in zip(panel.queries, found, strict=True)
        for each in (() if isinstance(answer, str) else answer)
        if isinstance(each, Track)
    ]
    highest = sorted(every, key=lambda each: (_badness(each.last), -_peak(each), natural(each.name)))
    shown = sorted(highest[: MOST["timeseries"]], key=lambda each: natural(each.name))
    crossed, crossings = _crossed(each.last for each in every)
    return Picture(
        panel, lines=tuple(shown), more=len(every) - len(shown), faults=faults, crossed=crossed, crossings=crossings
    )


def _peak(line: Line) -> float:
    return -math.inf if line.peak is None else line.peak


def _line(panel: Panel, name: str, track: Track, window: Window) -> Line:
    """A series at the moments of the window; where it has no sample there is a gap."""
    at = {round((moment - window.start) / window.step): number(value) for moment, value in track.samples}
    values = tuple(at.get(place) for place in range(len(window.moments)))
    last = next((each for each in reversed(values) if each is not None), None)
    ended = figure(panel, name, last)
    gone = values[-1] is None and last is not None
    return Line(name, values, Figure(name, last, "none", "ended") if gone else ended)


def _table(panel: Panel, found: Sequence[Answer], faults: tuple[str, ...]) -> Picture:
    heads, every = rows(panel, found)
    worst = [min((_badness(each) for each in row if isinstance(each, Figure)), default=len(ORDER)) for row in every]
    first = [row for _, row in sorted(zip(worst, every, strict=True), key=lambda pair: pair[0])]
    shown = tuple(first[: MOST["table"]])
    crossed, crossings = _crossed(each for row in every for each in row if isinstance(each, Figure))
    return Picture(
        panel, heads=heads, rows=shown, more=len(every) - len(shown), faults=faults, crossed=crossed,
        crossings=crossings,
    )  # fmt: skip


def _firing(found: Sequence[Answer]) -> list[Firing]:
    return [each for answer in found if not isinstance(answer, str) for each in answer if isinstance(each, Firing)]


def _alerts(panel: Panel, firing: Sequence[Firing], faults: tuple[str, ...]) -> Picture:
    """Alerts, the most severe and then the newest first."""

    def key(each: Firing) -> tuple[int, float, str, str]:
        return ORDER.index(each.level), -(each.since or 0.0), each.name, each.labels

    every = sorted(firing, key=key)
    shown = tuple(every[: MOST["alerts"]])
    crossed, crossings = _crossed(Figure(f"{each.name} {each.labels}"[:_NAME], None, each.level) for each in every)
    return Picture(
        panel, firing=shown, more=len(every) - len(shown), faults=faults, crossed=crossed, crossings=crossings
    )
