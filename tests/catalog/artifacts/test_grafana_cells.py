"""Cells of racks: Grafana shows them in the order in which the preview does, whatever order a server answers in."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from aamic.catalog.artifacts.grafana.links import targets
from aamic.catalog.artifacts.grafana.pages import page
from aamic.clients.base import Sample
from aamic.model.dashboard import Dashboard, Panel
from aamic.ops.pictures import picture
from tests import fleets
from tests.dashboards import seen_example
from tests.everykind import LOOK

GRAFANAS_LETTERS = "_-.0123456789abcdefghijklmnopqrstuvwxyz"
"""As `Intl.Collator("en", {sensitivity: "base"})` orders what names consist of."""
PLACES = (
    ("01", "n_2"), ("01", "n-1"), ("r1", "gpu-001"), ("r1", "gpu-002"), ("r10", "gpu-100"), ("R2", "gpu-020"),
    ("r2", "gpu-021"), ("r2", "GPU-022"), ("", "adm"), ("", "mon.1"),
)  # fmt: skip


def racks() -> Dashboard:
    return next(each for each in seen_example().dashboards if each.uid == "aamic-racks")


def heatmaps() -> list[Panel]:
    return [panel for panel in racks().panels if panel.kind == "heatmap"]


def written(panel: Panel) -> dict[str, Any]:
    found = json.loads(page(racks(), targets(fleets.sharded())))["panels"]
    return next(each for each in found if each["title"] == panel.title)


def collated(text: str) -> tuple[bool, list[int]]:
    return not text, [GRAFANAS_LETTERS.index(letter) for letter in text.lower()]


def called_by_grafana(panel: dict[str, Any], rows: list[dict[str, str]]) -> list[str]:
    """What Grafana 11 makes of rows: each transformation in turn, and a cell's name of the texts of its row."""
    kept: list[str] = []
    for step in panel["transformations"]:
        if step["id"] == "sortBy":
            (by,) = step["options"]["sort"]
            rows = sorted(rows, key=lambda row: collated(row.get(by["field"], "")))
        elif step["id"] == "filterFieldsByName":
            kept = step["options"]["include"]["names"]
        elif step["id"] == "organize":
            kept = sorted(kept, key=step["options"]["indexByName"].__getitem__)
    return [" ".join(row[name] for name in kept if row.get(name)) for row in rows]


def shuffled(seed: int) -> list[dict[str, str]]:
    """Labels of nodes as a server may give them: a label without a value is none."""
    places = random.Random(seed).sample(PLACES, len(PLACES))  # noqa: S311  # no secret
    return [{"cluster": "c", "node": node, **({"rack": rack} if rack else {})} for rack, node in places]


@pytest.mark.parametrize("seed", range(5))
def test_cells_of_grafana_and_of_the_preview_stand_in_the_order_of_racks(seed: int) -> None:
    rows = shuffled(seed)
    assert heatmaps()
    for panel in heatmaps():
        shown = called_by_grafana(written(panel), rows)
        drawn = picture(panel, ([Sample(each, 1.0) for each in rows],), LOOK)
        assert shown == [each.name for each in drawn.figures] == [f"{rack} {node}".strip() for rack, node in PLACES]


def test_every_row_of_the_table_is_a_cell_and_no_text_of_it_becomes_a_number() -> None:
    for panel in heatmaps():
        found = written(panel)
        assert [each["format"] for each in found["targets"]] == ["table"]
        assert found["options"]["reduceOptions"]["values"]
        assert found["options"]["reduceOptions"]["limit"] >= 100_000
        assert [(each["matcher"], each["properties"]) for each in found["fieldConfig"]["overrides"]] == [
            (
                {"id": "byType", "options": "string"},
                [{"id": "unit", "value": "string"}, {"id": "mappings", "value": []}],
            )
        ]


def test_a_click_on_a_cell_opens_the_node_of_its_row() -> None:
    for panel in heatmaps():
        (link,) = written(panel)["fieldConfig"]["defaults"]["links"]
        assert link["url"].startswith("/d/aamic-node?var-node=${__data.fields.node:percentencode}&")
