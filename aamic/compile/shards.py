"""Which shard holds which item: balanced, and stable when the site grows.

Consistent hashing with bounded loads (Mirrokni, Thorup and Zadimoghaddam, SODA 2018). Each item has its own order of
preference among the shards and goes to the first that has room; heavy items choose first. Three choices keep a
change of the site from spreading:

- *An order of preference is a row of probes of a hash ring*: the item's digest is cut into 16 positions, and each
  names the shard whose point comes next. One hash and a few bisections an item do what rendezvous hashing does with
  a hash for each pair of item and shard. Unlike the ring's own order of neighbours, the items of a full shard
  scatter over all others. Unlike jump consistent hashing (Lamping and Veach, 2014), a shard may be removed from the
  middle.
- *The cap is rounded up to five binary digits*, so it moves once in a growth of the site by 3 to 6 %. A cap that
  follows the total lets one added node move items all over the site.
- *A shard below the average always has room*, so a heavy item needs no second rule and a few racks stay even.

`bench/sharding.py` compares, over sites of 10 to 2,000 nodes on 3 to 50 shards with equal and mixed weights:

                           fullest shard   other nodes    a new shard    a shard goes:
                           to average      moved by one   moves, least   others move,
                           mean, worst     node           is 1           least is 0
    this module            1.16  1.38      0.6            1.5            0.6
    rendezvous, bounded    1.16  1.36      0.7            1.5            0.5
    same, cap not rounded  1.15  1.36      1.6            1.5            0.4
    ring's own order       1.17  1.35      0.9            1.7            0.5
    jump hash probes       1.16  1.40      0.7            1.6            3.9
    rendezvous, no bound   1.48  2.12      0.0            1.1            0.0
    sorted names, cut      1.06  1.26      8.1            8.4            5.4

So it is as good as rendezvous hashing with bounded loads, whose hashes grow as items times shards, and the price of
the bound is less than one node moved. The worst balance is that of 20 nodes on 7 shards.
"""

from __future__ import annotations

import struct
from bisect import bisect
from collections.abc import Sequence
from hashlib import blake2b
from operator import attrgetter
from typing import Final, NamedTuple

SLACK_PERCENT: Final = 15
"""How far over the average a shard may be filled before the cap is rounded; less balances better and moves more."""

_CAP_BITS: Final = 5
_POINTS: Final = 128
_PROBES: Final = struct.Struct("<16I")


class Item(NamedTuple):
    """What is placed as a whole, such as a node or a rack; `weight` is its load in predicted series, at least 1."""

    key: str
    weight: int


def distribute(items: Sequence[Item], shards: Sequence[str]) -> dict[str, str]:
    """Map the key of every item to its shard, whatever order items and shards come in.

    No shard stays empty where there are as many items as shards. With *average* as the total weight divided by the
    number of shards, no shard's load exceeds

        max(capacity(total, number of shards), average + weight of the shard's lightest item)

    Proof: the last item that a shard took is its lightest, for heavy items go first. Let it weigh w and find the load
    L. Either L + w <= capacity; or L < average, so the load is below average + w; or L = 0, where only empty shards
    were left to choose, so the load is w. And there is always such a shard: while an item waits, the loads sum to
    less than the total, so the least of them is below the average.

    >>> distribute([Item("r01", 900), Item("r02", 900)], ["east"])
    {'r01': 'east', 'r02': 'east'}

    Raises:
        ValueError: There is no shard, a shard or a key stands twice, or a weight is below 1. A site that was
            validated holds none of these.
    """
    _check(items, shards)
    total = sum([item.weight for item in items])
    cap = capacity(total, len(shards))
    below_average = -(-total // len(shards)) - 1
    positions, owners = _ring(shards)
    loads = dict.fromkeys(shards, 0)
    placed: dict[str, str] = {}
    empty = len(shards)
    digests = {item.key: _digest(item.key) for item in items}
    by_hash = sorted(items, key=lambda item: digests[item.key])
    for key, weight in sorted(by_hash, key=attrgetter("weight"), reverse=True):
        fill_empty = len(items) - len(placed) <= empty
        room = 0 if fill_empty else max(cap - weight, below_average)
        for probe in _PROBES.unpack(digests[key]):
            shard = owners[bisect(positions, probe)]
            if loads[shard] <= room:
                break
        else:
            shard = _favourite(key, [shard for shard, load in loads.items() if load <= room])
        empty -= not loads[shard]
        loads[shard] += weight
        placed[key] = shard
    return placed


def capacity(total: int, shards: int) -> int:
    """The load up to which a shard takes any item: `SLACK_PERCENT` over the average, rounded up by at most 1/16."""
    exact = -(-total * (100 + SLACK_PERCENT) // (100 * shards))
    step = 1 << max(0, exact.bit_length() - _CAP_BITS)
    return -(-exact // step) * step


def _ring(shards: Sequence[str]) -> tuple[list[int], list[str]]:
    """Sorted positions, and the shard that owns the stretch up to each; what lies after the last wraps around."""
    points = sorted(
        [
            (position, shard)
            for shard in shards
            for block in range(_POINTS * 4 // _PROBES.size)
            for position in _PROBES.unpack(_digest(f"{block} {shard}"))
        ]
    )
    return [position for position, _ in points], [shard for _, shard in points] + [points[0][1]]


def _favourite(key: str, shards: Sequence[str]) -> str:
    """The item's first choice among these shards, by rendezvous hashing: one hash each, so for few items only."""
    return max(shards, key=lambda shard: (_digest(f"{len(key)} {key} {shard}"), shard))


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass")).digest()


def _check(items: Sequence[Item], shards: Sequence[str]) -> None:
    if not shards:
        raise ValueError("there is no shard")
    if len(set(shards)) < len(shards):
        raise ValueError("a shard stands twice")
    if len({item.key for item in items}) < len(items):
        raise ValueError("an item stands twice")
    if any(item.weight < 1 for item in items):
        raise ValueError("a weight is below 1")
