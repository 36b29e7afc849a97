"""Where a site is edited so that nodes have other GPUs."""

from __future__ import annotations

from pathlib import Path

import pytest

from aamic.compile.compiler import check_document, check_site, shipped_catalog
from aamic.compile.parse import load
from aamic.errors import InputError
from aamic.model.fleet import Gpu
from aamic.ops.gpuedit import with_gpus

SITE = """\
version: 1
cluster: {name: test}
prometheus: {node: mon}
nodes:
  mon: {address: 198.18.0.1}   # the server
  "gpu-[1-2]": {addresses: "198.18.1.[1-2]"}
  old:
    address: 198.18.1.9
    gpu:
      vendor: nvidia  # ours
      model: 'A100'
      count: 8
racks:
  r1: {nodes: "c-[1-4]", addresses: "198.18.2.[1-4]", gpu: {vendor: amd, model: MI300X, count: 8}}
"""
H100 = Gpu("nvidia", "H100", 8)


def edited(tmp_path: Path, site: str, **wanted: Gpu) -> str:
    """The site's text with the edit, which must then say what is wanted."""
    path = tmp_path / "site.yaml"
    path.write_text(site)
    document = load(path)
    names = {name.replace("_", "-"): gpu for name, gpu in wanted.items()}
    (file, *others) = with_gpus(check_document(document, shipped_catalog()), document.files, names)
    assert others == []
    path.write_text(file.text)
    nodes = check_site(path).fleet.nodes
    assert {name: nodes[name].gpu for name in names} == names
    return file.text


def test_a_node_of_a_rack_gets_a_key_of_its_own(tmp_path: Path) -> None:
    line = '  "c-[2-3]": {gpu: {vendor: nvidia, model: H100, count: 8}}\n'

    assert edited(tmp_path, SITE, c_3=H100, c_2=H100) == SITE.replace("racks:", f"{line}racks:")


def test_all_nodes_of_a_key_get_it_there(tmp_path: Path) -> None:
    after = SITE.replace('"198.18.1.[1-2]"', '"198.18.1.[1-2]", gpu: {vendor: nvidia, model: H100, count: 8}')

    assert edited(tmp_path, SITE, gpu_1=H100, gpu_2=H100) == after


def test_only_what_differs_is_written(tmp_path: Path) -> None:
    assert edited(tmp_path, SITE, old=H100) == SITE.replace("'A100'", "H100")


def test_nodes_with_different_gpus(tmp_path: Path) -> None:
    text = edited(tmp_path, SITE, c_1=H100, c_2=Gpu("nvidia", "H200", 4), mon=H100)

    assert "mon: {address: 198.18.0.1, gpu: {vendor: nvidia, model: H100, count: 8}}   # the server\n" in text
    assert "  c-1: {gpu: {vendor: nvidia, model: H100, count: 8}}\n" in text
    assert "  c-2: {gpu: {vendor: nvidia, model: H200, count: 4}}\n" in text


def test_what_it_says_already_stays(tmp_path: Path) -> None:
    assert edited(tmp_path, SITE, c_1=Gpu("amd", "MI300X", 8), old=Gpu("nvidia", "A100", 8)) == SITE


def test_a_node_of_the_inventory(tmp_path: Path) -> None:
    (tmp_path / "nodes.csv").write_text("name,address\nx-1,198.18.3.1\n")
    after = edited(tmp_path, f"{SITE}inventory: nodes.csv\n", x_1=H100)

    assert "  x-1: {gpu: {vendor: nvidia, model: H100, count: 8}}\n" in after


def test_a_node_that_is_declared_with_others_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        edited(tmp_path, SITE, gpu_1=H100)

    (problem,) = caught.value.problems
    assert problem.message == "cannot edit: `nodes.gpu-[1-2]` declares `gpu-1` together with others"
    assert problem.hint == "give `gpu-1` a key of its own, or name all nodes of that key"
