"""Compares ways to spread nodes over shards: balance, and what moves when a node or a shard comes or goes.

Run: python bench/sharding.py

    max/avg    the fullest shard against the average
    node       other nodes that move when one node is added or removed, on average
    shard+     nodes that move when a shard is added, as a multiple of the least possible, n / (N + 1)
    shard-     nodes of the shards that stay which move when one goes (the last, one in the middle), as a multiple
               of n / N; the least possible is 0
"""

from __future__ import annotations

import statistics
import time
from bisect import bisect
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b

from aamic.compile.shards import Item, capacity, distribute

SITES = [(10, 3), (20, 7), (64, 3), (64, 8), (100, 8), (300, 10), (500, 50), (2000, 8), (2000, 50)]
WEIGHTS: list[Callable[[int], int]] = [
    lambda _: 5_300,
    lambda index: 5_300 if index % 3 else 2_100,
    lambda index: 1_000 * (8 + index * 7_919 % 25),
]
FAMILIES = ("gpu", "mi")

Spread = Callable[[Sequence[Item], Sequence[str]], dict[str, str]]
Preference = Callable[[str, Sequence[str]], Iterator[str]]


def number(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def blocks(items: Sequence[Item], shards: Sequence[str]) -> dict[str, str]:
    """No hashing: sorted names cut into runs of equal weight."""
    total, before = sum(item.weight for item in items), 0
    placed: dict[str, str] = {}
    for item in sorted(items):
        placed[item.key] = shards[before * len(shards) // total]
        before += item.weight
    return placed


def rendezvous(key: str, shards: Sequence[str]) -> Iterator[str]:
    return iter(sorted(shards, key=lambda shard: number(f"{key} {shard}")))


def jump_probes(key: str, shards: Sequence[str]) -> Iterator[str]:
    for seed in range(64 * len(shards)):
        yield shards[jump(number(f"{seed} {key}"), len(shards))]


def jump(key: int, buckets: int) -> int:
    """Lamping and Veach, A Fast, Minimal Memory, Consistent Hash Algorithm (2014)."""
    bucket, following = -1, 0
    while following < buckets:
        bucket = following
        key = (key * 2862933555777941757 + 1) & (1 << 64) - 1
        following = int((bucket + 1) * ((1 << 31) / ((key >> 33) + 1)))
    return bucket


RINGS: dict[tuple[str, ...], list[tuple[int, str]]] = {}


def ring_walk(key: str, shards: Sequence[str]) -> Iterator[str]:
    """The neighbours in turn, as in the paper on bounded loads."""
    points = RINGS.get(tuple(shards))
    if points is None:
        points = sorted((number(f"{point} {shard}"), shard) for shard in shards for point in range(128))
        RINGS[tuple(shards)] = points
    start = bisect(points, (number(key), ""))
    return (points[(start + step) % len(points)][1] for step in range(len(points)))


def bounded(preference: Preference, cap_of: Callable[[int, int], int] = capacity) -> Spread:
    """The placement of `distribute` with another order of preference."""

    def spread(items: Sequence[Item], shards: Sequence[str]) -> dict[str, str]:
        total, loads = sum(item.weight for item in items), dict.fromkeys(shards, 0)
        placed: dict[str, str] = {}
        cap = cap_of(total, len(shards))
        for key, weight in sorted(items, key=lambda item: (-item.weight, number(item.key))):
            empty = {shard for shard in shards if not loads[shard]}
            if len(items) - len(placed) <= len(empty):
                room, among = 0, empty
            else:
                room, among = max(cap - weight, -(-total // len(shards)) - 1), set(shards)
            fits = (shard for shard in preference(key, shards) if shard in among and loads[shard] <= room)
            shard = next(fits, None) or min(among, key=lambda shard: (loads[shard], shard))
            loads[shard] += weight
            placed[key] = shard
        return placed

    return spread


def exact_cap(total: int, shards: int) -> int:
    return -(-total * 115 // (100 * shards))


WAYS: dict[str, Spread] = {
    "distribute (ring probes)": distribute,
    "rendezvous, bounded": bounded(rendezvous),
    "rendezvous, exact cap": bounded(rendezvous, exact_cap),
    "jump probes, bounded": bounded(jump_probes),
    "ring walk, bounded": bounded(ring_walk),
    "rendezvous, unbounded": bounded(rendezvous, lambda total, _: 2 * total),
    "sorted blocks": blocks,
}


def moved(before: dict[str, str], after: dict[str, str], gone: str = "") -> int:
    return sum(before[key] != shard for key, shard in after.items() if key in before and before[key] != gone)


def measure(spread: Spread, items: list[Item], shards: list[str]) -> tuple[float, float, float, float]:
    count, base = len(items), spread(items, shards)
    loads = dict.fromkeys(shards, 0)
    for item in items:
        loads[base[item.key]] += item.weight
    changed = [[*items, Item(f"new-{index}", items[index].weight)] for index in range(3)]
    changed += [items[:index] + items[index + 1 :] for index in (0, count // 2, count - 1)]
    node = statistics.mean(moved(base, spread(site, shards)) for site in changed)
    grown = moved(base, spread(items, [*shards, f"shard-{len(shards)}"])) * (len(shards) + 1) / count
    shrunk = statistics.mean(
        moved(base, spread(items, [shard for shard in shards if shard != gone]), gone) * len(shards) / count
        for gone in (shards[-1], shards[len(shards) // 2])
    )
    return max(loads.values()) * len(shards) / sum(loads.values()), node, grown, shrunk


def compare() -> None:
    print(f"{'':26}{'max/avg':>8}{'worst':>7}{'node':>7}{'shard+':>8}{'shard-':>8}")
    for name, spread in WAYS.items():
        rows = [
            measure(
                spread,
                [Item(f"{family}-{index:04}", weight(index)) for index in range(nodes)],
                [f"shard-{index}" for index in range(shards)],
            )
            for nodes, shards in SITES
            for weight in WEIGHTS
            for family in FAMILIES
        ]
        full, node, grown, shrunk = (statistics.mean(column) for column in zip(*rows, strict=True))
        worst = max(row[0] for row in rows)
        print(f"{name:26}{full:8.2f}{worst:7.2f}{node:7.2f}{grown:8.2f}{shrunk:8.2f}", flush=True)


def speed() -> None:
    items = [Item(f"gpu-{index:06}", 5_300) for index in range(100_000)]
    shards = [f"shard-{index}" for index in range(200)]
    for name in ("distribute (ring probes)", "jump probes, bounded"):
        start = time.process_time()
        WAYS[name](items, shards)
        print(f"{name:26}100,000 items on 200 shards: {time.process_time() - start:.2f} s of processor time")


if __name__ == "__main__":
    compare()
    speed()
