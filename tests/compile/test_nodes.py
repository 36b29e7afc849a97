from __future__ import annotations

from collections.abc import Sequence

import pytest

from aamic.compile.findings import Findings
from aamic.compile.inventory import Row
from aamic.compile.nodes import resolve_nodes
from aamic.model.fleet import Gpu, Node
from aamic.model.site import Site
from tests.sites import document


def nodes(text: str, cells: Sequence[tuple[str, ...]] = ()) -> tuple[dict[str, Node], list[str]]:
    read = document("version: 1\ncluster: {name: t}\n" + text)
    findings = Findings(read)
    rows = [Row._make((*row, line, "n.csv")) for line, row in enumerate(cells, start=2)]
    found, _ = resolve_nodes(Site.model_validate(read.data), rows, ["nvidia", "amd"], findings)
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


RACK = 'racks: {r1: {nodes: "n[1-2]", gpu: {vendor: nvidia, model: H100, count: 8}, labels: {row: a, zone: x}}}\n'


def test_a_node_that_joins_a_rack_has_what_the_rack_has() -> None:
    found, problems = nodes(RACK + "nodes: {m: {address: 10.0.0.1, rack: r1, labels: {row: b}}}")

    assert problems == []
    assert found["m"] == Node("m", "10.0.0.1", "r1", Gpu("nvidia", "H100", 8), {"row": "b", "zone": "x"})


def test_a_row_that_joins_a_rack_has_what_the_rack_has() -> None:
    found, problems = nodes(
        RACK,
        [("a", "10.0.0.1", "r1", "", "", ""), ("b", "10.0.0.2", "r1", "amd", "MI300X", "4"), ("c", "c", *[""] * 4)],
    )

    assert problems == []
    assert found["a"] == Node("a", "10.0.0.1", "r1", Gpu("nvidia", "H100", 8), {"row": "a", "zone": "x"})
    assert found["b"] == Node("b", "10.0.0.2", "r1", Gpu("amd", "MI300X", 4), {"row": "a", "zone": "x"})
    assert found["c"] == Node("c", "c", None, None, {})


def test_a_row_without_a_rack_may_be_put_into_one() -> None:
    found, problems = nodes(
        RACK + "nodes: {a: {rack: r1}, b: {rack: r1, gpu: {vendor: amd, model: MI210, count: 2}}}",
        [("a", "10.0.0.1", "", "amd", "MI300X", "4"), ("b", "10.0.0.2", "", "", "", "")],
    )

    assert problems == []
    assert found["a"] == Node("a", "10.0.0.1", "r1", Gpu("amd", "MI300X", 4), {"row": "a", "zone": "x"})
    assert found["b"].gpu == Gpu("amd", "MI210", 2)


def test_a_row_is_not_moved_to_another_rack() -> None:
    _, problems = nodes(RACK + "nodes: {a: {rack: r1}}", [("a", "10.0.0.1", "r9", "", "", "")])

    assert problems == ["node `a` stands in racks `r9` and `r1`"]


def test_a_row_names_a_rack_that_others_may_join() -> None:
    found, problems = nodes("nodes: {b: {rack: r9}}", [("a", "10.0.0.1", "r9", "", "", "")])

    assert problems == []
    assert found["b"].rack == "r9"


@pytest.mark.parametrize(
    ("spec", "warnings"),
    [
        ("g-O1: {labels: {row: b}}", ["`g-O1` is a node of its own, without an address"]),
        ('"g-O[1-2]": {memory: 1GB}', ["`g-O1` is a node of its own, without an address"]),
        ("g-O1: {address: 10.0.0.9, labels: {row: b}}", []),
        ("g-O1: {rack: r1}", []),
        ("g-O1: {}", []),
        ("g-03: {memory: 1GB}", []),
        ("g-01: {memory: 1GB}", []),
    ],
)
def test_a_slip_in_the_name_of_a_node_is_suspected(spec: str, warnings: list[str]) -> None:
    _, problems = nodes('racks: {r1: {nodes: "g-[01-02]"}}\nnodes: {' + spec + "}")

    assert problems == warnings


def test_the_same_address_is_seen_however_it_is_written() -> None:
    _, problems = nodes(
        "nodes: {a: {address: 'fd00:0:0::1'}, b: {address: 'fd00::1'}, c: {address: '::ffff:10.0.0.1'}}"
    )

    assert problems == ["nodes `a` and `b` have the same address `fd00::1`"]


def test_gpu_faults_of_rows_are_told_once_with_their_number() -> None:
    _, problems = nodes(
        "",
        [
            *((f"a{number}", f"10.0.0.{number}", "", "nvidia", "", "") for number in range(5)),
            *((f"b{number}", f"10.0.1.{number}", "", "nvida", f"H{number}00", "8") for number in range(3)),
            ("c", "10.0.2.1", "", "amd", "MI300X", "65"),
            ("d", "10.0.2.2", "", "amd", "MI300X", "8.0"),
            ("e", "10.0.2.3", "", "", "", "0"),
        ],
    )

    assert problems == [
        "the GPU is incomplete: `gpu_model` and `gpu_count` are missing, in 5 rows",
        "unknown GPU vendor `nvida`, in 3 rows",
        "`65` in column `gpu_count` is not a whole number between 1 and 64",
        "`8.0` in column `gpu_count` is not a whole number between 1 and 64",
        "the GPU is incomplete: `gpu_vendor` and `gpu_model` are missing",
        "`0` in column `gpu_count` is not a whole number between 1 and 64",
    ]


def test_values_of_rows_are_checked_as_those_of_the_site() -> None:
    _, problems = nodes(
        "",
        [
            ("a", "10.0.0.1", "r 1", "nvidia", "H\t100", "8"),
            ("b", "10.0.0.2", "r" * 64, "nvidia", "H" * 4097, "8"),
            ("..", "10.0.0.3", "", "a\nb", "H100", "8"),
        ],
    )

    assert problems == [
        "`r 1` in column `rack` is not a name",
        f"`{'r' * 59}…` in column `rack` is not a name",
        "`H\\t100` in column `gpu_model` is not a line of text",
        f"`{'H' * 59}…` in column `gpu_model` is not a line of text",
        "unknown GPU vendor `a\\nb`",
        "`..` cannot be the name of a node",
    ]


def test_a_list_that_is_too_long_is_never_expanded() -> None:
    racks = "".join(f'  r{number}: {{nodes: "g{number}-[1-65536]"}}\n' for number in range(60))
    found, problems = nodes("racks:\n" + racks)

    assert found == {}
    (problem,) = problems
    assert problem.startswith("the host lists of `racks:` and `nodes:` stand for more than 400,000 names; ")


def test_racks_that_are_too_many_by_far_less_are_not_expanded_either() -> None:
    found, problems = nodes("racks:\n" + "".join(f'  r{n}: {{nodes: "g{n}-[1-65536]"}}\n' for n in range(4)))

    assert found == {}
    assert problems == [
        "`racks:` and `inventory:` name 262,144 nodes; 200,000 nodes are the most that one site can have"
    ]


def test_logins_are_those_of_the_rack_and_then_of_the_node() -> None:
    found, problems = nodes(
        "racks: {r1: {nodes: 'n[1-2]', ssh: {user: ops, port: 2222}}}\nnodes: {n2: {ssh: {port: 22}}, m: {rack: r1}}",
        [("i", "10.0.0.9", "r1", "", "", "")],
    )

    assert problems == []
    assert {name: (node.ssh_user, node.ssh_port) for name, node in found.items()} == {
        "i": ("ops", 2222),
        "m": ("ops", 2222),
        "n1": ("ops", 2222),
        "n2": ("ops", 22),
    }
