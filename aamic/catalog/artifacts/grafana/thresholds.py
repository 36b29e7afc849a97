"""Colours: where a value becomes a warning, and what single values mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from grafana_foundation_sdk.models.dashboard import (
    Threshold,
    ThresholdsConfig,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)

from aamic.catalog.artifacts.grafana.words import literal
from aamic.model.dashboard import Bound, Panel

COLOURS: Final[Mapping[str, str]] = {
    "unknown": "#8e8e8e",
    "ok": "green",
    "info": "blue",
    "warning": "orange",
    "critical": "red",
}
"""By severity, the worst last."""
_NEUTRAL: Final = "text"


def thresholds(given: Iterable[Bound]) -> ThresholdsConfig:
    """The steps of colours: green until the first bound, and one colour where there is none.

    Of two bounds at one value the worse counts.
    """
    worse = list(COLOURS)
    bounds = sorted(given, key=lambda bound: worse.index(bound.severity))
    steps = sorted({bound.value: COLOURS[bound.severity] for bound in bounds}.items())
    base = Threshold(None, COLOURS["ok"] if steps else _NEUTRAL)
    return ThresholdsConfig(ThresholdsMode.ABSOLUTE, [base, *(Threshold(value, colour) for value, colour in steps)])


def mappings(panel: Panel) -> list[ValueMap]:
    """What is shown in place of single values; empty where numbers are shown as they are."""
    if not panel.mappings:
        return []
    results = {
        f"{each.value:g}": ValueMappingResult(literal(each.text), COLOURS[each.severity], index=index)
        for index, each in enumerate(panel.mappings)
    }
    return [ValueMap(results)]
