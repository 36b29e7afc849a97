"""Shards that somebody filled by hand, levelled by moving as little as that takes."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence

from aamic.compile.shards import Item, capacity


def levelled(items: Sequence[Item], homes: Mapping[str, str], shards: Sequence[str]) -> dict[str, str]:
    """The shard of each item: where it is in `homes`, unless its shard is too full.

    An item goes from the fullest shard to the emptiest, until the fullest holds no more than what placement itself
    lets a shard have (`capacity`), or nothing that could go would make it better. Each step makes the two more alike,
    so it ends. No shard is emptied by it, and one that was empty gets an item where another has two.

    >>> levelled([Item("a", 5), Item("b", 5), Item("c", 5)], {"a": "s", "b": "s", "c": "s"}, ["s", "t", "u"])
    {'a': 's', 'b': 't', 'c': 'u'}
    """
    placed = {item.key: homes[item.key] for item in items}
    filled = {shard: sorted((item.weight, item.key) for item in items if placed[item.key] == shard) for shard in shards}
    loads = {shard: sum(weight for weight, _ in filled[shard]) for shard in shards}
    total = sum(loads.values())
    cap, average = capacity(total, len(shards)), total / len(shards)
    while True:
        emptiest = min(shards, key=loads.__getitem__)
        givers = shards if loads[emptiest] else [shard for shard in shards if len(filled[shard]) > 1]
        fullest = max(givers, key=loads.__getitem__, default=emptiest)
        if loads[fullest] <= cap and loads[emptiest]:
            break
        room = min(loads[fullest] - average, average - loads[emptiest])
        chosen = _nearest(filled[fullest], room, loads[fullest] - loads[emptiest])
        if chosen is None:
            break
        filled[fullest].remove(chosen)
        insort(filled[emptiest], chosen)
        weight, key = chosen
        loads[fullest] -= weight
        loads[emptiest] += weight
        placed[key] = emptiest
    return _in_runs(items, homes, placed)


def _in_runs(items: Sequence[Item], homes: Mapping[str, str], placed: Mapping[str, str]) -> dict[str, str]:
    """The same, but of items of one weight and one home the first ones stay, so that a person can read it."""
    alike: dict[tuple[int, str], list[str]] = {}
    for item in items:
        alike.setdefault((item.weight, homes[item.key]), []).append(item.key)
    runs: dict[str, str] = {}
    for (_, home), keys in alike.items():
        targets = sorted((placed[key] for key in keys), key=lambda shard: (shard != home, shard))
        runs |= zip(sorted(keys), targets, strict=True)
    return runs


def _nearest(filled: Sequence[tuple[int, str]], wanted: float, gap: int) -> tuple[int, str] | None:
    """Of items in order of weight the one nearest to what is wanted; lighter than the gap, or nothing is gained."""
    at = bisect_left(filled, (wanted, ""))
    near = [each for each in filled[max(at - 1, 0) : at + 1] if each[0] < gap]
    return min(near, key=lambda each: abs(each[0] - wanted), default=None)
