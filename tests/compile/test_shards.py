from __future__ import annotations

from collections import Counter

import pytest

from aamic.compile.shards import Item, capacity, distribute


def racks(count: int, weight: int = 169_600) -> list[Item]:
    return [Item(f"r{number:02d}", weight) for number in range(1, count + 1)]


def test_one_shard_takes_everything() -> None:
    assert distribute(racks(3), ["shard-0"]) == {"r01": "shard-0", "r02": "shard-0", "r03": "shard-0"}


def test_no_item_is_placed_nowhere() -> None:
    assert distribute([], ["shard-0", "shard-1"]) == {}


def test_the_placement_is_part_of_the_contract_between_releases() -> None:
    # A release that changes this moves nodes on every site: it belongs into the changelog.
    expected = {
        "r01": "shard-0",
        "r02": "shard-2",
        "r03": "shard-1",
        "r04": "shard-0",
        "r05": "shard-0",
        "r06": "shard-1",
        "r07": "shard-2",
        "r08": "shard-1",
    }
    assert expected == distribute(racks(8), ["shard-0", "shard-1", "shard-2"])


@pytest.mark.parametrize(("count", "shards", "expected"), [(6, 3, [2, 2, 2]), (7, 3, [3, 2, 2]), (12, 4, [3, 3, 3, 3])])
def test_few_equal_racks_stay_even(count: int, shards: int, expected: list[int]) -> None:
    placed = distribute(racks(count), [f"shard-{number}" for number in range(shards)])
    assert expected == sorted(Counter(placed.values()).values(), reverse=True)


@pytest.mark.parametrize("count", [1, 5, 49, 50])
def test_items_up_to_the_number_of_shards_get_a_shard_each(count: int) -> None:
    placed = distribute(racks(count), [f"shard-{number}" for number in range(50)])
    assert count == len(set(placed.values()))


def test_one_giant_does_not_leave_a_shard_empty() -> None:
    items = [Item("giant", 1_000_000), *racks(3, weight=1)]
    placed = distribute(items, ["a", "b", "c", "d"])
    assert {"a", "b", "c", "d"} == set(placed.values())


def test_nothing_joins_a_giant_that_fills_its_shard() -> None:
    placed = distribute([Item("giant", 1_000_000), *racks(40, weight=1_000)], ["a", "b", "c"])
    assert [key for key, shard in placed.items() if shard == placed["giant"]] == ["giant"]


def test_keys_and_shards_are_any_text() -> None:
    items = [Item(key, 1) for key in ("", " ", "a b", "é", "\ud800", "{{ x }}", "r\n01")]
    placed = distribute(items, ["", "shard 1"])
    assert {"", "shard 1"} == set(placed.values())


@pytest.mark.parametrize(
    ("total", "shards", "expected"),
    [
        (0, 3, 0),
        (1, 1, 2),
        (100, 4, 29),
        (1_000, 1, 1_152),
        (1_001, 1, 1_152),
        (1_002, 1, 1_216),
        (339_200, 2, 196_608),
    ],
)
def test_the_cap_is_the_average_and_slack_in_coarse_steps(total: int, shards: int, expected: int) -> None:
    assert expected == capacity(total, shards)


@pytest.mark.parametrize(
    ("items", "shards", "message"),
    [
        ([Item("a", 1)], [], "there is no shard"),
        ([Item("a", 1)], ["x", "x"], "a shard stands twice"),
        ([Item("a", 1), Item("a", 2)], ["x"], "an item stands twice"),
        ([Item("a", 0)], ["x"], "a weight is below 1"),
    ],
)
def test_refuses_what_a_validated_site_never_holds(items: list[Item], shards: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        distribute(items, shards)
