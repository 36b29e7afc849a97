"""What dashboards show at one moment, as values: drawn by the preview, whoever was asked. Frozen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from aamic.model.dashboard import Dashboard, Panel

Severity = Literal["critical", "unknown", "warning", "info", "ok", "none"]
"""How a value is judged; `none` is nobody's judgement, `unknown` a value that was expected and is not there."""
ORDER: Final[tuple[Severity, ...]] = ("critical", "unknown", "warning", "info", "ok", "none")
"""The worst first."""


def worst(found: Iterable[Severity]) -> Severity:
    """The worst of some; `none` of nothing.

    >>> worst(["ok", "critical", "none"]), worst([])
    ('critical', 'none')
    """
    return min(found, key=ORDER.index, default="none")


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time, in seconds since 1970, and the seconds between two points of a line."""

    start: float
    end: float
    step: float

    @property
    def moments(self) -> tuple[float, ...]:
        """The moments of a line's values, from the first to the last.

        >>> Window(0, 60, 30).moments
        (0, 30, 60)
        """
        return tuple(
            self.start + number * self.step for number in range(round((self.end - self.start) / self.step) + 1)
        )


@dataclass(frozen=True, slots=True)
class Figure:
    """One value. `value` is None where there is no number; `text` stands in its place, `alert` is what fires there."""

    name: str
    value: float | None
    severity: Severity = "none"
    text: str = ""
    alert: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A series over time: a value for each moment of the window, None where there is none. `last` is the latest."""

    name: str
    values: tuple[float | None, ...]
    last: Figure

    @property
    def peak(self) -> float | None:
        """The highest value."""
        return max((each for each in self.values if each is not None), default=None)


@dataclass(frozen=True, slots=True)
class Firing:
    """An alert that fires; `since` in seconds since 1970, None where that is not known.

    `severity` is the word of its rule, `level` how that is shown.
    """

    name: str
    severity: str
    level: Severity
    labels: str
    since: float | None


@dataclass(frozen=True, slots=True)
class Picture:
    """What one panel shows; of its fields those are filled that its kind needs.

    `rows` have a cell for each of `heads`: text, or a value. `more` is how many series or rows are left out, and
    `faults` says why queries failed.
    """

    panel: Panel
    lines: tuple[Line, ...] = ()
    figures: tuple[Figure, ...] = ()
    heads: tuple[str, ...] = ()
    rows: tuple[tuple[str | Figure, ...], ...] = ()
    firing: tuple[Firing, ...] = ()
    more: int = 0
    faults: tuple[str, ...] = ()
    crossed: tuple[Figure, ...] = ()
    """What is worse than `info`, the worst first; some of it where it is much, and it may be among what is left out."""
    crossings: int = 0
    """How many are."""

    @property
    def severity(self) -> Severity:
        """The worst of what it shows."""
        return worst(each.severity for each in self.crossed)

    @property
    def empty(self) -> bool:
        """Whether nothing came for it, and nothing failed."""
        kept = self.lines or self.figures or self.rows or self.firing or self.panel.content
        return not kept and not self.faults


@dataclass(frozen=True, slots=True)
class Preview:
    """A dashboard with its pictures, by the titles of panels. `choices` are variables and what was chosen.

    `source` is who was asked, `notes` what is to be known of that, `strangers` what was chosen that is not there.
    """

    dashboard: Dashboard
    pictures: Mapping[str, Picture]
    window: Window
    source: str
    choices: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    strangers: tuple[str, ...] = ()

    @property
    def every(self) -> tuple[Picture, ...]:
        """The pictures in order of their panels."""
        return tuple(self.pictures[panel.title] for panel in self.dashboard.panels)

    @property
    def severity(self) -> Severity:
        """The worst of what it shows."""
        return worst(each.severity for each in self.every)

    @property
    def failed(self) -> tuple[Picture, ...]:
        """The pictures of which a query failed."""
        return tuple(each for each in self.every if each.faults)

    @property
    def empty(self) -> tuple[Picture, ...]:
        """The pictures that have nothing to show."""
        return tuple(each for each in self.every if each.empty)
