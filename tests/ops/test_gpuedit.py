"""How a site comes to say what hosts have: at the rack where that speaks for all, else at nodes, and no more."""

from __future__ import annotations

from pathlib import Path

import pytest

from aamic.compile.compiler import check_document, shipped_catalog
from aamic.compile.parse import load
from aamic.model.fleet import Gpu
from aamic.ops.gpuedit import GpuEdit, gpu_edit, write

H100, H200, MI300X = Gpu("nvidia", "H100", 8), Gpu("nvidia", "H200", 8), Gpu("amd", "MI300X", 8)
SITE = """\
version: 1   # é
cluster: {name: test}
prometheus: {node: mon}
inventory: nodes.csv
racks:
  r1: {nodes: "gpu-[1-3]", addresses: "198.18.1.[1-3]", gpu: {vendor: nvidia, model: H100, count: 8}} # H100s
  r2:
    nodes: "gpu-[4-6]"
    addresses: "198.18.2.[1-3]"
    gpu:
      vendor: nvidia
      model: H100  # the old ones
      count: 8
nodes:
  mon: {address: 198.18.0.1}
  "new-[1-2]": {addresses: "198.18.3.[1-2]"}
  gpu-6: {gpu: {vendor: nvidia, model: A100, count: 4}, labels: {a: b}}
"""
CSV = """\
name,address,rack,gpu_vendor,gpu_model,gpu_count
csv-1,198.18.4.1,r1,,,
csv-2,198.18.4.2,r9,nvidia,H100,8
csv-3,198.18.4.3,,,,
"""


def edited(tmp_path: Path, wanted: dict[str, Gpu], right: str = "", site: str = SITE) -> tuple[GpuEdit, str]:
    """The edit, and the lines that it changes, as `-old` and `+new`; the site then says what is wanted, and no more."""
    (tmp_path / "site.yaml").write_text(site)
    (tmp_path / "nodes.csv").write_text(CSV)
    document = load(tmp_path / "site.yaml")
    before = check_document(document, shipped_catalog())
    nodes = before.fleet.nodes
    edit = gpu_edit(before.site, nodes, document.inventory, wanted, frozenset(right.split()))
    text = write(before.site, document.files, edit)[0].text
    (tmp_path / "site.yaml").write_text(text)
    after = check_document(load(tmp_path / "site.yaml"), shipped_catalog()).fleet.nodes
    written = {name: gpu for name, gpu in wanted.items() if name not in edit.left}
    assert {name: node.gpu for name, node in after.items()} == {
        name: node.gpu for name, node in nodes.items()
    } | written
    old, new = site.splitlines(), text.splitlines()
    return edit, "\n".join(
        [*(f"-{line}" for line in old if line not in new), *(f"+{line}" for line in new if line not in old)]
    )


def test_a_rack_speaks_for_all_its_nodes(tmp_path: Path) -> None:
    edit, lines = edited(tmp_path, dict.fromkeys(("gpu-1", "gpu-2", "gpu-3", "csv-1"), H200))

    assert edit == GpuEdit(((("racks", "r1"), H200),), {})
    assert lines.split("\n")[1] == (
        '+  r1: {nodes: "gpu-[1-3]", addresses: "198.18.1.[1-3]", gpu: {vendor: nvidia, model: H200, count: 8}} # H100s'
    )


def test_comments_within_a_rack_stay(tmp_path: Path) -> None:
    _, lines = edited(tmp_path, {"gpu-4": MI300X, "gpu-5": MI300X})

    assert lines.splitlines() == [
        "-      vendor: nvidia",
        "-      model: H100  # the old ones",
        "+      vendor: amd",
        "+      model: MI300X  # the old ones",
    ]


def test_some_nodes_of_a_rack_get_a_key_of_their_own(tmp_path: Path) -> None:
    edit, lines = edited(tmp_path, {"gpu-1": H200, "gpu-3": H200}, "gpu-2 csv-1")

    assert edit.values == ((("nodes", "gpu-[1,3]"), H200),)
    assert lines == '+  "gpu-[1,3]": {gpu: {vendor: nvidia, model: H200, count: 8}}'


def test_a_rack_is_not_spoken_for_by_those_that_did_not_answer(tmp_path: Path) -> None:
    edit, _ = edited(tmp_path, dict.fromkeys(("gpu-1", "gpu-2", "gpu-3"), H200))

    assert edit.values == ((("nodes", "gpu-[1-3]"), H200),)


def test_a_key_of_nodes_speaks_for_its_nodes(tmp_path: Path) -> None:
    edit, lines = edited(tmp_path, {"new-1": MI300X, "new-2": MI300X, "gpu-6": H100})

    assert edit.values == ((("nodes", "new-[1-2]"), MI300X), (("nodes", "gpu-6"), H100))
    assert '+  "new-[1-2]": {addresses: "198.18.3.[1-2]", gpu: {vendor: amd, model: MI300X, count: 8}}' in lines
    assert "+  gpu-6: {gpu: {vendor: nvidia, model: H100, count: 8}, labels: {a: b}}" in lines


def test_a_node_that_stands_with_others_is_left(tmp_path: Path) -> None:
    edit, lines = edited(tmp_path, {"new-1": MI300X})

    assert (edit.values, lines) == ((), "")
    assert edit.left == {"new-1": "it stands with others in `nodes.new-[1-2]`: take it out of there by hand"}


def test_rows_of_the_inventory_get_a_key(tmp_path: Path) -> None:
    edit, lines = edited(tmp_path, {"csv-2": H200, "csv-3": H200, "csv-1": MI300X})

    assert dict(edit.values) == {("nodes", "csv-[2-3]"): H200, ("nodes", "csv-1"): MI300X}
    assert lines.count("\n") == 1


def test_a_key_for_just_these_nodes_is_used_as_it_is_written(tmp_path: Path) -> None:
    site = SITE + '  "gpu-2,gpu-1": {labels: {x: y}}\n'
    edit, lines = edited(tmp_path, {"gpu-1": H200, "gpu-2": H200}, "gpu-3", site)

    assert edit.values == ((("nodes", "gpu-2,gpu-1"), H200),)
    assert lines.endswith('+  "gpu-2,gpu-1": {labels: {x: y}, gpu: {vendor: nvidia, model: H200, count: 8}}')


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_site_without_the_key_gets_it(tmp_path: Path, end: str) -> None:
    site = (
        SITE.split("nodes:\n  mon", maxsplit=1)[0]
        .replace("prometheus: {node: mon}", "prometheus: {node: gpu-1}")
        .replace("\n", end)
    )
    _, lines = edited(tmp_path, {"gpu-2": H200}, site=site)

    assert lines == "+nodes: {gpu-2: {gpu: {vendor: nvidia, model: H200, count: 8}}}"
