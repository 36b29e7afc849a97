"""Laws of imports, and what single sources say; whole imports stand in tests/imports."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aamic.compile.compiler import shipped_catalog
from aamic.compile.draft import server
from aamic.compile.folder import Memory
from aamic.compile.imports.ansible import read_ansible
from aamic.compile.imports.filesd import read_file_sd
from aamic.compile.imports.gpus import is_part, of_type, wish
from aamic.compile.imports.merge import Words, merge
from aamic.compile.imports.sighting import Reading, Wishes
from aamic.compile.imports.slurm import Text, read_slurm
from aamic.errors import InputError
from aamic.model.draft import Draft
from aamic.model.fleet import Gpu

CASES = Path(__file__).parents[2] / "imports"
SIGNS = {vendor.name: vendor.signs for vendor in shipped_catalog().vendors}
NOBODY = Wishes()


def slurm(conf: str, gres: str = "", **files: str) -> Reading:
    beside = Memory({name: text.encode() for name, text in files.items()})
    return read_slurm(Text(conf.encode(), "slurm.conf", beside), Text(gres.encode(), "gres.conf", beside), SIGNS)


def file_sd(*groups: object) -> Reading:
    return read_file_sd(json.dumps(groups).encode(), "t.json", SIGNS)


SOURCES: dict[str, Callable[[bytes], Reading]] = {
    "slurm.conf": lambda data: read_slurm(Text(data, "slurm.conf", Memory({"slurm.conf": data})), None, SIGNS),
    "gres.conf": lambda data: read_slurm(None, Text(data, "gres.conf", Memory({})), SIGNS),
    "both": lambda data: slurm("NodeName=a[1-3] Gres=gpu:2", data.decode(errors="replace")),
    "file_sd": lambda data: read_file_sd(data, "t.json", SIGNS),
    "ini": lambda data: read_ansible(data, "hosts"),
    "yaml": lambda data: read_ansible(data, "hosts.yml"),
}
PIECES = """
NodeName= a[1-3] DEFAULT Gres=gpu: h100:8 # = " Name=gpu File=/dev/nvidia[0-1] AutoDetect=nvml CPUs= 99999999999999 [ ]
: [all:vars] é targets labels "x:9100" { } , hosts: children: all: _meta n[01:3] x=1 ansible_host= {{ !vault &a *a
rack= ' SlurmctldHost= ControlAddr= null :2222
"""
BLANKS = st.sampled_from([" ", "\n", "\\\n", "- ", "\0", "Include slurm.conf\n"])
WORDS = st.lists(st.sampled_from(PIECES.split()) | BLANKS, max_size=30).map("".join)


@pytest.mark.parametrize("source", SOURCES)
@given(data=st.binary(max_size=60) | WORDS.map(str.encode))
def test_whatever_a_source_holds_is_read_or_refused(source: str, data: bytes) -> None:
    draft, refused = Draft(()), InputError([])
    try:
        draft = merge([SOURCES[source](data)], NOBODY)
    except InputError as error:
        refused = error

    assert len({node.name for node in draft.nodes}) == len(draft.nodes)
    assert [problem for problem in refused.problems if problem.place is None] == []


READINGS = (
    slurm("ClusterName=a\nSlurmctldHost=ctl\nNodeName=n[1-3] NodeAddr=10.0.0.[1-3] Gres=gpu:h100:8"),
    file_sd({"targets": ["10.0.0.1:9100", "10.0.0.7:9400"], "labels": {"rack": "r1", "row": "a"}}),
    file_sd({"targets": ["10.0.0.2:9100"], "labels": {"rack": "r 2", "row": "b"}}),
    file_sd({"targets": ["10.0.0.2:9101"], "labels": {"row": "c"}}),
    read_ansible(b"n1.example.com ansible_user=a\n10.0.0.3 rack=r9\n[rack_x]\nn1\nn2\n", "hosts"),
    file_sd({"targets": ["10.0.0.9:9100"], "labels": {"node": "n1", "cluster": "b"}}),
    read_ansible(b"n1 ansible_host=10.0.0.8 rack=r2\n", "more"),
)


@given(st.lists(st.sampled_from(READINGS), unique_by=id), st.randoms(use_true_random=False))
def test_the_order_of_sources_is_no_matter(readings: list[Reading], random: object) -> None:
    def outcome(order: list[Reading]) -> Draft | set[object]:
        try:
            return merge(order, NOBODY)
        except InputError as error:
            return set(error.problems)

    other = list(readings)
    random.shuffle(other)  # type: ignore[attr-defined]

    assert outcome(other) == outcome(readings)


@pytest.mark.parametrize(("case", "name"), [("ansible-ini", "hosts"), ("ansible-yaml", "hosts.yml")])
def test_an_inventory_says_what_ansible_itself_lists(case: str, name: str) -> None:
    """`listed.json` is what `ansible-inventory --list` of ansible-core 2.19.14 makes of it."""
    own = read_ansible((CASES / case / name).read_bytes(), name)
    listed = read_ansible((CASES / case / "listed.json").read_bytes(), "listed.json")

    assert merge([own], NOBODY).nodes == merge([listed], NOBODY).nodes
    assert len(merge([own], NOBODY).nodes) == {"ansible-ini": 14, "ansible-yaml": 7}[case]


def test_what_aamic_has_rendered_is_imported_as_it_was() -> None:
    outputs = sorted((CASES.parents[1] / "outputs").glob("shard-?/var/lib/aami/targets/*-nodes.json"))
    draft = merge([read_file_sd(path.read_bytes(), path.name, SIGNS) for path in outputs], NOBODY)
    nodes = {node.name: node for node in draft.nodes}

    assert draft.notes == ()
    assert len(nodes) == 93
    assert nodes["gpu-017"].labels == {"row": "a", "quarantine": "yes"}
    assert nodes["mi-001"].gpu == Gpu("amd", "MI300X", 8)


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        ("h100", ("nvidia", "H100")),
        ("nvidia_h100_80gb_hbm3", ("nvidia", "H100")),
        ("nvidia_a100-sxm4-40gb", ("nvidia", "A100")),
        ("a100_3g.20gb", ("nvidia", "A100")),
        ("NVIDIA-H200", ("nvidia", "H200")),
        ("nvidia_l40s", ("nvidia", "L40S")),
        ("tesla_t4", ("nvidia", "T4")),
        ("gtx", (None, "gtx")),
        ("nvidia_gh200_480gb", ("nvidia", "GH200")),
        ("nvidia_geforce_rtx_4090", ("nvidia", "RTX 4090")),
        ("amd_instinct_mi300x_oam", ("amd", "MI300X")),
        ("mi250", ("amd", "MI250")),
        ("mi300a", ("amd", "MI300A")),
        ("h1000", (None, "h1000")),
    ],
)
def test_types_that_slurm_knows(type_: str, expected: tuple[str | None, str]) -> None:
    assert of_type(type_, SIGNS) == expected


def test_parts_of_a_gpu() -> None:
    parts = ("a100_3g.20gb", "1g.10gb", "nvidia_h100_1g.10gb")

    assert [is_part(each, SIGNS) for each in (*parts, "h100_80gb", "v100-16gb")] == [True, True, True, False, False]


@pytest.mark.parametrize(
    ("line", "threads", "memory"),
    [
        ("CPUs=8 RealMemory=8000", 8, 8000 * 2**20),
        ("Sockets=2 CoresPerSocket=32 ThreadsPerCore=2", 128, None),
        ("CPUs=64 Sockets=2 CoresPerSocket=32 ThreadsPerCore=2", 128, None),
        ("CPUs=16 CoresPerSocket=4 ThreadsPerCore=2", 16, None),
        ("Boards=2 SocketsPerBoard=2 CoresPerSocket=4 ThreadsPerCore=1 RealMemory=1", 16, None),
        ("procs=4", 4, None),
        ("RealMemory=2", None, 2 * 2**20),
    ],
)
def test_the_size_of_a_node(line: str, threads: int | None, memory: int | None) -> None:
    node = merge([slurm(f"NodeName=n {line}\n")], NOBODY).nodes[0]

    assert (node.threads, node.memory) == (threads, memory)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("H100:8", "`H100:8` in `--gpu` cannot be read"),
        ("nvidia:H100:65", "`nvidia:H100:65` in `--gpu` cannot be read"),
        ("acme:X:8", "unknown GPU vendor `acme` in `--gpu`"),
        ("n[=nvidia:X:8", "bracket in `n[` is not closed, in `--gpu`"),
    ],
)
def test_wishes_that_cannot_be_read(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        wish(text, SIGNS)

    assert [problem.message for problem in caught.value.problems] == [message]


def test_a_wish_for_nodes_that_nobody_has() -> None:
    with pytest.raises(InputError) as caught:
        merge([slurm("NodeName=n")], Wishes(gpus=(wish("n,m[1-2]=nvidia:H100:8", SIGNS),)))

    assert [problem.message for problem in caught.value.problems] == ["`--gpu` names `m[1-2]`, which no source has"]


def test_no_secret_is_ever_repeated() -> None:
    inventory = b"a ansible_password=hunter2 db=postgres://u:hunter2@h/ x='hunter2' ansible_user='{{ hunter2 }}'\n"
    draft = merge([read_ansible(inventory, "hosts")], NOBODY)
    wrong = read_ansible(b"a ansible_password=x hunter2\n[v:vars]\nhunter2\n", "hosts")

    assert "hunter2" not in str(draft)
    assert len(wrong.problems) == 2
    assert "hunter2" not in str(wrong.problems)


@pytest.mark.parametrize("line", ["JobCompPass=hunter2 s3cr3t", "StoragePass s3cr3t", "Key=s3cr3t"])
def test_no_part_of_a_password_is_repeated(line: str) -> None:
    told = [problem.message for problem in slurm(f"ClusterName=a\n{line}\n").problems]

    assert "s3cr3t" not in " ".join(told)
    assert told == ([] if "Key" in line else ["a part of it is neither a `Key=value` nor `Include FILE`"])


def test_what_has_gpus_that_are_not_known_is_no_server() -> None:
    draft = merge([read_ansible(b"a gpu_vendor=amd\nb\n", "hosts")], NOBODY, Words(SIGNS))

    assert [(node.name, node.unsure_gpus) for node in draft.nodes] == [("a", True), ("b", False)]
    assert server(draft)[0] == "b"
