from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aamic.compile.findings import Findings
from aamic.compile.nodes import is_address, resolve_nodes
from aamic.model.fleet import Gpu, Node
from aamic.model.site import Site
from tests.sites import document


def nodes(text: str) -> tuple[dict[str, Node], list[str]]:
    read = document("version: 1\ncluster: {name: t}\n" + text)
    findings = Findings(read)
    found, _ = resolve_nodes(Site.model_validate(read.data), read.inventory, ["nvidia", "amd"], findings)
    return found, [problem.message for problem in findings.problems]


def test_names_and_addresses_pair_in_order() -> None:
    found, problems = nodes('racks: {r1: {nodes: "n[9-11]", addresses: "10.0.0.[1-3]", labels: {row: a}}}')

    assert problems == []
    assert [(node.name, node.address, node.rack, node.labels) for node in found.values()] == [
        ("n10", "10.0.0.2", "r1", {"row": "a"}),
        ("n11", "10.0.0.3", "r1", {"row": "a"}),
        ("n9", "10.0.0.1", "r1", {"row": "a"}),
    ]


def test_without_addresses_names_are_resolved() -> None:
    found, _ = nodes('racks: {r1: {nodes: "n[1-2]"}}')

    assert [node.address for node in found.values()] == ["n1", "n2"]


def test_a_node_changes_only_what_it_says_of_its_rack() -> None:
    found, problems = nodes(
        "racks: {r1: {nodes: 'n[1-2]', gpu: {vendor: nvidia, model: H100, count: 8}, labels: {row: a, zone: x}}}\n"
        "nodes: {n2: {labels: {row: b}, memory: 1GB, gpu: {vendor: amd, model: MI300X, count: 4}, reserved_ports: [7]}}"
    )

    assert problems == []
    assert found["n1"] == Node("n1", "n1", "r1", Gpu("nvidia", "H100", 8), {"row": "a", "zone": "x"})
    assert found["n2"] == Node(
        "n2", "n2", "r1", Gpu("amd", "MI300X", 4), {"row": "b", "zone": "x"}, memory=1024**3, reserved_ports=(7,)
    )


def test_a_node_is_not_moved_to_another_rack_by_an_override() -> None:
    _, problems = nodes("racks: {r1: {nodes: n1}, r2: {nodes: n2}}\nnodes: {n1: {rack: r2}}")

    assert problems == ["node `n1` stands in racks `r1` and `r2`"]


def test_a_node_that_is_wrong_is_still_a_node() -> None:
    found, problems = nodes("nodes: {a: {address: 10.0.0.256}, 'b[1-2]': {addresses: 'c[1-3]'}}")

    assert list(found) == ["a", "b1", "b2"]
    assert problems == ["`10.0.0.256` is not an address", "2 nodes in `b[1-2]` but 3 addresses in `c[1-3]`"]


def test_addresses_are_compared_without_case() -> None:
    _, problems = nodes("nodes: {a: {address: FD00::1}, b: {address: 'fd00::1'}}")

    assert problems == ["nodes `a` and `b` have the same address `fd00::1`"]


@given(st.ip_addresses(v=4).map(str) | st.ip_addresses(v=6).filter(lambda ip: not ip.is_unspecified).map(str))
def test_every_ip_address_is_one(address: str) -> None:
    assert is_address(address)


@given(st.text(max_size=12))
def test_what_is_an_address_needs_no_quoting(text: str) -> None:
    if is_address(text):
        assert set(text) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:-_")
