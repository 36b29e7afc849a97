"""The reader of exporters' answers: what is right is read, and no garbage makes it fail or invents a sample."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aamic.agent.health import exposition
from aamic.agent.health.exposition import Sample, read
from aamic.catalog import exposition as writer
from aamic.catalog.base import Fault
from aamic.catalog.vendors.amd.options import AmdOptions
from aamic.catalog.vendors.amd.sample import sample as amd
from aamic.catalog.vendors.nvidia.options import DcgmOptions
from aamic.catalog.vendors.nvidia.sample import sample as nvidia
from aamic.model.fleet import Gpu, Node
from tests import exposition as strict


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("up 1", Sample("up", {}, 1.0)),
        ('a{b="c"} 2.5e3 1790000000000', Sample("a", {"b": "c"}, 2500.0)),
        ('a { b = "c" , d="" , } -1', Sample("a", {"b": "c", "d": ""}, -1.0)),
        ('a{b="x\\"} 9",c="\\\\n\\n"} +Inf', Sample("a", {"b": 'x"} 9', "c": "\\n\n"}, math.inf)),
        ("a{} 0x10", None),
        ("a 1_000", None),
        ("a infinity", None),
        ("a nan1", None),
        ('a{b="c" 1', None),
        ('a{b="c",b="d"} 1', None),
        ("a{b=c} 1", None),
        ('{b="c"} 1', None),
        ("a", None),
        ("a 1 2 3", None),
        ("9a 1", None),
        ("a{" + "x" * 20_000 + "} 1", None),
    ],
)  # fmt: skip
def test_a_line(line: str, expected: Sample | None) -> None:
    found = read(f"# HELP a b\n{line}\n\n".encode())

    assert (found.samples, found.bad) == ([expected] if expected else [], 0 if expected else 1)


def test_what_exporters_answer_is_read_as_by_the_strict_reader() -> None:
    faults = (Fault("xid", "79", 3), Fault("afid", "20", 2))
    node = Node("gpu-001", "10.0.0.1", None, Gpu("nvidia", "H100", 8), {})
    other = Node("mi-001", "10.0.0.2", None, Gpu("amd", "MI300X", 8), {})
    for text in (nvidia(DcgmOptions(), node, faults, 60.0), amd(AmdOptions(cper=True), other, faults, 60.0)):
        expected = [(one.name, dict(one.labels), one.value) for one in strict.read(text).series]
        found = read(text.encode())

        assert [tuple(one) for one in found.samples] == expected
        assert found.bad == 0


@given(st.binary(max_size=400) | st.text(alphabet='a{}="\\,1e+- \n#_:é\x00', max_size=200).map(str.encode))
def test_no_bytes_make_it_fail(garbage: bytes) -> None:
    found = read(garbage)

    assert all(one.name and isinstance(one.value, float) for one in found.samples)
    assert len(found.samples) + found.bad <= garbage.count(b"\n") + 1


NAMES = st.text("aZ_:", min_size=1, max_size=3)
LABELS = st.text("aZ_", min_size=1, max_size=2)
ANY = st.text(max_size=6)
VALUES = st.floats(allow_nan=False) | st.integers(-(2**53), 2**53).map(float)
SAMPLES = st.builds(writer.Sample, st.dictionaries(LABELS, ANY, max_size=3), VALUES)
FAMILIES = st.builds(
    writer.Family, NAMES, st.sampled_from(["gauge", "counter"]), ANY, st.lists(SAMPLES, max_size=2).map(tuple)
)


@given(st.lists(FAMILIES, max_size=3))
def test_whatever_is_written_is_read_again(families: list[writer.Family]) -> None:
    written = [
        Sample(family.name, dict(sample.labels), sample.value) for family in families for sample in family.samples
    ]

    assert read(writer.text(families).encode()) == (written, 0)


@given(FAMILIES, st.text(" \t", max_size=3), st.integers(0, 2**45))
def test_blanks_and_times_are_no_part_of_a_sample(family: writer.Family, blank: str, time: int) -> None:
    plain = writer.text([family]).encode()
    lines = plain.decode().split("\n")
    timed = "\n".join(f"{blank}{line} {blank}{time}" if line and not line.startswith("#") else line for line in lines)

    assert read(timed.encode()) == read(plain)


@given(st.lists(FAMILIES, max_size=3), NAMES)
def test_only_what_is_wanted_is_read(families: list[writer.Family], wanted: str) -> None:
    text = writer.text(families).encode()

    assert read(text, wanted).samples == [one for one in read(text).samples if one.name.startswith(wanted)]


@given(st.text(alphabet='a{}="\\,1 ', max_size=60))
def test_a_line_of_garbage_does_not_touch_the_others(garbage: str) -> None:
    found = read(f"before 1\n{garbage}\nafter 2\n".encode())

    assert found.samples[0] == Sample("before", {}, 1.0)
    assert found.samples[-1] == Sample("after", {}, 2.0)


def test_an_endless_answer_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exposition, "MOST_SAMPLES", 3)

    found = read(b"a 1\n" * 10)

    assert (len(found.samples), found.bad) == (3, 7)
