from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aamic.compile.ports import Listener, allocate
from aamic.compile.topology import Plan
from aamic.model.fleet import Node


def plan(name: str, host: str, port: int | None = None) -> Plan:
    return Plan(name, "shard", None, host, (), ("federation",), port, "/var/lib/aami/x", "15d")


def node(name: str, *reserved: int) -> Node:
    return Node(name, "198.18.0.1", None, None, {}, reserved_ports=reserved)


def test_each_host_counts_from_the_base() -> None:
    plans = [plan("shard-1", "a"), plan("shard-2", "b"), plan("shard-3", "a")]

    assert allocate(plans, 9090, [], {"a": node("a"), "b": node("b")}) == (9090, 9090, 9091)


def test_ports_of_others_are_passed_over_on_every_host() -> None:
    alertmanager = Listener("Alertmanager", 9093, ("elsewhere",), ("alertmanager", "port"))
    plans = [plan(f"shard-{number}", "a") for number in range(1, 6)]

    assert allocate(plans, 9090, [alertmanager], {"a": node("a")}) == (9090, 9091, 9092, 9094, 9095)


def test_reserved_and_slurm_ports_are_passed_over() -> None:
    plans = [plan(f"shard-{number}", "a") for number in range(1, 4)]

    assert allocate(plans, 6816, [], {"a": node("a", 6821)}) == (6816, 6822, 6823)


def test_a_port_that_is_asked_for_is_kept_and_avoided() -> None:
    plans = [plan("shard-1", "a"), plan("shard-2", "a", 9090)]

    assert allocate(plans, 9090, [], {"a": node("a")}) == (9091, 9090)


def test_the_end_of_the_range_wraps() -> None:
    plans = [plan(f"shard-{number}", "a") for number in range(1, 4)]

    assert allocate(plans, 65_534, [], {"a": node("a")}) == (65_534, 65_535, 1024)


@given(
    hosts=st.lists(st.sampled_from("abc"), max_size=30),
    base=st.integers(1, 65_535),
    taken=st.lists(st.integers(1, 65_535), max_size=5),
)
def test_no_two_servers_of_a_host_share_a_port(hosts: list[str], base: int, taken: list[int]) -> None:
    plans = [plan(f"shard-{number}", host) for number, host in enumerate(hosts)]
    listeners = [Listener("exporter", port, ("a",), ("exporters",)) for port in taken]

    ports = allocate(plans, base, listeners, {name: node(name) for name in "abc"})

    assert len({(one.host, port) for one, port in zip(plans, ports, strict=True)}) == len(plans)
    assert not set(ports) & set(taken)


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=20), st.sampled_from("abc"))
def test_a_further_shard_moves_no_port(hosts: list[str], host: str) -> None:
    nodes = {name: node(name) for name in "abc"}
    plans = [plan(f"shard-{number}", one) for number, one in enumerate([*hosts, host])]

    assert allocate(plans, 9090, [], nodes)[:-1] == allocate(plans[:-1], 9090, [], nodes)
