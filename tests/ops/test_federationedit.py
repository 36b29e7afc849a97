"""Edits of `federation`: what is switched on can be switched off, and what is proposed is what comes of it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aamic.compile.compiler import Checked, check_document, shipped_catalog
from aamic.compile.edit import Sources
from aamic.compile.hostlist import expand
from aamic.errors import InputError
from aamic.model.fleet import Fleet
from aamic.ops.federationedit import Wish, described, disable, enable, levelled_owners, redistribute
from aamic.ops.moves import owners
from tests.sites import document

BASE = """\
version: 1
cluster: {name: t}
prometheus: {node: mon1}   # the one
"""


def site(sizes: list[int], loose: int, federation: str = "") -> str:
    racks = "".join(
        f"  r{number}: {{nodes: 'r{number}n[1-{size}]', gpu: {{vendor: {('nvidia', 'amd')[number % 2]}, model: X, "
        f"count: {1 + number % 8}}}}}\n"
        for number, size in enumerate(sizes)
    )
    return f"{BASE}racks:\n{racks}nodes: {{'mon[1-{loose}]': {{}}}}\n{federation}"


def read(text: str) -> tuple[Checked, Sources]:
    made = document(text)
    return check_document(made, shipped_catalog()), made.files


def again(files: Sources) -> tuple[Checked, Sources]:
    return read(files[0].text)


def distribution(fleet: Fleet) -> dict[str, str]:
    return owners(fleet)


SIZES = st.lists(st.integers(1, 8), min_size=1, max_size=5)
SWITCHED_OFF = ["", "federation:\n", "federation: {enabled: false, central_node: mon2, by: rack}  # later\n"]


@settings(max_examples=25)
@given(SIZES, st.integers(2, 5), st.sampled_from(SWITCHED_OFF), st.sampled_from([None, "rack", "count"]), st.data())
def test_on_and_off_again_means_what_the_site_meant(
    sizes: list[int], loose: int, federation: str, by: str | None, data: st.DataObject
) -> None:
    before, files = read(site(sizes, loose, federation))
    most = min(len(sizes) + loose, 6)
    shards, replicas = data.draw(st.integers(1, most)), data.draw(st.sampled_from([None, 1, 2]))
    on, edited = again(enable(before.site, files, Wish(shards, by, "mon2", f"mon[1-{loose}]", replicas)))
    off, _ = again(disable(on.site, edited))

    assert len({server.name for server in on.fleet.servers if server.role == "shard"}) == shards
    assert {server.host for server in on.fleet.servers if server.role == "central"} == {"mon2"}
    assert off.fleet == before.fleet


@settings(max_examples=25)
@given(SIZES, st.integers(2, 5), st.sampled_from(["auto", "rack", "count"]), st.data())
def test_a_listed_site_gets_the_distribution_that_was_shown(
    sizes: list[int], loose: int, by: str, data: st.DataObject
) -> None:
    groups = [f"racks: [r{number}]" for number in range(len(sizes))] + [f"nodes: mon{n}" for n in range(1, loose + 1)]
    cut = data.draw(st.integers(1, len(groups) - 1))
    both = zip(("one", "two"), (groups[:cut], groups[cut:]), strict=True)
    specs = "".join(f"    - {{name: {name}, {listed(those)}}}   # {name}\n" for name, those in both)
    before, files = read(site(sizes, loose, f"federation:\n  central_node: mon1\n  shards:\n{specs}"))

    shown = levelled_owners(before.fleet, ["one", "two"], by)
    after, _ = again(redistribute(before.site, before.fleet, files, by, None))
    assert distribution(after.fleet) == shown
    assert shown.keys() == before.fleet.nodes.keys()
    if by == "rack":
        homes = {(node.rack, shown[name]) for name, node in before.fleet.nodes.items() if node.rack}
        assert len(homes) == len(sizes)


def listed(groups: list[str]) -> str:
    """Several claims as the keys of one shard."""
    racks = [each.removeprefix("racks: [").removesuffix("]") for each in groups if each.startswith("racks")]
    nodes = [each.removeprefix("nodes: ") for each in groups if each.startswith("nodes")]
    parts = ([f"racks: [{', '.join(racks)}]"] if racks else []) + ([f"nodes: '{','.join(nodes)}'"] if nodes else [])
    return ", ".join(parts)


def test_a_numbered_site_is_edited_in_two_values() -> None:
    before, files = read(site([4, 4, 4], 2, "federation: {central_node: mon1, shards: 2}  # ours\n"))
    edited = redistribute(before.site, before.fleet, files, "rack", 3)

    assert edited[0].text.endswith("federation: {central_node: mon1, shards: 3, by: rack}  # ours\n")
    assert redistribute(before.site, before.fleet, files, "auto", None) == files


@given(st.sets(st.sampled_from(["a1", "a2", "a3", "b1", "b2", "mon"]), min_size=1))
def test_a_description_stands_for_its_nodes_with_as_many_whole_racks_as_there_are(members: set[str]) -> None:
    racks = {"ra": ["a1", "a2", "a3"], "rb": ["b1", "b2"]}
    whole, rest = described(sorted(members), racks)
    loose = set(expand(rest)) if rest else set()

    assert loose.union(*(racks[rack] for rack in whole)) == members
    assert whole == [rack for rack, names in racks.items() if members.issuperset(names)]
    assert not any(loose.intersection(racks[rack]) for rack in whole)


LIST = "federation: {central_node: mon1, shards: [{name: all, racks: [r0], nodes: 'mon[1-2]'}]}\n"


@pytest.mark.parametrize(
    ("federation", "wish", "message", "hint"),
    [
        ("", Wish(), "this site does not say how many shards there are", "add `--shards NUMBER`"),
        (
            LIST,
            Wish(shards=2),
            "this site lists its shards and their nodes itself: `all`",
            "leave out `--shards` to keep the list, or add `--replace` to give it up for a number",
        ),
        (LIST, Wish(by="rack"), "this site lists its shards and their nodes itself: `all`", "leave out `--by`"),
    ],
)
def test_what_is_refused(federation: str, wish: Wish, message: str, hint: str) -> None:
    before, files = read(site([2], 2, federation))
    with pytest.raises(InputError) as caught:
        enable(before.site, files, wish)

    assert [(each.message, each.hint) for each in caught.value.problems] == [(message, hint)]


def test_a_list_is_given_up_where_that_is_said() -> None:
    before, files = read(site([2], 2, LIST))
    edited = enable(before.site, files, Wish(shards=2, by="count", replace=True))

    assert edited[0].text.endswith("federation: {central_node: mon1, shards: 2, by: count}\n")


def test_what_stands_there_is_kept_and_not_written_again() -> None:
    text = "federation: {enabled: false, shards: 2, by: rack, match: raw, central_node: mon2}\n"
    before, files = read(site([2, 2], 2, text))
    edited = enable(before.site, files, Wish(shards=2, by="rack"))

    assert edited[0].text.endswith(text.replace("false", "true"))
    assert disable(before.site, files) == files


def test_without_any_node_for_central_it_must_be_named() -> None:
    text = site([2], 2, "federation: {central_node: mon2, shards: 2}\n").replace(
        BASE, BASE.replace("{node: mon1}", "{}")
    )
    before, files = read(text)
    bare = before.site.model_copy(update={"federation": None})
    with pytest.raises(InputError, match="no node is named for the central server"):
        enable(bare, files, Wish(shards=2))
