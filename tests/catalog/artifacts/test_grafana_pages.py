"""Dashboards as JSON: what Grafana's own types read back, and the laws that no single panel shows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any, get_args

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import dashboard as sdk

from aamic.catalog.artifacts.grafana import tables
from aamic.catalog.artifacts.grafana.links import targets
from aamic.catalog.artifacts.grafana.pages import page
from aamic.catalog.artifacts.grafana.panels import number
from aamic.catalog.artifacts.grafana.sources import sources
from aamic.catalog.artifacts.grafana.words import literal
from aamic.compile.compiler import check_site
from aamic.model.dashboard import Bound, Column, Dashboard, Kind, Panel, Query, Row, Variable
from aamic.model.fleet import Fleet
from tests import fleets
from tests.sites import checked

GRAFANAS_VARIABLE = re.compile(r"\$(\w+)|\[\[(\w+?)(?::(\w+))?\]\]|\$\{(\w+)(?:\.([^:^}]+))?(?::([^}]+))?\}")
"""What Grafana 11 takes for a variable, by the source of its template service."""
SITE = """
    version: 1
    cluster: {name: seoul}
    racks:
      r01: {nodes: "gpu-[1-2]", addresses: "10.0.0.[1-2]", gpu: {vendor: nvidia, model: H100, count: 8}}
      r02: {nodes: "mi-[1-2]", addresses: "10.0.1.[1-2]", gpu: {vendor: amd, model: MI300X, count: 8}}
    nodes:
      "mon-[1-3]": {addresses: "10.0.2.[1-3]"}
    federation: {central_node: mon-1, shard_nodes: "mon-[2-3]", shards: 2}
    alertmanager: {nodes: mon-1}
    alerts: {presets: [node, gpu, slurm, federation, aamic], runbook_base: "https://runbooks.example.com/$cluster"}
    slurm: {controller: mon-1, pre_job_check: true, post_job_check: true}
    grafana: {admin_password: {env: GRAFANA_PASSWORD}}
    """


def fleet_of_examples() -> Fleet:
    return fleets.sharded()


@cache
def fleet_of_a_site() -> Fleet:
    return checked(SITE).fleet


@cache
def fleet_of_site_example() -> Fleet:
    return check_site(Path(__file__).parents[3] / "site.example/site.yaml").fleet


FLEETS: dict[str, Callable[[], Fleet]] = {
    "examples": fleet_of_examples,
    "catalog": fleet_of_a_site,
    "site.example": fleet_of_site_example,
}


@pytest.fixture(name="fleet", params=FLEETS)
def fixture_fleet(request: pytest.FixtureRequest) -> Fleet:
    return FLEETS[request.param]()


def pages(fleet: Fleet) -> dict[str, Any]:
    known = targets(fleet)
    return {each.uid: json.loads(page(each, known)) for each in fleet.dashboards}


def panels(fleet: Fleet, uid: str = "aamic-overview") -> dict[str, Any]:
    """The panels of one dashboard by the titles that they were given."""
    return {panel["title"].replace("\N{WORD JOINER}", ""): panel for panel in pages(fleet)[uid]["panels"]}


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from texts(item)


def parts(value: Any, key: str) -> Iterator[Any]:
    """Every value below a key of this name, at any depth."""
    for name, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        if name == key:
            yield item
        yield from parts(item, key)


def test_every_kind_of_panel_is_among_the_examples() -> None:
    assert {panel.kind for panel in fleets.OVERVIEW.panels} == set(get_args(Kind))


def test_the_types_of_grafana_read_back_what_was_written(fleet: Fleet) -> None:
    register_default_plugins()
    for written in pages(fleet).values():
        read = sdk.Dashboard.from_json(written)
        assert json.loads(json.dumps(read, cls=JSONEncoder)) == written


def test_the_same_dashboards_give_the_same_bytes(fleet: Fleet) -> None:
    first, second = ([page(each, targets(fleet)) for each in fleet.dashboards] for _ in range(2))
    assert first == second


def test_files_say_what_they_are(fleet: Fleet) -> None:
    for uid, written in pages(fleet).items():
        assert (written["uid"], written["schemaVersion"], written["editable"]) == (uid, 41, False)
        assert not {"id", "version"} & set(written)


def test_no_two_panels_have_one_id(fleet: Fleet) -> None:
    for written in pages(fleet).values():
        ids = [panel["id"] for panel in written["panels"]]
        assert sorted(set(ids)) == sorted(ids)


def test_no_panel_lies_on_another(fleet: Fleet) -> None:
    for written in pages(fleet).values():
        for one, other in combinations([panel["gridPos"] for panel in written["panels"]], 2):
            apart_x = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
            apart_y = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
            assert apart_x or apart_y
        assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in written["panels"])


def test_every_data_source_is_a_provisioned_one(fleet: Fleet) -> None:
    assert fleet.grafana is not None
    known = {each.uid for each in sources(fleet, fleet.grafana)}
    for written in pages(fleet).values():
        assert {found["uid"] for found in parts(written, "datasource")} <= known


def test_every_link_leads_to_a_dashboard_that_is_there(fleet: Fleet) -> None:
    found = pages(fleet)
    for written in found.values():
        for url in parts(written, "url"):
            if url.startswith("/"):
                uid, _, query = url.removeprefix("/d/").partition("?")
                names = {each["name"] for each in found[uid]["templating"]["list"]}
                assert set(re.findall(r"var-(\w+)=", query)) <= names


def test_queries_name_no_variable_that_the_dashboard_has_not(fleet: Fleet) -> None:
    for written in pages(fleet).values():
        names = {each["name"] for each in written["templating"]["list"]}
        named = {name for expr in parts(written["panels"], "expr") for name in re.findall(r"\$\{?([a-z]\w*)", expr)}
        assert named <= names


def test_no_word_is_taken_for_a_variable() -> None:
    for written in pages(fleet_of_examples()).values():
        words = [
            word
            for panel in written["panels"]
            for word in (panel["title"], panel.get("description", ""), *texts(panel.get("options", {})))
        ]
        words += [written["title"], written["description"], *(each["label"] for each in written["templating"]["list"])]
        words += [name for renames in parts(written, "renameByName") for name in renames.values()]
        words += [link["title"] for links in parts(written, "links") for link in links]
        assert [word for word in words if GRAFANAS_VARIABLE.search(word)] == []
    shown = pages(fleet_of_examples())["aamic-node"]["description"]
    assert shown.replace("\N{WORD JOINER}", "") == fleets.NODE.about


@pytest.mark.parametrize(
    ("text", "marks"),
    [("$5", 1), ("${a}", 1), ("[[a]]", 1), ("$ a", 0), ("a$", 0), ("[a]", 0), ("$$a", 1), ("[[[a", 2)],
)
def test_only_what_could_be_a_variable_is_marked(text: str, marks: int) -> None:
    assert literal(text).count("\N{WORD JOINER}") == marks
    assert GRAFANAS_VARIABLE.search(literal(text)) is None


def test_another_panel_changes_no_id_of_those_that_are_there() -> None:
    fleet = fleet_of_examples()
    more = Row("First", (Panel("More", "stat", (Query("up"),)), *fleets.OVERVIEW.rows[0].panels))
    changed = replace(fleets.OVERVIEW, rows=(more, *fleets.OVERVIEW.rows[1:]))
    before = {title: panel["id"] for title, panel in panels(fleet).items()}
    after = {title: panel["id"] for title, panel in panels(replace(fleet, dashboards=(changed, fleets.NODE))).items()}
    assert {title: after.get(title) for title in before if title != "Pictures"} == {
        title: id_ for title, id_ in before.items() if title != "Pictures"
    }


def test_titles_that_meet_get_two_ids() -> None:
    taken: set[int] = set()
    assert number("a", taken) + 1 == number("a", taken)


def test_colours_change_at_the_bounds_and_the_worse_of_two_counts() -> None:
    steps = panels(fleet_of_examples())["Temperature"]["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert [(step["value"], step["color"]) for step in steps] == [
        (None, "green"), (85, "orange"), (90, "orange"), (95, "red"),
    ]  # fmt: skip
    bare = panels(fleet_of_examples())["Power"]["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert [(step["value"], step["color"]) for step in bare] == [(None, "text")]


def test_the_runbooks_of_the_alerts_that_a_panel_shows_are_linked_once() -> None:
    links = panels(fleet_of_examples())["Temperature"]["links"]
    assert [(link["title"], link["url"], link["targetBlank"]) for link in links] == [
        ("Runbook of GpuHot", "https://runbooks.example.com/%24node#%5B%5Ba%5D%5D", True)
    ]
    assert panels(fleet_of_examples())["Power"]["links"] == []


def test_values_are_shown_by_name() -> None:
    shown = panels(fleet_of_examples())["Nodes that answer"]["fieldConfig"]["defaults"]
    assert shown["mappings"] == [
        {
            "type": "value",
            "options": {
                "0": {"text": "none", "color": "red", "index": 0},
                "1.5": {"text": "one and a half", "color": "#8e8e8e", "index": 1},
            },
        }
    ]
    assert panels(fleet_of_examples(), "aamic-node")["Up"]["fieldConfig"]["defaults"]["noValue"] == "unknown"


def test_a_click_on_a_series_opens_its_node_with_the_same_choices_and_time() -> None:
    (link,) = panels(fleet_of_examples())["Temperature"]["fieldConfig"]["defaults"]["links"]
    assert link["url"] == (
        "/d/aamic-node?var-node=${__field.labels.node:percentencode}"
        "&${cluster:queryparam}&${rack:queryparam}&${__url_time_range}"
    )
    assert panels(fleet_of_examples())["Power"]["fieldConfig"]["defaults"]["links"] == []


def test_dashboards_link_to_each_other_with_variables_and_time() -> None:
    links = pages(fleet_of_examples())["aamic-overview"]["links"]
    assert [(link["url"], link["includeVars"], link["keepTime"]) for link in links] == [("/d/aamic-node", True, True)]


def test_a_table_has_the_columns_that_it_names_in_their_order() -> None:
    found = panels(fleet_of_examples())["Hottest"]
    _, kept, order = found["transformations"]
    assert [each["id"] for each in found["transformations"]] == ["merge", "filterFieldsByName", "organize"]
    assert kept["options"]["include"]["names"] == ["node", "Value #A", "Value #B"]
    assert order["options"]["indexByName"] == {"node": 0, "Value #A": 1, "Value #B": 2}
    titles = {name: title.replace("\N{WORD JOINER}", "") for name, title in order["options"]["renameByName"].items()}
    assert titles == {"node": "Node", "Value #A": "Temperature", "Value #B": "Power of $node"}
    assert [(each["format"], each["instant"], each["refId"]) for each in found["targets"]] == [
        ("table", True, "A"), ("table", True, "B"),
    ]  # fmt: skip


def test_the_values_of_an_only_query_have_no_letter() -> None:
    alone = Panel("One", "table", (Query("up"),), columns=(Column("node", "Node"), Column("Value #A", "Up")))
    order = tables.transformations(alone)[-1].options
    assert order == {
        "indexByName": {"node": 0, "Value #A": 1, "Value": 2},
        "renameByName": {"node": "Node", "Value #A": "Up", "Value": "Up"},
    }


def test_columns_have_units_links_and_the_colours_of_the_panel() -> None:
    overrides = panels(fleet_of_examples())["Hottest"]["fieldConfig"]["overrides"]
    found = {
        each["matcher"]["options"]: {part["id"]: part["value"] for part in each["properties"]} for each in overrides
    }
    assert [each["matcher"]["id"] for each in overrides] == ["byName"] * 3
    assert found["Node"]["links"] == [
        {
            "title": "Node",
            "url": "/d/aamic-node?var-node=${__value.raw:percentencode}"
            "&${cluster:queryparam}&${rack:queryparam}&${__url_time_range}",
        }
    ]
    assert (found["Node"]["unit"], found["Node"]["mappings"]) == ("string", [])
    assert found["Temperature"]["unit"] == "celsius"
    assert found["Temperature"]["thresholds"]["steps"][-1] == {"value": 85, "color": "orange"}
    assert set(found["Power of $\N{WORD JOINER}node"]) == {"unit", "noValue"}
    assert {name: each.get("noValue") for name, each in found.items()} == {
        "Node": None, "Temperature": "-", "Power of $\N{WORD JOINER}node": "-",
    }  # fmt: skip


def test_a_column_has_its_own_bounds_and_alerts_about_a_panel_have_their_runbooks_linked() -> None:
    columns = (Column("node", "Node"), Column("Value #A", "A"), Column("Value #B", "B", bounds=(Bound(1, "critical"),)))
    table = Panel("T", "table", (Query("a"), Query("b")), columns=columns, alerts=("GpuHot", "Unknown"))
    spec = Dashboard("u", "T", "", (), (Row("R", (table,)),))
    _, shown = json.loads(page(spec, targets(fleet_of_examples())))["panels"]
    found = {
        each["matcher"]["options"]: {part["id"]: part["value"] for part in each["properties"]}
        for each in shown["fieldConfig"]["overrides"]
    }
    assert found["B"]["thresholds"]["steps"] == [{"value": None, "color": "green"}, {"value": 1, "color": "red"}]
    assert "thresholds" not in found["A"]
    assert shown["options"]["sortBy"] == [{"displayName": "B", "desc": True}]
    assert [link["title"] for link in shown["links"]] == ["Runbook of GpuHot"]


def test_choices_are_all_at_first_where_all_can_be_chosen() -> None:
    cluster, rack, node = pages(fleet_of_examples())["aamic-node"]["templating"]["list"]
    assert (cluster["current"], cluster["allValue"], cluster["multi"]) == (
        {"text": ["All"], "value": ["$__all"]}, ".*", True,
    )  # fmt: skip
    assert rack["query"]["query"] == 'label_values(up{cluster=~"$cluster"}, rack)'
    assert (node["includeAll"], node["multi"]) == (False, False)
    assert not {"current", "allValue"} & set(node)


def test_a_page_opens_with_a_value_in_place_of_all_of_them() -> None:
    (cluster,) = pages(fleet_of_a_site())["aamic-overview"]["templating"]["list"]
    assert cluster["current"] == {"text": ["seoul"], "value": ["seoul"]}
    assert (cluster["includeAll"], cluster["allValue"]) == (True, ".*")


def test_kinds_are_pictures_of_grafana() -> None:
    found = panels(fleet_of_examples())
    assert {title: panel["type"] for title, panel in found.items()} == {
        "Pictures": "row",
        "Nodes that answer": "stat",
        "Temperature": "timeseries",
        "Power": "timeseries",
        "Cells": "stat",
        "Load": "stat",
        "Bars": "bargauge",
        "Lists": "row",
        "Hottest": "table",
        "Firing": "alertlist",
        "Notes": "text",
    }
    custom = {title: found[title]["fieldConfig"]["defaults"]["custom"] for title in ("Temperature", "Power")}
    assert [custom[title]["stacking"]["mode"] for title in custom] == ["none", "normal"]
    assert [custom[title]["thresholdsStyle"]["mode"] for title in custom] == ["dashed", "off"]
    colours = [found[title]["fieldConfig"]["defaults"]["color"]["mode"] for title in ("Temperature", "Hottest", "Load")]
    assert colours == ["palette-classic-by-name", "thresholds", "continuous-blues"]
    assert found["Firing"]["options"]["stateFilter"]["firing"]
    assert [found[title]["targets"] for title in ("Firing", "Notes")] == [[], []]


def test_a_dashboard_of_hostile_words_is_read_as_it_was_written() -> None:
    panel = Panel(
        fleets.HOSTILE, "table", (Query("up"),), columns=(Column("node", fleets.HOSTILE),), empty=fleets.HOSTILE
    )
    spec = Dashboard(
        "u", fleets.HOSTILE, "", (Variable("node", fleets.HOSTILE, "up"),), (Row(fleets.HOSTILE, (panel,)),)
    )
    read = json.loads(page(spec, targets(fleet_of_examples())))
    assert [each["title"].replace("\N{WORD JOINER}", "") for each in (read, *read["panels"])] == [fleets.HOSTILE] * 3
