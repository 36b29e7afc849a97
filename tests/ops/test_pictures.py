"""What panels show of what was answered."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from aamic.clients.base import Sample, Track
from aamic.errors import OutsideError
from aamic.model.dashboard import Bound, Column, Named, Panel, Query
from aamic.model.preview import Figure, Firing
from aamic.ops.pictures import named, picture
from tests.everykind import END, HOT, LOOK, Answering, panel, shown


def test_values_are_judged_by_the_highest_bound_that_they_reach() -> None:
    found = shown(panel("stat", bounds=HOT, unit="celsius"), Answering({"a": 84.9, "b": 85, "c": 92, "d": math.nan}))

    assert [(each.name, each.severity, each.alert) for each in found.figures] == [
        ("a", "ok", ""),
        ("b", "warning", "GpuHot"),
        ("c", "critical", "GpuTooHot"),
        ("d", "unknown", ""),
    ]
    assert [each.name for each in found.crossed] == ["c", "d", "b"]
    assert found.severity == "critical"


def test_without_bounds_nobody_judges() -> None:
    found = shown(panel("stat"), Answering({"a": 1e9, "b": math.nan, "c": math.inf, "d": -math.inf}))

    assert {each.severity for each in found.figures} == {"none"}
    assert [(each.value, each.text) for each in found.figures] == [
        (1e9, ""),
        (None, "no number"),
        (None, "infinite"),
        (None, "minus infinite"),
    ]


def test_a_mapped_value_is_shown_by_its_word() -> None:
    words = (Named(1, "failing", "critical"), Named(2, "not known", "unknown"))
    found = shown(panel("stat", mappings=words), Answering({"a": 0, "b": 1, "c": 2}))

    assert [(each.text, each.severity) for each in found.figures] == [
        ("", "none"),
        ("failing", "critical"),
        ("not known", "unknown"),
    ]


def test_series_stand_in_natural_order_and_bars_by_value() -> None:
    assert [each.name for each in shown(panel("stat")).figures] == ["gpu-9", "gpu-10", "gpu-11"]
    assert [each.name for each in shown(panel("bars")).figures] == ["gpu-9", "gpu-11", "gpu-10"]


def test_cells_stand_by_the_labels_of_their_legend_and_those_without_a_label_last() -> None:
    one = replace(panel("heatmap"), queries=(Query("heat", "{{rack}} {{node}}"),))
    places = [{"node": "a"}, {"rack": "r2", "node": "b"}, {"rack": "R1", "node": "d"}, {"rack": "r2", "node": "a"}]
    found = picture(one, ([Sample(each, 1.0) for each in places],), LOOK)

    assert [each.name for each in found.figures] == ["R1 d", "r2 a", "r2 b", "a"]


def test_an_order_that_the_query_makes_is_kept() -> None:
    one = panel("stat", "topk(2, heat)")
    found = picture(one, ([Sample({"node": "b"}, 2.0), Sample({"node": "a"}, 1.0)],), LOOK)

    assert [each.name for each in found.figures] == ["b", "a"]


def test_of_too_many_lines_the_highest_are_shown_and_the_others_counted() -> None:
    found = shown(panel("timeseries"), Answering({f"gpu-{number}": float(number) for number in range(500)}))

    assert [line.name for line in found.lines] == [f"gpu-{number}" for number in range(488, 500)]
    assert found.more == 488


def test_what_crosses_a_bound_is_counted_though_it_is_not_shown() -> None:
    found = shown(panel("heatmap", bounds=HOT), Answering({f"n{number}": 99.0 for number in range(2500)}))

    assert (len(found.figures), found.more, found.crossings, len(found.crossed)) == (2000, 500, 2500, 8)


def test_a_line_has_gaps_where_there_are_no_samples_and_ends_where_it_ended() -> None:
    start, step = LOOK.window.start, LOOK.window.step
    track = Track({"node": "a"}, [(start, 99.0), (start + 2 * step, 98.0), (start + 3 * step, math.nan)])
    line = picture(panel("timeseries", bounds=HOT), ([track],), LOOK).lines[0]

    assert line.values[:4] == (99.0, None, 98.0, None)
    assert len(line.values) == len(LOOK.window.moments) == 241
    assert (line.last, line.peak) == (Figure("a", 98.0, "none", "ended"), 99.0)


def test_a_failed_query_is_told_and_the_others_are_shown() -> None:
    one = replace(panel("stat"), queries=(Query("broken"), Query("heat", "{{node}}"), Query("broken")))
    found = shown(one)

    assert found.faults == ("too <many> samples",)
    assert len(found.figures) == 3
    assert not found.empty


def test_a_column_is_judged_by_its_own_bounds() -> None:
    columns = (Column("node", "Node"), Column("Value #A", "Heat"), Column("Value #B", "Gone", bounds=HOT))
    one = Panel("t", "table", (Query("heat"), Query("gone")), columns=columns)
    found = picture(one, ([Sample({"node": "a"}, 95.0)], [Sample({"node": "a"}, 95.0)]), LOOK)

    assert found.rows == (("a", Figure("a", 95.0), Figure("a", 95.0, "critical", alert="GpuTooHot")),)
    assert found.severity == "critical"


def test_tables_join_queries_by_the_labels_that_they_show() -> None:
    columns = (Column("node", "Node"), Column("Value #A", "Heat"), Column("Value #B", "Power", "watt"))
    one = Panel("t", "table", (Query("heat"), Query("power")), columns=columns, bounds=HOT)
    heat = [Sample({"node": "n10", "job": "x"}, 95.0), Sample({"node": "n9", "job": "y"}, 60.0)]
    power = [Sample({"node": "n9"}, 600.0), Sample({"node": "n11"}, 1.0)]
    found = picture(one, (heat, power), LOOK)

    assert found.heads == ("Node", "Heat", "Power")
    assert found.rows == (
        ("n10", Figure("n10", 95.0, "critical", alert="GpuTooHot"), ""),
        ("n9", Figure("n9", 60.0, "ok"), Figure("n9", 600.0)),
        ("n11", "", Figure("n11", 1.0)),
    )


def test_rows_that_look_the_same_stay_apart() -> None:
    one = Panel("t", "table", (Query("heat"),), columns=(Column("node", "Node"), Column("Value", "Value")))
    found = picture(one, ([Sample({"node": "a", "gpu": "0"}, 1.0), Sample({"node": "a", "gpu": "1"}, 2.0)],), LOOK)

    assert [row[1] for row in found.rows] == [Figure("a", 1.0), Figure("a", 2.0)]


def test_a_table_without_columns_has_all_labels() -> None:
    found = picture(panel("table"), ([Sample({"__name__": "up", "node": "a", "gpu": "0"}, 1.0)],), LOOK)

    assert (found.heads, found.rows) == (("gpu", "node", "value"), (("0", "a", Figure("0 a", 1.0)),))


def test_the_most_severe_and_newest_alerts_come_first() -> None:
    fires = [
        Firing("Old", "critical", "critical", "", END - 900),
        Firing("Note", "info", "info", "", END),
        Firing("Odd", "page", "warning", "", None),
        Firing("New", "critical", "critical", "node=a", END - 9),
    ]
    found = shown(panel("alerts"), alarms=lambda: fires)

    assert [each.name for each in found.firing] == ["New", "Old", "Odd", "Note"]
    assert (found.severity, found.crossings, found.empty) == ("critical", 3, False)


def test_alerts_that_nobody_tells_are_a_fault() -> None:
    def silent() -> list[Firing]:
        raise OutsideError("`http://mon-01:9093` does not answer")

    found = shown(panel("alerts"), alarms=silent)

    assert (found.faults, found.empty) == (("`http://mon-01:9093` does not answer",), False)


@pytest.mark.parametrize(
    ("legend", "name"),
    [
        ("{{node}} of {{ rack }}", "a{{node}} of r1"),
        ("{{none}}", "m"),
        ("", "node=a{{node}}, rack=r1"),
        ("x" * 200, "x" * 79 + "…"),
    ],
)
def test_legends_are_filled_in_once_and_cut(legend: str, name: str) -> None:
    assert named(legend, {"__name__": "m", "node": "a{{node}}", "rack": "r1"}) == name


def test_equal_bounds_and_no_values_do_no_harm() -> None:
    bounds = (Bound(1, "warning"), Bound(1, "critical"))

    assert shown(panel("stat", "gone", bounds=bounds)).empty
    assert shown(panel("stat", bounds=bounds), Answering({"a": 1.0})).crossings == 1
