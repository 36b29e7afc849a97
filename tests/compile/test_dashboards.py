"""Dashboards are held against a site as rules are, and are left with what it feeds."""

from __future__ import annotations

import pytest

from aamic.compile.dashboards import of_query, of_variable
from aamic.model.dashboard import placed
from tests.dashboards import ALERTMANAGER, NVIDIA, SINGLE, SITES, of, panels, seen, seen_example, site
from tests.sites import checked


def test_nothing_of_the_full_site_is_left_out() -> None:
    full = seen_example()
    assert [each.variables for each in full.dashboards] == [each.variables for each in full.built]
    assert [(page.uid, panel.title, panel.queries) for page, panel in panels(full.dashboards)] == [
        (page.uid, panel.title, panel.queries) for page, panel in panels(full.built)
    ]


@pytest.mark.parametrize("name", SITES)
def test_nothing_is_wrong_with_what_is_shown(name: str) -> None:
    """No error, and no warning such as that both servers of a pair are counted."""
    found = of(name)
    notes = {
        (page.uid, panel.title, query.expr): of_query(query, page, found.ground, found.server)
        for page, panel in panels(found.dashboards)
        for query in panel.queries
    }
    notes |= {
        (page.uid, "", variable.name): of_variable(variable, page, found.ground, found.server)
        for page in found.dashboards
        for variable in page.variables
    }
    assert {key: note for key, note in notes.items() if note} == {}


def test_each_query_is_fed_by_some_site() -> None:
    """One that no site feeds would be left out everywhere, and nobody would ever see it."""
    kept: set[tuple[str, str, str]] = set()
    asked: set[tuple[str, str, str]] = set()
    for found in (*map(of, SITES), seen_example()):
        for dashboards, keys in ((found.dashboards, kept), (found.built, asked)):
            for page, panel in panels(dashboards):
                keys.update((page.uid, panel.title.partition(":")[0], query.legend) for query in panel.queries)
    assert asked - kept == set()


@pytest.mark.parametrize("name", SITES)
def test_no_row_or_page_is_empty_and_nothing_lies_over_another(name: str) -> None:
    for page in of(name).dashboards:
        assert [row.title for row in page.rows if not row.panels] == []
        boxes = [(each.x, each.y, each.width, each.height) for each in placed(page)]
        squares = [(x + right, y + down) for x, y, w, h in boxes for right in range(w) for down in range(h)]
        assert len(squares) == len(set(squares))
        assert max(x for x, _ in squares) < 24
        assert page.panels


@pytest.mark.parametrize("name", SITES)
def test_links_lead_to_pages_of_the_site_and_fill_variables_that_they_have(name: str) -> None:
    found = of(name)
    known = {page.uid: {variable.name for variable in page.variables} for page in found.dashboards}
    followed = [
        (panel.title, link, variable)
        for _, panel in panels(found.dashboards)
        for link, variable in (
            (panel.link, panel.link_label),
            *((column.link, column.variable) for column in panel.columns),
        )
        if link
    ]
    assert [each for each in followed if each[1] not in known or (each[2] and each[2] not in known[each[1]])] == []
    assert [(page.uid, uid) for page in found.dashboards for uid in page.others if uid not in known] == []


def test_a_site_without_gpus_has_no_page_of_gpus_and_no_links_to_it() -> None:
    found = of("no GPUs")
    assert "aamic-gpu" not in {page.uid for page in found.dashboards}
    assert "gpu" not in {row.title.lower() for page in found.dashboards for row in page.rows}
    assert {page.uid for page in found.dashboards} >= {"aamic-overview", "aamic-racks", "aamic-node"}


def test_a_variable_that_nothing_feeds_goes_with_the_matchers_that_name_it() -> None:
    """Central that reads `up` of nodes alone has no `node:down`, from which racks and nodes are chosen."""
    found = of("hardly anything")
    overview = found.dashboards[0]
    assert [each.title for each in overview.panels if each.queries][:2] == ["Nodes down", "Nodes unknown"]
    assert [page.uid for page in found.dashboards if "node" in {each.name for each in page.variables}] == []
    named = [
        query.expr
        for page, panel in panels(found.dashboards)
        for query in panel.queries
        if any(f"${name}" in query.expr for name in ("rack", "node", "vendor", "gpu"))
    ]
    assert named == []


def test_a_table_without_a_column_has_its_letters_in_order() -> None:
    first = next(panel for _, panel in panels(of("no GPUs").dashboards) if panel.title == "Nodes to look at first")
    assert [column.field for column in first.columns] == ["node", "rack", "Value #A", "Value #B"]
    assert [column.title for column in first.columns] == ["Node", "Rack", "Down", "Changed files"]
    assert len(first.queries) == 2


def test_a_move_to_thanos_takes_no_panel_and_no_query_away() -> None:
    before, after = ({page.uid: page for page in of(name).dashboards} for name in ("pairs", "thanos"))
    assert {uid: page.omitted for uid, page in after.items()} == {uid: page.omitted for uid, page in before.items()}
    for uid, page in before.items():
        kept = {panel.title: len(panel.queries) for panel in after[uid].panels}
        assert [panel.title for panel in page.panels if kept.get(panel.title, 0) < len(panel.queries)] == []


def test_only_a_site_with_grafana_pays_for_dashboards() -> None:
    plain = site([NVIDIA], SINGLE, ALERTMANAGER)
    grafana = "grafana: {admin_password: {env: SECRET}, enabled: ENABLED}"
    assert checked(plain).fleet.dashboards == ()
    assert checked(f"{plain}\n{grafana}".replace("ENABLED", "false")).fleet.dashboards == ()
    shown = checked(f"{plain}\n{grafana}".replace("ENABLED", "true")).fleet.dashboards
    assert shown == seen(plain).checked.fleet.dashboards


def test_a_bound_is_as_severe_as_the_alert_that_it_names() -> None:
    """A site may find that what is critical to most is none of its nights."""
    own = "{name: ShardDown, scope: central, severity: info, expr: 'up == 0', summary: x}"
    text = SITES["federated"].replace("racks:", f"alerts: {{disable: [ShardDown], custom: [{own}]}}\nracks:")
    (gone,) = (
        panel
        for page, panel in panels(seen(text).dashboards)
        if (page.uid, panel.title) == ("aamic-federation", "Shards down")
    )
    assert [(bound.value, bound.severity, bound.alert) for bound in gone.bounds] == [(1, "info", "ShardDown")]


def test_bounds_are_those_of_the_alerts_and_none_where_the_alerts_are_off() -> None:
    bounds = {
        panel.title: [(bound.value, bound.severity, bound.alert) for bound in panel.bounds]
        for page, panel in panels(of("both").dashboards)
        if page.uid == "aamic-gpu" and panel.wanted
    }
    assert bounds["GPU temperature: nvidia"] == [(85.0, "warning", "GpuHot"), (92.0, "critical", "GpuTooHot")]
    assert bounds["GPU temperature: amd"] == [(95.0, "warning", "GpuHot"), (103.0, "critical", "GpuTooHot")]
    assert bounds["Clock below the fastest of the node"] == [(0.3, "warning", "GpuSlowerThanPeers")]
    silent = {
        panel.bounds for page, panel in panels(of("no alerts").dashboards) if page.uid == "aamic-gpu" and panel.wanted
    }
    assert silent == {()}
