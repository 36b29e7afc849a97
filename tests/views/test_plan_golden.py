"""Plans in every form, byte for byte. `AAMIC_GOLDEN=update` writes the expected files anew: read them as a reviewer."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from aamic.compile.hostlist import fold
from aamic.model.plan import Plan
from aamic.views.plan_html import html
from aamic.views.plan_markdown import markdown
from aamic.views.plan_text import text
from tests.views.plans import ALL, everything, large

GOLDEN = Path(__file__).with_name("golden")

FORMS: dict[str, Callable[[Plan], str]] = {
    "txt": lambda plan: text(plan, fold),
    "md": lambda plan: markdown(plan, fold),
    # How the page looks is one and the same text in all of them.
    "html": lambda plan: re.sub(r"<style>.*</style>", "<style></style>", html(plan, fold), flags=re.DOTALL),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", sorted(ALL.keys() - {"large"}))
def test_a_plan_looks_as_expected(name: str, form: str) -> None:
    printed = FORMS[form](ALL[name]())
    path = GOLDEN / f"plan-{name}.{form}"
    if os.environ.get("AAMIC_GOLDEN") == "update":
        path.parent.mkdir(exist_ok=True)
        path.write_text(printed)
    assert path.read_text() == printed


def test_colour_changes_nothing_but_colour() -> None:
    coloured = text(everything(), fold, colour=True)
    assert "\033[" in coloured
    assert text(everything(), fold) == re.sub("\033\\[[0-9;]*m", "", coloured)


def test_raw_lines_follow_their_meaning_when_asked() -> None:
    assert "scrape_interval: 30s\n" not in text(everything(), fold)
    assert re.search("30s → 15s\n .*@@\n .*global:\n .*-  scrape_interval: 30s\n", text(everything(), fold, raw=True))


def test_ten_thousand_hosts_are_a_few_screens() -> None:
    lines = text(large(), fold).splitlines()
    assert lines[0] == "30 to change on 7,290 of 10,000 hosts; 200 unreachable"
    assert any(line.startswith("    … 21 more versions on 21 hosts: gpu-") for line in lines)
    assert len(lines) < 1500
