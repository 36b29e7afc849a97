"""Every query of every panel, asked of a real central Prometheus over a site in which everything happens."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from aamic.catalog.dashboards import BUILDERS
from tests.twin.dashboards import ONE_OF_EACH, SITE, Shown, everything, running
from tests.twin.test_run import needs_programs, processes_below

EMPTY: dict[tuple[str, str], str] = {}
"""Panels of which a query is rightly empty, by uid and title, and why."""

pytestmark = needs_programs


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    folder, scratch = tmp_path_factory.mktemp("dashboards"), tmp_path_factory.mktemp("scratch")
    (folder / "site.yaml").write_text(SITE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(scratch))
        with running(folder / "site.yaml") as found:
            yield found
    assert (list(scratch.iterdir()), processes_below(scratch)) == ([], {})


def test_every_query_of_every_panel_gives_data_with_all_values_and_with_one(shown: Shown) -> None:
    silent = []
    for page in shown.dashboards:
        choices = [shown.choice(page, wanted) for wanted in ONE_OF_EACH]
        for panel in page.panels:
            for query in panel.queries:
                whole = shown.rows(query, everything(page))
                one = max(shown.rows(query, choice) for choice in choices)
                if not (whole and one) and (page.uid, panel.title) not in EMPTY:
                    silent.append((page.uid, panel.title, query.expr, whole, one))
    assert silent == []


def test_every_variable_has_values(shown: Shown) -> None:
    without = []
    for page in shown.dashboards:
        for index, variable in enumerate(page.variables):
            before = {each.name: everything(page)[each.name] for each in page.variables[:index]}
            if not shown.values(variable, before):
                without.append((page.uid, variable.name))
    assert without == []


def test_a_whole_site_has_every_page(shown: Shown) -> None:
    assert len(shown.dashboards) == len(BUILDERS)
