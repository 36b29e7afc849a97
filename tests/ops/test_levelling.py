from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from aamic.compile.shards import Item, capacity
from aamic.ops.levelling import levelled

SHARDS = ["s", "t", "u", "v"]
HOMES = st.lists(st.tuples(st.integers(1, 50), st.sampled_from(SHARDS)), min_size=1, max_size=40)
Given = list[tuple[int, str]]


def level(given_: Given) -> tuple[list[Item], dict[str, str], dict[str, str]]:
    items = [Item(f"i{number:02d}", weight) for number, (weight, _) in enumerate(given_)]
    homes = {item.key: shard for item, (_, shard) in zip(items, given_, strict=True)}
    return items, homes, levelled(items, homes, SHARDS)


def loads(items: list[Item], placed: dict[str, str]) -> list[int]:
    return [sum(item.weight for item in items if placed[item.key] == shard) for shard in SHARDS]


@given(HOMES)
def test_no_item_is_left_out_and_the_fullest_is_never_fuller(given_: Given) -> None:
    items, homes, placed = level(given_)

    assert placed.keys() == homes.keys()
    assert set(placed.values()) <= set(SHARDS)
    assert max(loads(items, placed)) <= max(loads(items, homes))


@given(HOMES)
def test_no_shard_is_emptied_and_none_stays_empty_where_items_suffice(given_: Given) -> None:
    items, _, placed = level(given_)

    assert sum(load > 0 for load in loads(items, placed)) == min(len(items), len(SHARDS))


@given(HOMES)
def test_what_is_level_is_let_be(given_: Given) -> None:
    items, _, placed = level(given_)

    assert levelled(items, placed, SHARDS) == placed


@given(HOMES)
def test_where_it_ends_above_the_cap_no_move_from_the_fullest_to_the_emptiest_helps(given_: Given) -> None:
    items, _, placed = level(given_)
    found = loads(items, placed)
    if max(found) > capacity(sum(found), len(SHARDS)):
        fullest = SHARDS[found.index(max(found))]
        mine = [item.weight for item in items if placed[item.key] == fullest]
        assert min(mine) >= max(found) - min(found) or len(mine) == 1


def test_items_that_look_alike_go_in_runs() -> None:
    items = [Item(f"n{number:02d}", 1) for number in range(12)]
    placed = levelled(items, dict.fromkeys([item.key for item in items], "s"), ["s", "t", "u"])
    runs = [placed[item.key] for item in items]

    assert sum(one != other for one, other in pairwise(runs)) == 2
