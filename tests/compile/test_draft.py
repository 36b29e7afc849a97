from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aamic.compile.compiler import check_document, compile_document, shipped_catalog
from aamic.compile.draft import INVENTORY, MANY, UNNAMED, Pages, pages, server, write
from aamic.compile.draftnodes import address_list
from aamic.compile.folder import Memory
from aamic.compile.hostlist import expand
from aamic.compile.nodes import RESERVED_LABELS
from aamic.compile.parse import Document, parse
from aamic.errors import InputError
from aamic.model.draft import Draft, DraftNode
from aamic.model.fleet import Gpu, Node
from aamic.views.problems import text

VENDORS = ("nvidia", "amd")
MIB = 2**20

H100 = Gpu("nvidia", "H100", 8)
NAMES = st.lists(
    st.one_of(
        st.builds("{}-{:03d}".format, st.sampled_from(["gpu", "mi", "cpu"]), st.integers(1, 40)),
        st.builds("{}{}.{}".format, st.sampled_from("ab"), st.integers(0, 12), st.sampled_from(["dc1", "example.com"])),
        st.sampled_from(["no", "null", "1", "0x1f", "1e3", "10.0.9.9", "true", "n-1-2", "a.b"]),
    ),
    min_size=1,
    max_size=80,
    unique=True,
)
PRINTED = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"]), max_size=20)
MODELS = st.sampled_from(["H100", "A100 + V100", 'say "x"', "a: b", "#1"]) | PRINTED.map(str.strip).filter(bool)
GPUS = st.builds(Gpu, st.sampled_from(VENDORS), MODELS, st.integers(1, 64))
LABELS = st.dictionaries(
    st.from_regex("[a-z][a-z0-9_]{0,5}", fullmatch=True).filter(lambda name: name not in RESERVED_LABELS),
    st.sampled_from(["", "no", "a: b", "{{ x }}", "'", '"', "#", "a,b"]) | PRINTED,
    max_size=3,
)
KINDS = st.lists(
    st.fixed_dictionaries(
        {
            "rack": st.none() | st.sampled_from(["r01", "r02", "no", "1"]),
            "gpu": st.none() | GPUS,
            "labels": LABELS,
            "threads": st.none() | st.integers(1, 512),
            "memory": st.none() | st.integers(2**16, 2**22).map(MIB.__mul__),
            "ssh_user": st.none() | st.sampled_from(["root", "no", "a.b"]),
            "ssh_port": st.none() | st.integers(1, 65535),
        }
    ),
    min_size=1,
    max_size=4,
)


@st.composite
def drafts(draw: st.DrawFn) -> Draft:
    names, kinds = draw(NAMES), draw(KINDS)
    numbers = draw(st.permutations(range(len(names)))) if draw(st.booleans()) else range(len(names))
    places = [draw(st.sampled_from([f"10.1.{n % 3}.{n + 1}", f"10.2.0.{n + 1}", f"fd00::{n}:1", None])) for n in numbers]
    nodes = [
        DraftNode(name, place, **draw(st.sampled_from(kinds))) for name, place in zip(names, places, strict=True)
    ]
    controller = draw(st.none() | st.sampled_from(names))
    return Draft(tuple(nodes), draw(st.sampled_from([None, "no", "lab"])), controller, notes=tuple(draw(st.lists(PRINTED))))


def document(made: Pages) -> Document:
    files = Memory({INVENTORY: made.inventory.encode()} if made.inventory else {})
    return parse(made.site.encode(), "site.yaml", files)


def meant(draft: Draft) -> dict[str, Node]:
    return {
        each.name: Node(
            each.name, each.address or each.name, each.rack, each.gpu, each.labels, each.threads, each.memory,
            ssh_user=each.ssh_user, ssh_port=each.ssh_port,
        )
        for each in draft.nodes
    }  # fmt: skip


@given(drafts(), st.sampled_from([0, 3, MANY]))
def test_a_site_says_of_its_nodes_what_the_draft_says(draft: Draft, most: int) -> None:
    made = pages(draft, VENDORS, most=most)
    checked = check_document(document(made), shipped_catalog())

    assert checked.fleet.nodes == meant(draft)
    assert checked.site.cluster.name == (draft.cluster or UNNAMED)
    assert checked.site.prometheus.node == server(draft)[0]


@given(drafts())
def test_one_file_says_it_as_well(draft: Draft) -> None:
    checked = check_document(document(Pages(write(draft, VENDORS))), shipped_catalog())

    assert checked.fleet.nodes == meant(draft)


@given(st.lists(st.sampled_from([f"10.0.{a}.{b}" for a in range(2) for b in range(8, 12)] + ["a", "x07", "fd00::9"])))
def test_a_list_of_addresses_keeps_their_order(addresses: list[str]) -> None:
    hosts, _ = address_list(addresses)

    assert list(expand(hosts) if addresses else ()) == addresses


@given(st.text())
def test_a_note_stays_a_comment(note: str) -> None:
    draft = Draft((DraftNode("a"),), "lab", notes=(note,))
    said = [line for line in write(draft, VENDORS).split("\n") if not line.startswith("#")]

    assert said == [line for line in write(Draft((DraftNode("a"),), "lab"), VENDORS).split("\n") if line[:1] != "#"]
    assert parse(write(draft, VENDORS).encode(), "site.yaml", Memory({})).problems == ()


def test_nothing_of_slurm_is_changed() -> None:
    draft = Draft((DraftNode("gpu-1", "10.0.0.1", gpu=H100), DraftNode("ctl", "10.0.0.2")), "lab", "ctl")
    compiled = compile_document(document(Pages(write(draft, VENDORS))), shipped_catalog())
    slurm = [bundle for bundle in compiled.tree.bundles if bundle.name.startswith("slurm")]

    assert [bundle.name for bundle in slurm] == ["slurm"]
    assert [bundle.hosts for bundle in slurm] == [("ctl",)]
    assert [file.path for bundle in slurm for file in bundle.files if "slurm.conf" in file.path] == []


def test_release_and_folder_of_slurm() -> None:
    draft = Draft((DraftNode("ctl"),), "lab", "ctl", "24.11", "/opt/slurm/etc")

    assert '  version: "24.11"\n  conf_dir: /opt/slurm/etc\n' in write(draft, VENDORS)
    assert "version: \"" not in write(Draft((DraftNode("ctl"),), "lab", "ctl", "24.13"), VENDORS)


@pytest.mark.parametrize(
    ("nodes", "controller", "expected"),
    [
        ((DraftNode("b"), DraftNode("a"), DraftNode("c", gpu=H100)), "b", "b"),
        ((DraftNode("b"), DraftNode("a", gpu=H100)), "z", "b"),
        ((DraftNode("b", gpu=H100), DraftNode("a", gpu=H100)), None, "a"),
        ((), None, None),
    ],
)
def test_where_prometheus_goes(nodes: tuple[DraftNode, ...], controller: str | None, expected: str | None) -> None:
    assert server(Draft(nodes, controller=controller))[0] == expected
    assert server(Draft(nodes, controller=controller), "mine") == ("mine", "")


def test_a_vendor_that_nobody_knows_is_left_out() -> None:
    said = write(Draft((DraftNode("a", gpu=Gpu("acme", "X", 1)),), "lab"), VENDORS)

    assert "# - GPUs of `acme` are left out: the catalog does not know it\n" in said
    assert "gpu:" not in said


def test_names_that_would_be_read_as_something_else() -> None:
    nodes = (DraftNode("a[1-3]"), DraftNode("b"), DraftNode("b"), DraftNode("c", "10.0.0.1,10.0.0.2"), DraftNode("-x"))
    with pytest.raises(InputError) as caught:
        write(Draft(nodes), VENDORS)

    assert text(caught.value.problems) == """\
error: `-x` cannot be the name of a node

error: `10.0.0.1,10.0.0.2` of node `c` is not an address
hint: write an IP address or a host name

error: `a[1-3]` cannot be the name of a node

error: node `b` is named twice

4 errors
"""
