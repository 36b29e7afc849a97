from __future__ import annotations

from dataclasses import replace

import pytest

from aamic.model.fleet import Fleet
from aamic.model.rebalance import Balance, Candidate, Move, Transition, Verdict
from aamic.ops.rebalance import WAYS, balance_of, best, carried, gain_of, judge, needs
from tests.sites import checked

NOTHING = Transition((), (), (), (), 0, 0, 0.0)
MOVED = replace(NOTHING, moves=(Move("a", "b", ("n",)),), nodes=1, series=100)
EVEN = Balance({"a": 100, "b": 100}, 0.5, "mon")
UNEVEN = Balance({"a": 160, "b": 40}, 0.5, "mon")
FULL = Balance({"a": 100, "b": 100}, 0.9, "mon")


@pytest.mark.parametrize(
    ("present", "then", "change", "verdict"),
    [
        (UNEVEN, EVEN, MOVED, Verdict(worth=True, reason="it gains 38%")),
        (UNEVEN, EVEN, NOTHING, Verdict(worth=False, reason="it moves nothing")),
        (EVEN, Balance({"a": 60, "b": 60, "c": 80}, 0.3), MOVED, Verdict(worth=False, reason="nothing is too full")),
        (UNEVEN, Balance({"a": 150, "b": 50}, 0.5), MOVED, Verdict(worth=False, reason="it gains 6%")),
        (UNEVEN, Balance({"a": 170, "b": 30}, 0.5), MOVED, Verdict(worth=False, reason="it gains nothing")),
        (FULL, Balance({"a": 60, "b": 140}, 0.6, "mon"), MOVED, Verdict(worth=True, reason="it gains 33%")),
        (FULL, Balance({"a": 60, "b": 140}, None), MOVED, Verdict(worth=False, reason="it gains nothing")),
    ],
)
def test_moving_is_worth_it_where_something_is_too_full_and_enough_of_it_goes(
    present: Balance, then: Balance, change: Transition, verdict: Verdict
) -> None:
    assert verdict == judge(present, then, change)


@pytest.mark.parametrize(
    ("present", "told"),
    [
        (EVEN, ()),
        (UNEVEN, ("`a` is predicted to carry 1.60 times the average",)),
        (FULL, ("servers on `mon` are predicted to need 90% of its RAM",)),
        (replace(EVEN, measured={"a": 190, "b": 10}), ("`a` has 1.90 times the average in memory",)),
        (replace(EVEN, measured={"a": 190, "b": None}), ()),
        (replace(EVEN, memory=None), ()),
        (replace(UNEVEN, measured={"a": 100, "b": 100}), ()),
    ],
)
def test_why_there_is_a_need(present: Balance, told: tuple[str, ...]) -> None:
    assert told == needs(present)


def candidate(peak: int, series: int, *, worth: bool = True, split: tuple[str, ...] = ()) -> Candidate:
    change = replace(MOVED, series=series, split=split)
    return Candidate("auto", 2, Balance({"a": peak, "b": 1}, None), change, Verdict(worth, ""))


def test_the_least_full_is_proposed_and_of_close_ones_the_one_that_moves_least() -> None:
    far, near, nearest = candidate(150, 1), candidate(104, 50), candidate(100, 90)

    assert best([far, near, nearest], "auto") == near
    assert best([far, nearest], "auto") == nearest


def test_what_splits_no_rack_comes_first() -> None:
    splitting, whole = candidate(100, 1, split=("r1",)), candidate(120, 50)

    assert best([splitting, whole], "auto") == whole
    assert best([splitting], "auto") == splitting


def test_what_is_not_worth_it_is_taken_only_where_it_was_asked_for() -> None:
    poor, impossible = candidate(100, 1, worth=False), Candidate("rack", 9, fault="too few racks")

    assert best([poor, impossible], "auto") is None
    assert best([poor, impossible], "auto", by="auto") == poor
    assert best([impossible], "auto", by="auto") is None


def test_of_equals_the_sites_own_way_stays() -> None:
    equals = [replace(candidate(100, 10), by=way) for way in WAYS]

    assert [best(equals, own) for own in WAYS] == equals
    assert best([replace(equals[0], transition=replace(MOVED, series=9)), equals[1]], "rack") != equals[1]


def test_another_number_alone_leaves_the_way_as_it_is() -> None:
    better, own = candidate(50, 10), replace(candidate(100, 10, worth=False), by="rack")

    assert best([better, own], "rack") == better
    assert best([better, own], "rack", shards=3) == own
    assert best([better], "rack", by="auto", shards=3) == better


def test_the_gain_is_that_of_what_is_too_full() -> None:
    assert gain_of(UNEVEN, EVEN) == pytest.approx(0.375)
    assert gain_of(FULL, Balance({"a": 100, "b": 100}, 0.45)) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("then", "gain"),
    [
        (Balance({"a": 60, "b": 140}, 0.5, "mon", {"a": 5, "b": 95}), -5 / 90),
        (Balance({"a": 180, "b": 20}, 0.5, "mon", {"a": 55, "b": 45}), 35 / 90),
        (Balance({"a": 100, "b": 100}, 0.5, "mon"), 0.0),
    ],
)
def test_what_shards_have_in_memory_decides_and_not_what_was_predicted(then: Balance, gain: float) -> None:
    present = replace(UNEVEN, measured={"a": 10, "b": 90})

    assert gain_of(present, then) == pytest.approx(gain)
    assert judge(present, then, MOVED).worth == (gain > 0)


SPREAD = """
    version: 1
    cluster: {name: test}
    nodes: {"mon-[1-2]": {memory: 64GB}}
    racks:
      ra: {nodes: "a[1-6]", gpu: {vendor: nvidia, model: H100, count: 8}}
      rb: {nodes: "b[1-4]", gpu: {vendor: nvidia, model: H100, count: 8}}
    federation:
      central_node: mon-1
      shard_nodes: mon-2
      shards: [{name: east, SPLIT}, {name: west, REST}]
    """


def spread(east: str, west: str) -> Fleet:
    return checked(SPREAD.replace("SPLIT", east).replace("REST", west)).fleet


def test_nodes_bring_along_what_their_shard_has_in_memory() -> None:
    before = spread("racks: [ra]", "racks: [rb], nodes: 'mon-[1-2]'")
    after = spread("nodes: 'a[1-3]'", "racks: [rb], nodes: 'mon-[1-2],a[4-6]'")

    assert carried(before, after, {"east": 600, "west": 100}) == {"east": 300, "west": 400}
    assert carried(before, before, {"east": 600, "west": 100}) == {"east": 600, "west": 100}
    assert carried(before, after, {"east": 600, "west": None}) is None
    assert carried(before, after, None) is None


def test_a_host_of_several_servers_counts_as_what_they_need_together() -> None:
    text = """
        version: 1
        cluster: {name: test}
        nodes:
          mon: {memory: 1GB}
          other: {memory: 2TB}
          "gpu-[1-9]": {gpu: {vendor: nvidia, model: H100, count: 8}}
        federation: {central_node: other, shard_nodes: mon, shards: 2}
        """
    made = checked(text).fleet
    found = balance_of(made)
    shards = [server for server in made.servers if server.role == "shard"]

    assert found.host == "mon"
    assert found.memory == sum(server.load.memory for server in shards) / 1024**3
    assert found.series == {server.name: server.load.series for server in shards}
    assert found.imbalance == max(found.series.values()) * 2 / sum(found.series.values())
    assert found.measured_imbalance is None
