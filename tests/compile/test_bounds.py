"""What keeps a large wrong site from taking minutes."""

from __future__ import annotations

import pytest

from aamic.compile import findings, nodes, references
from tests.sites import problems


def messages(text: str) -> list[str]:
    return [problem.message for problem in problems(text)]


def test_host_lists_beyond_any_site_are_left_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "MAX_NODES", 4)

    assert messages(
        """
        version: 1
        cluster: {name: test}
        racks:
          r1: {nodes: "a[1-9]"}
          r2: {nodes: "a[1-9]"}
        prometheus: {node: b1}
        """
    )[0] == (
        "the host lists of `racks:` and `nodes:` stand for more than 8 names; "
        "4 nodes are the most that one site can have"
    )


def test_a_site_has_a_greatest_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "MAX_NODES", 4)

    assert messages(
        """
        version: 1
        cluster: {name: test}
        nodes: {"a[1-5]": {}}
        prometheus: {node: a1}
        """
    ) == ["the site has 5 nodes; 4 nodes are the most that one site can have"]


SHARDS = """
    version: 1
    cluster: {name: test}
    nodes: {"a[1-9]": {}}
    federation:
      central_node: a1
      shards:
      - {name: s1, nodes: "a[1-9]"}
      - {name: s2, nodes: "a[1-9]"}
      - {name: s3, nodes: "a[1-9]"}
    """


def test_every_overlap_is_told() -> None:
    assert messages(SHARDS) == [
        "nodes `a[1-9]` stand in shards `s1` and `s2`",
        "nodes `a[1-9]` stand in shards `s1` and `s3`",
    ]


def test_overlaps_without_end_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(references, "_PATIENCE", 9)

    assert messages(SHARDS) == ["nodes `a[1-9]` stand in shards `s1` and `s2`"]


UNKNOWN = """
    version: 1
    cluster: {name: test}
    nodes:
      n1: {rack: rak1}
      n2: {rack: rak1}
      n3: {rack: rak1}
    racks: {rack1: {nodes: "a[1-2]"}}
    prometheus: {node: n1}
    """


@pytest.mark.parametrize(("crowd", "hints"), [(50, [True, True, True]), (2, [True, True, False])])
def test_hints_that_compare_names_have_an_end(crowd: int, hints: list[bool], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings, "_CROWD", crowd)

    assert [problem.hint == "did you mean `rack1`?" for problem in problems(UNKNOWN)] == hints
