"""Data sources through every change of a site: Grafana must start with the next file, whatever the one before was."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations
from typing import Final

import pytest

from aamic.catalog.artifacts.grafana.sources import sources
from tests.sites import checked

COMMON: Final = """
version: 1
cluster: {name: test}
racks:
  r1: {nodes: "gpu-[1-2]", addresses: "198.18.1.[1-2]"}
nodes:
  "mon-[1-2]": {addresses: "198.18.0.[1-2]"}
"""
FEDERATED: Final = 'central_node: mon-1, shard_nodes: "mon-[1-2]"'
ONE: Final = "alertmanager: {nodes: mon-1}"
TWO: Final = 'alertmanager: {nodes: "mon-[1-2]"}'
HERE: Final = "grafana: {admin_password: {env: X}}"
THERE: Final = "grafana: {admin_password: {env: X}, node: mon-2}"
QUERIES: Final = 'thanos: {version: "0.42.5", query_nodes: "mon-[1-2]"}'
LISTED: Final = 'shards: [{name: shard-1, nodes: "gpu-1,mon-[1-2]"}, {name: query-mon-2, nodes: gpu-2}]'
SHAPES: Final[Mapping[str, tuple[str, ...]]] = {
    "single": ("prometheus: {node: mon-1}", ONE, HERE),
    "two alertmanagers": ("prometheus: {node: mon-1}", TWO, THERE),
    "federation": (f"federation: {{{FEDERATED}, shards: 2}}", ONE, HERE),
    "pairs": (f"federation: {{{FEDERATED}, shards: 2, replicas: 2}}", TWO, HERE),
    "listed": (f"federation: {{{FEDERATED}, {LISTED}}}", HERE),
    "thanos": (f"federation: {{type: thanos, {FEDERATED}, shards: 2}}", 'thanos: {version: "0.42.5"}', ONE, HERE),
    "queries": (f"federation: {{type: thanos, {FEDERATED}, {LISTED}}}", QUERIES, TWO, HERE),
    "moved": (f"federation: {{type: thanos, {FEDERATED}, shards: 1, replicas: 2}}", QUERIES, TWO, THERE),
}


@pytest.fixture(scope="module")
def files() -> dict[str, list[tuple[str, str]]]:
    """Names and uids of the data sources of each shape."""
    return {name: provisioned(lines) for name, lines in SHAPES.items()}


def provisioned(lines: tuple[str, ...]) -> list[tuple[str, str]]:
    fleet = checked("\n".join((COMMON, *lines, ""))).fleet
    assert fleet.grafana is not None
    return [(each.name, each.uid) for each in sources(fleet, fleet.grafana)]


def started(known: Mapping[str, str], file: list[tuple[str, str]]) -> dict[str, str]:
    """What Grafana has after a start, uids by name; AssertionError where it would not start."""
    names = {name for name, _ in file}
    found = {name: uid for name, uid in known.items() if name in names}
    for name, uid in file:
        assert name in found or uid not in found.values(), f"data source with the same uid already exists: {uid}"
        assert found.get(name, uid) == uid, f"data source not found: {name} is not {uid}"
        found[name] = uid
    return found


def test_grafana_starts_after_every_change_of_a_site(files: Mapping[str, list[tuple[str, str]]]) -> None:
    for before, after in permutations(files, 2):
        assert started(started({}, files[before]), files[after]) == dict(files[after])


def test_what_people_look_at_keeps_its_name_and_uid(files: Mapping[str, list[tuple[str, str]]]) -> None:
    assert {file[0] for file in files.values()} == {("aamic", "aamic")}
