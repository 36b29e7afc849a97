from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from aamic.catalog.artifacts.targets.artifact import render, targets
from aamic.model.fleet import Gpu, Node
from tests import fleets


def groups(every: dict[str, Node]) -> list[dict[str, object]]:
    loaded: list[dict[str, object]] = json.loads(targets(fleets.fleet(every, ()), tuple(every)))
    assert loaded.pop() == {"targets": []}
    return loaded


def test_a_group_lists_all_exporters_of_a_node_and_what_is_known_of_it() -> None:
    every = {"gpu-1": fleets.node("gpu-1", "10.10.1.1", "r01", Gpu("nvidia", "H100", 8), row="a")}
    assert groups(every) == [
        {
            "targets": ["10.10.1.1:9100", "10.10.1.1:9400"],
            "labels": {
                "cluster": "seoul-gpu-1", "node": "gpu-1", "rack": "r01",
                "gpu_vendor": "nvidia", "gpu_model": "H100", "gpu_count": "8", "row": "a",
            },
        }
    ]  # fmt: skip


def test_what_is_not_known_is_absent() -> None:
    (group,) = groups({"mon-01": fleets.node("mon-01", "10.10.0.1")})
    assert group["labels"] == {"cluster": "seoul-gpu-1", "node": "mon-01"}


def test_ipv6_stands_in_brackets() -> None:
    (group,) = groups({"v6": fleets.node("v6", "fd00::1")})
    assert group["targets"] == ["[fd00::1]:9100"]


def test_a_host_name_stands_as_it_is() -> None:
    (group,) = groups({"named": fleets.node("named", "named.example.com")})
    assert group["targets"] == ["named.example.com:9100"]


def test_the_labels_that_rules_join_on_win() -> None:
    (group,) = groups({"n": Node("n", "10.0.0.1", None, None, {"node": "other", "cluster": "other", "row": "a"})})
    assert group["labels"] == {"cluster": "seoul-gpu-1", "node": "n", "row": "a"}


def test_nodes_without_exporters_are_left_out() -> None:
    every = fleets.nodes(1, hosts=0)
    assert targets(fleets.fleet(every, (), endpoints=()), tuple(every)) == b'[\n{"targets":[]}\n]\n'


def test_a_node_added_anywhere_is_one_more_line() -> None:
    names = tuple(fleets.nodes(9, hosts=0))
    all_of_them = targets(fleets.fleet(fleets.nodes(9, hosts=0), ()), names).splitlines()
    for added in names:
        without = targets(fleets.fleet(fleets.nodes(9, hosts=0), ()), [n for n in names if n != added]).splitlines()
        assert [line for line in all_of_them if line not in without] == [all_of_them[1 + names.index(added)]]
        assert [line for line in without if line not in all_of_them] == []


def test_a_value_that_looks_like_two_groups_stays_one_line() -> None:
    label = '},{"targets":'
    every = {name: Node(name, "10.0.0.1", None, None, {label: label}) for name in ("a", "b")}
    assert len(targets(fleets.fleet(every, ()), tuple(every)).splitlines()) == 5
    assert [group["labels"] for group in groups(every)] == [
        {"cluster": "seoul-gpu-1", "node": name, label: label} for name in ("a", "b")
    ]


@given(st.dictionaries(st.from_regex(r"[a-z][a-z_]{0,9}", fullmatch=True), st.text()))
def test_any_label_value_survives(labels: dict[str, str]) -> None:
    (group,) = groups({"n": Node("n", "10.0.0.1", None, None, labels)})
    assert group["labels"] == labels | {"cluster": "seoul-gpu-1", "node": "n"}


def test_the_servers_of_a_pair_share_a_file_and_central_has_none() -> None:
    assert [(part.bundle, part.hosts, part.files[0].path) for part in render(fleets.paired())] == [
        ("shard-1", ("mon-01", "mon-02"), "/var/lib/aami/targets/shard-1-nodes.json"),
        ("shard-2", ("mon-02", "mon-03"), "/var/lib/aami/targets/shard-2-nodes.json"),
    ]


def test_prometheus_reads_the_file_again_by_itself() -> None:
    (part,) = render(fleets.single())
    assert [file.on_change.action for file in part.files] == ["none"]
