from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aamic.compile.findings import Findings
from aamic.compile.ports import Listener, NoPortLeftError, allocate, assign_ports, server_claims
from aamic.compile.topology import Plan
from aamic.model.fleet import Node
from aamic.model.site import Site
from tests.sites import document, told


def plan(name: str, host: str, port: int | None = None) -> Plan:
    return Plan(name, "shard", None, host, (), ("federation",), port, "/var/lib/aami/x", "15d")


def node(name: str, *reserved: int) -> Node:
    return Node(name, "198.18.0.1", None, None, {}, reserved_ports=reserved)


def test_each_host_counts_from_the_base() -> None:
    plans = [plan("shard-1", "a"), plan("shard-2", "b"), plan("shard-3", "a")]

    assert allocate(server_claims(plans, 9090), [], {"a": node("a"), "b": node("b")}) == (9090, 9090, 9091)


def test_ports_of_others_are_passed_over_on_every_host() -> None:
    alertmanager = Listener("Alertmanager", 9093, ("elsewhere",), ("alertmanager", "port"))
    plans = [plan(f"shard-{number}", "a") for number in range(1, 6)]

    assert allocate(server_claims(plans, 9090), [alertmanager], {"a": node("a")}) == (9090, 9091, 9092, 9094, 9095)


def test_reserved_and_slurm_ports_are_passed_over() -> None:
    plans = [plan(f"shard-{number}", "a") for number in range(1, 4)]

    assert allocate(server_claims(plans, 6816), [], {"a": node("a", 6821)}) == (6816, 6822, 6823)


def test_a_port_that_is_asked_for_is_kept_and_avoided() -> None:
    plans = [plan("shard-1", "a"), plan("shard-2", "a", 9090)]

    assert allocate(server_claims(plans, 9090), [], {"a": node("a")}) == (9091, 9090)


def test_the_end_of_the_range_wraps() -> None:
    plans = [plan(f"shard-{number}", "a") for number in range(1, 4)]

    assert allocate(server_claims(plans, 65_534), [], {"a": node("a")}) == (65_534, 65_535, 1024)


def test_a_host_may_have_no_port_left() -> None:
    nodes = {"a": node("a", *range(1024, 65_536)), "b": node("b", *range(1024, 65_535))}
    plans = [plan("s-1", "a"), plan("s-2", "b"), plan("s-3", "b"), plan("s-4", "b", 1025)]

    with pytest.raises(NoPortLeftError) as caught:
        allocate(server_claims(plans, 9090), [], nodes)

    assert caught.value.kinds == {"a": "servers of Prometheus", "b": "servers of Prometheus"}


SITE = """\
version: 1
cluster: {name: test}
prometheus: {node: mon}
nodes:
  mon: {address: 198.18.0.1}
  ctl: {address: 198.18.0.2}
"""


def assigned(text: str, plans: Sequence[Plan], listeners: Sequence[Listener], *nodes: Node) -> list[str]:
    """What is told of these, each with its place."""
    read = document(SITE + text)
    findings = Findings(read)
    site = Site.model_validate(read.data)
    claims = server_claims(plans, site.prometheus.port)
    assign_ports(site, claims, listeners, {node.name: node for node in nodes}, findings)
    return [f"{problem.place}: {problem.message}" for problem in findings.problems]


def test_no_port_left_is_told_once_for_each_host() -> None:
    full = node("mon", *range(1024, 65_536))

    assert assigned("", [plan("s-1", "mon"), plan("s-2", "mon")], [], full) == [
        "site.yaml:5:8: no port is free on `mon` for all servers of Prometheus"
    ]


def test_a_site_whose_host_has_no_port_left() -> None:
    ports = ", ".join(map(str, {*range(1024, 65_536)} - {9100}))

    assert told(SITE.replace("198.18.0.1", f"198.18.0.1, reserved_ports: [{ports}]")) == [
        "site.yaml:5:46: no port is free on `mon` for all servers of Prometheus (list fewer `reserved_ports`)"
    ]


@pytest.mark.parametrize(
    ("port", "hosts", "expected"),
    [
        (6817, ("ctl", "mon"), "port 6817 on `ctl` is taken twice: by Slurm's slurmctld and by exporter `x`"),
        (6818, ("ctl", "mon"), "port 6818 on `mon` is taken twice: by Slurm's slurmd and by exporter `x`"),
        (6819, ("ctl",), "port 6819 on `ctl` is taken twice: by Slurm's slurmdbd and by exporter `x`"),
        (6820, ("ctl",), "port 6820 on `ctl` is taken twice: by Slurm's slurmrestd and by exporter `x`"),
        (6817, ("mon",), None),
        (6818, ("ctl",), None),
    ],
)
def test_ports_of_slurm_are_taken_where_its_daemons_run(
    port: int, hosts: tuple[str, ...], expected: str | None
) -> None:
    exporter = Listener("exporter `x`", port, hosts, ("exporters", "custom", 0, "port"))
    nodes = node("mon"), node("ctl")

    actual = assigned("slurm: {controller: ctl}", [], [exporter], *nodes)

    assert [line.partition(": ")[2] for line in actual] == ([expected] if expected else [])
    assert assigned("slurm: {controller: ctl, enabled: false}", [], [exporter], *nodes) == []


def test_ports_of_root_are_told_where_another_user_listens() -> None:
    text = "alertmanager: {nodes: mon, port: 81}\nfederation: {central_node: mon, central: {port: 83}}"
    listeners = [
        Listener("Alertmanager", 81, ("mon",), ("alertmanager", "port"), unprivileged=True),
        Listener("exporter `x`", 82, ("mon",), ("exporters", "custom", 0, "port")),
    ]
    central = replace(plan("central", "mon", 83), port_origin=("federation", "central", "port"))

    assert assigned(text, [central], listeners, node("mon")) == [
        "site.yaml:7:34: port 81 needs root, which Alertmanager does not run as",
        "site.yaml:8:49: port 83 needs root, which Prometheus `central` does not run as",
    ]


def test_the_first_port_to_try_is_one_of_root() -> None:
    read = document(SITE.replace("{node: mon}", "{node: mon, port: 80}"))
    findings = Findings(read)

    site = Site.model_validate(read.data)
    assign_ports(site, server_claims([plan("s-1", "mon")], site.prometheus.port), [], {"mon": node("mon")}, findings)

    assert [(problem.message, problem.hint) for problem in findings.problems] == [
        ("port 80 needs root, which Prometheus does not run as", "use 1024 or above")
    ]


@given(
    hosts=st.lists(st.sampled_from("abc"), max_size=30),
    base=st.integers(1, 65_535),
    taken=st.lists(st.integers(1, 65_535), max_size=5),
)
def test_no_two_servers_of_a_host_share_a_port(hosts: list[str], base: int, taken: list[int]) -> None:
    plans = [plan(f"shard-{number}", host) for number, host in enumerate(hosts)]
    listeners = [Listener("exporter", port, ("a",), ("exporters",)) for port in taken]

    ports = allocate(server_claims(plans, base), listeners, {name: node(name) for name in "abc"})

    assert len({(one.host, port) for one, port in zip(plans, ports, strict=True)}) == len(plans)
    assert not set(ports) & set(taken)


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=20), st.sampled_from("abc"))
def test_a_further_shard_moves_no_port(hosts: list[str], host: str) -> None:
    nodes = {name: node(name) for name in "abc"}
    plans = [plan(f"shard-{number}", one) for number, one in enumerate([*hosts, host])]

    assert allocate(server_claims(plans, 9090), [], nodes)[:-1] == allocate(server_claims(plans[:-1], 9090), [], nodes)
