from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from aamic.compile.compiler import compile_site
from aamic.deploy.desired import desired_hosts, union
from aamic.deploy.diff import Policy
from aamic.deploy.offline import all_observed, read_tree, reference_digests
from aamic.deploy.planner import Basis, make_plan
from aamic.errors import OutsideError
from aamic.model.plan import Plan
from aamic.model.tree import Bundle, Tree
from tests.deploy.samples import CONFIG, DESIRED, EXPORTER, EXPORTERS, PROGRAM, SECRET, SERVER, SERVERS, with_file

EXAMPLE = Path(__file__).parents[2] / "site.example" / "site.yaml"


@cache
def example() -> Tree:
    return compile_site(EXAMPLE).tree


def between(before: Tree, after: Tree) -> Plan:
    hosts = sorted({host for bundle in after.bundles for host in bundle.hosts})
    desired = desired_hosts(after, hosts)
    policy = Policy(secrets=reference_digests(desired.values()))
    return make_plan(Basis("c", "t"), desired, all_observed(desired_hosts(before, hosts)), policy)


def sorted_hosts(bundle: Bundle) -> Bundle:
    """A host list keeps which hosts there are, not their order."""
    return replace(bundle, hosts=tuple(sorted(bundle.hosts)))


def tree(*bundles: Bundle) -> Tree:
    return Tree(bundles, b"")


def test_a_rendered_folder_is_read_back_as_the_tree_it_was() -> None:
    found, rendered = read_tree(example().files(), "x"), example()

    assert [sorted_hosts(bundle) for bundle in found.bundles] == [sorted_hosts(bundle) for bundle in rendered.bundles]
    assert found.manifest == rendered.manifest


def test_nothing_differs_from_itself() -> None:
    plan = between(read_tree(example().files(), "x"), example())

    assert (plan.groups, plan.blocked, plan.undecided, plan.notes) == ((), (), (), ())


def test_changes_are_those_between_the_trees() -> None:
    other = replace(
        with_file(SERVERS, CONFIG, b"a: 2\n"),
        secrets={SECRET: {"env": "OTHER", "owner": "aami"}},
        installs=({"package": "prometheus", "version": "2.43"},),
    )
    newer = replace(EXPORTERS, installs=({**EXPORTERS.installs[0], "sha256": "b" * 64},))
    plan = between(tree(EXPORTERS, SERVERS), tree(newer, other))

    assert [(each.action, each.what, each.name, each.edited) for each in plan.groups[0].changes] == [
        ("change", "program", PROGRAM, False),
        ("change", "file", CONFIG, False),
        ("change", "secret", SECRET, False),
        ("change", "package", "prometheus", False),
    ]


def test_units_are_taken_to_be_as_the_outputs_say() -> None:
    added = between(tree(EXPORTERS), tree(EXPORTERS, SERVERS)).groups[0].changes
    removed = between(tree(EXPORTERS, SERVERS), tree(EXPORTERS)).groups[0].changes

    assert {impact.effect for each in added for impact in each.impacts if impact.unit == SERVER} == {"start"}
    assert [impact.unit for each in removed for impact in each.impacts if impact.effect == "stop"] == [SERVER]
    assert EXPORTER not in {impact.unit for each in (*added, *removed) for impact in each.impacts}


def test_hosts_with_the_same_share_what_is_large() -> None:
    seen = all_observed({"a": DESIRED, "b": DESIRED, "c": union((EXPORTERS,))})

    assert seen["a"].entries is seen["b"].entries
    assert [each.host for each in seen.values()] == ["a", "b", "c"]


def broken(**changes: object) -> dict[str, bytes]:
    files = dict(example().files())
    files["manifest.json"] = json.dumps(json.loads(files["manifest.json"]) | changes).encode()
    return files


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({}, "x has no `manifest.json`"),
        ({"manifest.json": b"{"}, "x does not fit together"),
        ({"manifest.json": b"[]"}, "x does not fit together"),
        (broken(bundles={"a": 1}), "x does not fit together"),
        (broken(bundles=[]), "x does not fit together"),
        ({"manifest.json": example().manifest}, "^x has no `[a-z/.-]+`, which its `manifest.json` names$"),
    ],
)
def test_what_is_no_rendered_folder_is_told(files: dict[str, bytes], told: str) -> None:
    with pytest.raises(OutsideError, match=told):
        read_tree(files, "x")
