"""The documents of `aamic clusters` are those that docs/clusters.md describes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from aamic.model import overview

PAGE = (Path(__file__).parents[2] / "docs/clusters.md").read_text()
SECTION = PAGE.partition("\n## JSON\n")[2].partition("\n## ")[0]
DESCRIBED = set(re.findall(r"[a-z_]+", " ".join(re.findall("`([^`]+)`", SECTION))))


@pytest.mark.parametrize(
    "kind",
    [
        overview.Registry,
        overview.Listed,
        overview.Overview,
        overview.Seen,
        overview.Absent,
        overview.Total,
        overview.FoundAlerts,
        overview.Tried,
        overview.Step,
        overview.Details,
    ],
)
def test_every_key_is_described(kind: type[BaseModel]) -> None:
    assert set(kind.model_fields) - DESCRIBED == set()
