"""What is left of a document when faulty values are dropped, and where the rest was written."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aamic.compile.pruning import Pruning

Path = tuple[str | int, ...]

VALUES = st.recursive(
    st.one_of(st.none(), st.integers(0, 2), st.sampled_from(["a", "b"])),
    lambda below: st.one_of(
        st.lists(below, max_size=4), st.dictionaries(st.sampled_from(["a", "b", "nodes"]), below, max_size=3)
    ),
    max_leaves=12,
)
MAPPINGS = st.dictionaries(st.sampled_from(["a", "b", "nodes"]), VALUES, min_size=1)


def test_an_item_is_dropped_and_the_rest_moves_up() -> None:
    pruning = Pruning({"a": [10, 11, 12, 13]})
    pruning.drop(("a", 0))
    pruning.drop(("a", 2))
    assert pruning.kept() == {"a": [11, 13]}
    assert [pruning.original(("a", index)) for index in (0, 1)] == [("a", 1), ("a", 3)]


def test_what_lies_below_a_dropped_value_is_dropped_with_it() -> None:
    pruning = Pruning({"a": {"b": {"c": 1}}, "d": 2})
    pruning.drop(("a", "b", "c"))
    pruning.drop(("a",))
    pruning.drop(("a", "x"))
    assert pruning.kept() == {"d": 2}
    assert frozenset({("a",)}) == pruning.dropped()


def test_the_keys_that_a_site_must_have_get_stand_ins() -> None:
    pruning = Pruning({"version": 9})
    pruning.drop(("version",))
    pruning.drop(("cluster",))
    assert pruning.kept() == {"version": 1, "cluster": {"name": "unnamed"}}


@settings(max_examples=150, deadline=None)
@given(MAPPINGS, st.data())
def test_a_pruned_value_is_found_where_it_was_written(data: dict[str, Any], draws: st.DataObject) -> None:
    pruning = Pruning(data)
    for path in draws.draw(st.lists(st.sampled_from(_paths(data)), max_size=4)):
        pruning.drop(path)
    kept = pruning.kept()
    assert all(_at(kept, path) == _without_dropped(data, pruning, path) for path in _paths(kept))


def _paths(value: Any, path: Path = ()) -> list[Path]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    below = [found for step, item in items for found in _paths(item, (*path, step))]
    return [path, *below] if path else below


def _at(value: Any, path: Path) -> Any:
    for step in path:
        value = value[step]
    return value


def _without_dropped(data: dict[str, Any], pruning: Pruning, path: Path) -> Any:
    original = pruning.original(path)
    inside = Pruning({"value": _at(data, original)})
    for dropped in pruning.dropped():
        if dropped[: len(original)] == original:
            inside.drop(("value", *dropped[len(original) :]))
    return inside.kept()["value"]


@pytest.mark.parametrize(
    ("path", "value", "kept"),
    [
        (("racks", "r", "gpu", "count"), 0, 1),
        (("nodes", "nodes", "gpu", "model"), [], "unknown"),
        (("alerts", "custom", 0, "name"), "first-alert", "first_alert"),
        (("alerts", "custom", 0, "name"), "1st", "unnamed_0"),
        (("alerts", "custom", 0, "name"), "x" * 1000, "x" * 60),
        (("alerts", "custom", 0, "name"), {}, "unnamed_0"),
        (("exporters", "custom", 0, "port"), 0, 1),
        (("federation", "shards", 0, "name"), "a b", "unnamed-0"),
    ],
)
def test_a_value_that_its_mapping_needs_gets_a_stand_in(path: Path, value: Any, kept: Any) -> None:
    pruning = Pruning(holding(path, value))
    pruning.drop(path)
    assert (pruning.kept(), pruning.dropped()) == (holding(path, kept), frozenset({path}))


def holding(path: Path, value: Any) -> Any:
    """A value in the mappings and lists that lead to it."""
    for step in reversed(path):
        value = [value] if isinstance(step, int) else {step: value}
    return value


def test_a_key_that_is_missing_gets_its_stand_in() -> None:
    pruning = Pruning({"racks": {"r": {"gpu": {"vendor": "nvidia"}}}, "nodes": {}})
    pruning.drop(("racks", "r", "gpu", "count"))
    assert pruning.kept() == {"racks": {"r": {"gpu": {"vendor": "nvidia", "count": 1}}}, "nodes": {}}
