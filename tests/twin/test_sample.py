from hypothesis import given
from hypothesis import strategies as st

from aamic.model.fleet import Fleet
from aamic.model.site import Cluster, Federation, Site, Slurm
from aamic.twin.sample import choose_nodes
from tests.twin.fleets import fleet, node, server

SITE = Site(version=1, cluster=Cluster(name="test"))
VENDORS = ("nvidia", "amd", None)


def large(racks: int, rack_size: int) -> Fleet:
    """Racks of one vendor each, two shards on a host of their own, and central on another."""
    nodes = [
        node(f"n{rack:02d}-{index:02d}", VENDORS[rack % 3], f"r{rack:02d}")
        for rack in range(racks)
        for index in range(rack_size)
    ]
    names = [each.name for each in nodes]
    shards = [server(f"shard-{i + 1}", "shard", f"mon-{i + 1}", names[i::2]) for i in range(2)]
    return fleet(
        *nodes,
        *(node(f"mon-{i}") for i in range(4)),
        servers=[*shards, server("central", "central", "mon-0")],
        jobs={"node": names, "rare": names[-1:]},
        alertmanagers=["mon-3"],
    )


def test_a_small_site_takes_part_whole() -> None:
    whole = large(2, 2)

    assert choose_nodes(SITE, whole, 8) == tuple(whole.nodes)


def test_the_first_nodes_of_each_rack_take_part() -> None:
    chosen = choose_nodes(SITE, large(4, 10), 12)

    assert chosen == (
        *("mon-0", "mon-1", "mon-2", "mon-3"),
        *("n00-00", "n00-01", "n01-00", "n01-01", "n02-00", "n02-01", "n03-00", "n03-09"),
    )


def test_what_the_site_and_the_faults_name_takes_part() -> None:
    site = Site(
        version=1,
        cluster=Cluster(name="test"),
        federation=Federation(shard_nodes="mon-[1-2],n01-07"),
        slurm=Slurm(controller="n02-05"),
    )

    chosen = choose_nodes(site, large(3, 10), 5, ["n00-09"])

    assert {"n01-07", "n02-05", "n00-09"} <= set(chosen)


@given(st.integers(3, 9), st.integers(1, 12), st.integers(1, 60))
def test_a_sample_has_one_of_each_and_is_no_larger_than_it_must(racks: int, rack_size: int, limit: int) -> None:
    whole = large(racks, rack_size)

    chosen = choose_nodes(SITE, whole, limit)

    assert len(chosen) <= max(limit, 4 + 3 + 2 * 2 + 2)
    assert len(chosen) >= min(limit, len(whole.nodes))
    assert list(chosen) == [name for name in whole.nodes if name in chosen]
    assert {f"mon-{number}" for number in range(4)} <= set(chosen)
    assert all(set(each.nodes) & set(chosen) for each in whole.servers if each.nodes)
    assert all(endpoint.hosts & set(chosen) for endpoint in whole.endpoints)
    assert {n.gpu and n.gpu.vendor for n in map(whole.nodes.__getitem__, chosen)} == set(VENDORS)
