from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from aamic.compile.shards import Item, capacity, distribute


class Site(NamedTuple):
    items: list[Item]
    shards: list[str]


def site(nodes: int, shards: int, weights: Sequence[int], prefix: str = "gpu-") -> Site:
    items = [Item(f"{prefix}{index:04d}", weights[index % len(weights)]) for index in range(nodes)]
    return Site(items, [f"shard-{index}" for index in range(shards)])


# Weights as nodes have them: from a login node's 600 series to a dense AMD node's 10,000.
NODE_WEIGHTS = st.lists(st.integers(2_000, 10_000), min_size=1, max_size=5)
ANY_WEIGHTS = st.lists(st.integers(1, 10**7), min_size=1, max_size=20)
PREFIXES = st.sampled_from(["gpu-", "mi-", "r", "node"])
SMALL_SITES = st.builds(
    Site,
    st.lists(st.builds(Item, st.text(max_size=8), st.integers(1, 10**7)), max_size=60, unique_by=lambda item: item.key),
    st.lists(st.text(max_size=5), min_size=1, max_size=12, unique=True),
)
LARGE_SITES = st.builds(site, st.integers(1, 2_000), st.integers(1, 50), ANY_WEIGHTS, PREFIXES)
SITES = st.one_of(SMALL_SITES, LARGE_SITES)
NODE_SITES = st.builds(site, st.integers(1, 2_000), st.integers(1, 50), NODE_WEIGHTS, PREFIXES)


def moved(before: dict[str, str], after: dict[str, str], gone: str | None = None) -> int:
    """Items in both that change their shard, save those whose shard is gone."""
    return sum(before[key] not in (shard, gone) for key, shard in after.items() if key in before)


def without(shards: list[str], gone: str) -> list[str]:
    return [shard for shard in shards if shard != gone]


@settings(max_examples=70, deadline=None)
@given(SITES)
def test_every_item_lands_on_exactly_one_known_shard(given_site: Site) -> None:
    items, shards = given_site
    placed = distribute(items, shards)
    assert {item.key for item in items} == set(placed)
    assert set(placed.values()) <= set(shards)


@settings(max_examples=70, deadline=None)
@given(SITES)
def test_no_shard_exceeds_the_bound(given_site: Site) -> None:
    items, shards = given_site
    placed = distribute(items, shards)
    held: defaultdict[str, list[int]] = defaultdict(list)
    for item in items:
        held[placed[item.key]].append(item.weight)
    total = sum(item.weight for item in items)
    for weights in held.values():
        bound = max(capacity(total, len(shards)), total / len(shards) + min(weights))
        assert sum(weights) <= bound


@given(st.integers(0, 10**12), st.integers(1, 50))
def test_the_cap_lies_above_the_average_by_its_slack_and_one_step(total: int, shards: int) -> None:
    slackened = total * 1.15 / shards
    assert slackened * 0.999_999 <= capacity(total, shards) <= (slackened + 1) * (1 + 1 / 16) * 1.000_001


@settings(max_examples=70, deadline=None)
@given(SITES)
def test_no_shard_is_empty_unless_items_are_too_few(given_site: Site) -> None:
    items, shards = given_site
    placed = distribute(items, shards)
    assert min(len(items), len(shards)) <= len(set(placed.values()))


@settings(max_examples=60, deadline=None)
@given(SITES, st.randoms(use_true_random=False))
def test_the_order_of_items_and_shards_does_not_matter(given_site: Site, random: Random) -> None:
    items, shards = given_site
    shuffled_items, shuffled_shards = list(items), list(shards)
    random.shuffle(shuffled_items)
    random.shuffle(shuffled_shards)
    assert distribute(items, shards) == distribute(shuffled_items, shuffled_shards)


# The worst of 700 random sites of at least ten nodes a shard: 0.13 of the nodes moved with one node, 0.18 more than
# the least with a shard. The limits below leave half as much again; what happens on average is held further down.
@settings(max_examples=60, deadline=None)
@given(NODE_SITES, st.integers(2_000, 10_000), st.data())
def test_one_node_more_or_less_moves_few_others_even_at_worst(
    given_site: Site, weight: int, data: st.DataObject
) -> None:
    items, shards = given_site
    assume(len(items) >= 10 * len(shards))
    before = distribute(items, shards)
    lost = data.draw(st.integers(0, len(items) - 1))
    limit = 2 + len(items) // 5
    assert moved(before, distribute([*items, Item("new", weight)], shards)) <= limit
    assert moved(before, distribute(items[:lost] + items[lost + 1 :], shards)) <= limit


@settings(max_examples=60, deadline=None)
@given(NODE_SITES, st.data())
def test_one_shard_more_or_less_moves_few_of_the_others_nodes_even_at_worst(
    given_site: Site, data: st.DataObject
) -> None:
    items, shards = given_site
    assume(len(items) >= 10 * len(shards))
    before = distribute(items, shards)
    least = len(items) / (len(shards) + 1)
    assert moved(before, distribute(items, [*shards, "new"])) <= 2 + least + 0.3 * len(items)
    assume(len(shards) > 1)
    gone = data.draw(st.sampled_from(shards))
    assert moved(before, distribute(items, without(shards, gone)), gone) <= 2 + 0.2 * len(items)


FAMILY = [
    site(nodes, shards, weights, prefix)
    for nodes, shards in [(10, 3), (20, 7), (64, 3), (64, 8), (100, 8), (300, 10), (500, 50)]
    for weights in ([5_300], [5_300, 5_300, 2_100], [8_000, 27_000, 15_000, 21_000])
    for prefix in ("gpu-", "mi-")
]


def test_one_node_more_or_less_moves_about_one_other_on_average() -> None:
    counts = []
    for items, shards in FAMILY:
        before = distribute(items, shards)
        changed = [[*items, Item("new", items[0].weight)], items[1:], items[:-1]]
        counts += [moved(before, distribute(site, shards)) for site in changed]
    assert statistics.mean(counts) < 1.5
    assert statistics.median(counts) <= 1


def test_a_new_shard_moves_less_than_twice_the_least_on_average() -> None:
    ratios = [
        moved(distribute(items, shards), distribute(items, [*shards, "shard-new"])) * (len(shards) + 1) / len(items)
        for items, shards in FAMILY
    ]
    assert statistics.mean(ratios) < 2


def test_a_shard_that_goes_moves_less_than_its_own_share_of_the_others_nodes_on_average() -> None:
    ratios = [
        moved(before, distribute(items, without(shards, gone)), gone) * len(shards) / len(items)
        for items, shards in FAMILY
        for before in [distribute(items, shards)]
        for gone in (shards[0], shards[len(shards) // 2], shards[-1])
    ]
    assert statistics.mean(ratios) < 1


def test_the_fullest_shard_stays_near_the_average() -> None:
    for items, shards in FAMILY:
        loads = dict.fromkeys(shards, 0)
        placed = distribute(items, shards)
        for item in items:
            loads[placed[item.key]] += item.weight
        assert max(loads.values()) <= 1.22 * sum(loads.values()) / len(shards) or len(items) < 5 * len(shards)
