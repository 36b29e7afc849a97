from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aamic.model.fleet import Fleet
from aamic.model.rebalance import Folder, Move
from aamic.ops.moves import alerts_that_change, moves, owners, series_of, transition
from tests.sites import checked

SITE = """
    version: 1
    cluster: {{name: test}}
    prometheus: {{node: mon-1}}
    racks:
      ra: {{nodes: "a[1-3]", gpu: {{vendor: nvidia, model: H100, count: 8}}}}
      rb: {{nodes: "b[1-3]", gpu: {{vendor: nvidia, model: H100, count: 8}}}}
    nodes: {{"mon-[1-3]": {{}}}}
    federation: {{{federation}}}
    """
LISTED = 'central_node: mon-1, shard_nodes: "{hosts}", shards: [{{name: one, {one}}}, {{name: two, {two}}}]'

ASSIGNMENTS = st.dictionaries(st.sampled_from("abcdefghij"), st.sampled_from(["s", "t", "u"]))


def fleet(federation: str) -> Fleet:
    return checked(SITE.format(federation=federation)).fleet


def listed(one: str, two: str, hosts: str = "mon-[2-3]") -> Fleet:
    return fleet(LISTED.format(one=one, two=two, hosts=hosts))


@given(ASSIGNMENTS, ASSIGNMENTS)
def test_moves_lead_from_one_assignment_to_the_other_and_say_nothing_twice(
    before: Mapping[str, str], after: Mapping[str, str]
) -> None:
    found = moves(before, after)
    both = before.keys() & after.keys()
    led = {name: before[name] for name in both}
    led |= {name: move.target for move in found for name in move.nodes}

    assert {name: after[name] for name in both} == led
    assert all(before[name] == move.source != move.target for move in found for name in move.nodes)
    assert len({(move.source, move.target) for move in found}) == len(found)
    assert len({name for move in found for name in move.nodes}) == sum(len(move.nodes) for move in found)


@given(ASSIGNMENTS, ASSIGNMENTS)
def test_the_way_back_is_the_way_there_turned_round(before: Mapping[str, str], after: Mapping[str, str]) -> None:
    there = {(move.source, move.target): sorted(move.nodes) for move in moves(before, after)}
    back = {(move.target, move.source): sorted(move.nodes) for move in moves(after, before)}

    assert there == back


def test_from_one_server_to_shards_every_node_moves_and_its_history_stays() -> None:
    single, two = fleet("enabled: false"), listed("racks: [ra]", "racks: [rb], nodes: 'mon-[1-3]'")
    change = transition(single, two)

    assert change.moves == (
        Move("prometheus", "one", ("a1", "a2", "a3")),
        Move("prometheus", "two", ("b1", "b2", "b3", "mon-1", "mon-2", "mon-3")),
    )
    assert (change.nodes, change.history, change.kept) == (9, 15 * 86_400, ())
    assert change.left == (Folder("prometheus", "mon-1", "/var/lib/aami/prometheus", "15d"),)
    assert change.series == sum(series_of(single).values())


def test_between_shards_the_old_one_keeps_what_it_has() -> None:
    before = listed("racks: [ra, rb]", "nodes: 'mon-[1-3]'")
    change = transition(before, listed("racks: [ra], nodes: b1", "nodes: 'mon-[1-3],b[2-3]'"))

    assert change.moves == (Move("one", "two", ("b2", "b3")),)
    assert change.kept == (Folder("one", "mon-2", "/var/lib/aami/prometheus-one", "15d"),)
    assert (change.left, change.anew, change.split) == ((), (), ("rb",))


def test_a_shard_on_another_host_begins_anew() -> None:
    members = "racks: [ra, rb]", "nodes: 'mon-[1-3]'"
    change = transition(listed(*members), listed(*members, hosts="mon-[1,3]"))

    assert (change.moves, change.anew, change.nodes) == ((), ("one",), 6)
    assert change.left == (Folder("one", "mon-2", "/var/lib/aami/prometheus-one", "15d"),)


@pytest.mark.parametrize("federation", ["enabled: false", "central_node: mon-1, shards: 2", LISTED])
def test_the_series_of_nodes_are_what_servers_are_predicted_to_carry(federation: str) -> None:
    made = fleet(federation.format(hosts="mon-2", one="racks: [ra, rb]", two='nodes: "mon-[1-3]"'))
    series = series_of(made)
    shards = [server for server in made.servers if server.role != "central"]

    assert [server.load.series - 800 for server in shards] == [
        sum(series[name] for name in server.nodes) for server in shards
    ]
    assert owners(made).keys() == made.nodes.keys()


def test_alerts_of_federation_come_and_go_with_it() -> None:
    single, two = fleet("enabled: false"), fleet("central_node: mon-1, shards: 2")
    come, go = alerts_that_change(single, two)

    assert "ShardDown" in come
    assert go == ()
    assert alerts_that_change(two, single) == (go, come)
