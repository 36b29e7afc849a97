"""Placement as a whole: the laws of sharding hold for a fleet, not only for the algorithm below it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from aamic.compile.compiler import check_document, shipped_catalog
from aamic.model.fleet import Fleet, Server
from tests.sites import checked, document, told

SIZES = st.lists(st.integers(1, 30), min_size=1, max_size=12)


def site(sizes: list[int], loose: int, federation: str) -> str:
    racks = "".join(
        f"  r{number}: {{nodes: 'r{number}n[1-{size}]', gpu: {{vendor: {('nvidia', 'amd')[number % 2]}, model: X, "
        f"count: {1 + number % 8}}}}}\n"
        for number, size in enumerate(sizes)
    )
    return (
        f"version: 1\ncluster: {{name: t}}\nracks:\n{racks}nodes: {{'mon[1-{loose}]': {{}}}}\n"
        f"federation: {{central_node: mon1, {federation}}}\n"
    )


def fleet(text: str) -> Fleet:
    return check_document(document(text), shipped_catalog()).fleet


def shards(made: Fleet) -> list[Server]:
    return [server for server in made.servers if server.role == "shard" and server.replica in {None, "a"}]


@settings(max_examples=40, deadline=None)
@given(sizes=SIZES, loose=st.integers(1, 5), by=st.sampled_from(["auto", "rack", "count"]), data=st.data())
def test_each_node_is_scraped_by_exactly_one_shard(sizes: list[int], loose: int, by: str, data: st.DataObject) -> None:
    most = len(sizes) + loose if by == "rack" else sum(sizes) + loose
    count = data.draw(st.integers(1, most))
    made = fleet(site(sizes, loose, f"shards: {count}, by: {by}"))

    names = [name for server in shards(made) for name in server.nodes]
    assert sorted(names) == sorted(made.nodes)
    assert len(shards(made)) == count
    assert all(server.nodes for server in shards(made))
    if by == "rack":
        homes = {(made.nodes[name].rack, server.name) for server in shards(made) for name in server.nodes}
        assert len({rack for rack, _ in homes if rack}) == len([rack for rack, _ in homes if rack])


@settings(max_examples=30, deadline=None)
@given(hosts=st.integers(1, 5), count=st.integers(1, 20), replicas=st.integers(1, 2), loose=st.just(6))
def test_pairs_stand_apart_and_no_port_is_shared(hosts: int, count: int, replicas: int, loose: int) -> None:
    text = site([20], loose, f"shards: {count}, shard_nodes: 'mon[1-{hosts}]', replicas: {replicas}")
    if replicas > hosts:
        assert any("2 replicas need as many hosts" in line for line in told(text))
        return
    made = fleet(text)

    assert len({(server.host, server.port) for server in made.servers}) == len(made.servers) == count * replicas + 1
    assert len({(server.host, server.storage_path) for server in made.servers}) == len(made.servers)
    assert len({tuple(server.external_labels.items()) for server in made.servers}) == len(made.servers)
    for server in made.servers:
        peers = [other for other in made.servers if other.name == server.name]
        assert len({other.host for other in peers}) == len(peers)
        assert all(other.nodes == server.nodes for other in peers)


def test_a_further_node_moves_few_others() -> None:
    moved = 0
    for size in range(100, 110):
        before, after = (
            {name: server.name for server in shards(fleet(site([number], 1, "shards: 5"))) for name in server.nodes}
            for number in (size, size + 1)
        )
        moved += sum(after[name] != home for name, home in before.items())

    assert moved / 10 <= 2  # measured 0.6 on average by bench/sharding.py


def test_explicit_shards_take_their_own_host_port_and_retention() -> None:
    made = checked(
        site([4, 4], 2, "shard_nodes: 'mon[1-2]', shards: ["
             "{name: east, racks: [r0], host: mon2, prometheus: {port: 9500, retention: 3d, storage_path: /srv/east}},"
             "{name: west, racks: [r1], nodes: 'mon[1-2]'}]")
    ).fleet  # fmt: skip

    east, west, _ = made.servers
    assert (east.host, east.port, east.retention, east.storage_path) == ("mon2", 9500, "3d", "/srv/east")
    assert (west.host, west.port, west.retention, west.nodes) == (
        "mon2", 9090, "15d", ("mon1", "mon2", "r1n1", "r1n2", "r1n3", "r1n4"),
    )  # fmt: skip


def test_a_pair_may_stand_on_its_own_host_and_the_only_shard_node() -> None:
    made = checked(
        site([1], 3, "replicas: 2, shard_nodes: mon2, shards: [{name: a, nodes: 'mon[1-3],r0n1', host: mon3}]")
    ).fleet

    assert [(server.name, server.host) for server in made.servers] == [
        ("a", "mon3"),
        ("a", "mon2"),
        ("central", "mon1"),
    ]
