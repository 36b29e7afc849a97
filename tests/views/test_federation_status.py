"""How servers stand, byte for byte. `AAMIC_GOLDEN=update` writes the expected text anew: read it as at night."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from aamic.model.federation import FederationStatus, Group, Unknown
from aamic.ops.federation import judge
from aamic.views.federation_document import to_json
from aamic.views.federation_status import text
from tests.ops.test_federation import EXPECTED, FAULTS, NOW, A, judged, setting, world

PAGE = Path(__file__).parents[2] / "docs/federation.md"
DEAD = Unknown("`http://10.0.0.3:9090` does not answer: [Errno 111] Connection refused")


def troubled() -> FederationStatus:
    """One server of a pair is gone; the other has a node that is down, a rule that fails, and old data in central."""
    seen = world()
    for name in ("down", "rule", "old"):
        FAULTS[name][0](seen)
    setting(A, series=731_204)(seen)
    spoilt = dict.fromkeys(("ready", "clock", "version", "scrapes", "series", "groups", "reloaded", "oldest"), DEAD)
    setting("shard-1/b", **spoilt)(seen)
    expected = [replace(each, series=906_500 if each.name == A else 1_000, host=f"mon-0{number}")
                for number, each in zip((2, 3, 1), EXPECTED, strict=True)]  # fmt: skip
    return judge("seoul-gpu-1", NOW, expected, seen)


def test_the_docs_show_what_is_printed() -> None:
    printed = text(troubled())
    pattern = re.compile("(<!-- federation-status -->\n```text\n[$] [^\n]*\n)(.*?)(?=```\n)", re.DOTALL)
    if os.environ.get("AAMIC_GOLDEN") == "update":
        PAGE.write_text(pattern.sub(lambda found: found[1] + printed, PAGE.read_text()))

    assert [block for _, block in pattern.findall(PAGE.read_text())] == [printed]
    assert max(map(len, printed.splitlines())) <= 100


def test_the_widest_site_fits() -> None:
    large = [
        replace(each, name=f"shard-10{number}/a", host="monitoring-host-07.example.org", series=9_400_000)
        for number, each in enumerate(EXPECTED)
    ]
    groups = (Group("g", 15.0, 1.0, 1400, 3, ()),)
    values = {"series": 4_700_000, "oldest": NOW - 365 * 86_400, "groups": groups}
    seen = {
        each.name: replace(observed, **values)  # type: ignore[arg-type]  # each has its own type
        for each, observed in zip(large, world().values(), strict=True)
    }
    shown = text(judge("c", NOW, large, seen))

    assert "shard-102/a" in shown
    assert max(map(len, shown.splitlines())) <= 100, shown


def test_jobs_are_shown_where_they_are_asked_for() -> None:
    shown = text(judged(world(), A), jobs=True)

    assert "shard-1/a  node        6   0     0       0        0\n" in shown
    assert "node  " not in text(judged(world(), A))


def test_the_document_is_json_and_null_where_nothing_is_known() -> None:
    found = json.loads(json.dumps(to_json(troubled()), allow_nan=False))
    well, gone, central = found["servers"]

    assert (found["version"], found["state"], found["answered"]) == (1, "unknown", 2)
    assert well["targets"]["down_because"] == [
        {"job": "node", "address": "10.1.0.1:9100", "node": "gpu-1", "error": ""}
    ]
    assert (well["series"], well["federation"]["newest_sample_seconds_ago"]) == (
        {"head": 731_204, "predicted": 906_500, "percent": 80.7},
        101.0,
    )
    assert (gone["last_scrape"], gone["storage"]) == (
        {"newest_seconds_ago": None, "oldest_seconds_ago": None},
        {"oldest_seconds_ago": None, "retention_seconds": 86_400.0},
    )
    assert central["federation"] is None


@pytest.mark.parametrize("width", [40, 100, 200])
def test_reasons_are_as_wide_as_the_window(width: int) -> None:
    told = text(troubled(), width=width).split("\n\n", 1)[1]

    assert max(map(len, told.splitlines())) <= max(width, 60)
