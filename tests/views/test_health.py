"""Health in lines, byte for byte. `AAMIC_GOLDEN=update` writes the expected files anew: read them as at night."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from aamic.compile.hostlist import fold
from aamic.model.health import Component, GpuHealth, Health, NodeHealth, Silence
from aamic.ops.healthdocument import HealthDocument, document
from aamic.views.health import MOST, Paper, text

GOLDEN = Path(__file__).with_name("golden")
DOCS = Path(__file__).parents[2] / "docs/commands.md"
URL = "http://10.10.0.13:9090"
DEAD = f"`{URL}` does not answer: [Errno 111] Connection refused"

BROKEN = (
    Component("fatal_error", "fail", 79.0, None, None, "XID 79 (GPU has fallen off the bus)"),
    Component("uncorrected_ecc", "ok", 0.0, None, 1.0, "no uncorrected memory errors"),
    Component("temperature", "ok", 61.0, 85.0, None, "temperature 61 C"),
    Component("corrected_ecc", "ok", 12.0, 100.0, None, "12 corrected memory errors in an hour"),
    Component("throttling", "unmeasured", None, 0.1, None, "not reported"),
    Component("no_data", "ok", None, None, None, "every reading is there"),
)
WELL = (
    Component("fatal_error", "ok", 0.0, None, None, "no error code"),
    Component("temperature", "ok", 84.0, 85.0, None, "temperature 84 C"),
)
OF_NODE = (
    Component("lost_gpu", "ok", 8.0, None, 7.0, "8 of 8 GPUs are there"),
    Component("exporter", "ok", 1.0, None, None, "its exporter answers"),
    Component("freshness", "ok", 7.0, None, None, "the newest sample is 7 s old, 45 at most"),
)


def gpus(bad: int | None = None, *, detailed: bool = True) -> tuple[GpuHealth, ...]:
    return tuple(
        GpuHealth(str(n), f"GPU-3f1c2a7e-{n}", "fail", 0, BROKEN[0].message, BROKEN if detailed else ())
        if n == bad
        else GpuHealth(str(n), f"GPU-3f1c2a7e-{n}", "ok", 73 if n == 5 else 100, "", WELL if detailed else ())
        for n in range(8)
    )


def well(name: str, rack: str | None) -> NodeHealth:
    return NodeHealth(name, rack, "ok", 100, "all 8 GPUs are well", 8, gpus(detailed=False))


BAD = NodeHealth("gpu-017", "r01", "fail", 0, f"{BROKEN[0].message} on GPU 3", 8, gpus(3), OF_NODE)


def cluster() -> Health:
    """93 nodes: one fails, one is hot, one is gone, and a shard's servers do not answer."""
    r1 = [BAD if n == 17 else well(f"gpu-{n:03}", "r01") for n in range(1, 33)]  # the one that fails
    r1[3] = NodeHealth("gpu-004", "r01", "warn", 50, "temperature 88 C on GPU 1,5", 8)
    r1[4] = NodeHealth("gpu-005", "r01", "unknown", None, "its exporter does not answer", 8)
    r3 = [NodeHealth(f"mi-{n:03}", "r03", "unknown", None, DEAD, 8) for n in range(1, 17)]
    nodes = (*r1, *(well(f"gpu-{n:03}", "r02") for n in range(33, 65)), *r3, *(well(f"lab-{n}", None) for n in (1, 2)))
    silences = (Silence(DEAD, tuple(node.name for node in r3), lost=True),)
    return Health("seoul-gpu-1", 0.0, nodes, ("mon-01", "mon-02", "mon-03", "slurm-ctl"), silences)


def one() -> Health:
    return Health("seoul-gpu-1", 0.0, (BAD,))


def hostile() -> Health:
    nasty = "\x1b[2Jx\n[bold]"
    gpu = GpuHealth(nasty, nasty, "warn", 50, nasty, (Component(nasty, "warn", 1.0, 1.0, None, nasty * 9),))
    node = NodeHealth("n-1", nasty, "warn", 50, nasty * 20, 8, (gpu,))
    return Health("c", 0.0, (node, well("n-2", "r")), (), (Silence(nasty, ("n-1",), lost=False),))


ALL = {
    "cluster": (cluster(), {"named": False, "detailed": False}),
    "cluster-detailed": (cluster(), {"named": False, "detailed": True}),
    "node": (one(), {"named": True, "detailed": False}),
    "node-detailed": (one(), {"named": True, "detailed": True}),
    "hostile": (hostile(), {"named": True, "detailed": True}),
}


def printed(name: str, paper: Paper = Paper()) -> str:  # noqa: B008  # it is frozen
    found, asked = ALL[name]
    return text(found, fold, paper, **asked)


@pytest.mark.parametrize("name", ALL)
def test_health_looks_as_expected(name: str) -> None:
    path = GOLDEN / f"health-{name}.txt"
    if os.environ.get("AAMIC_GOLDEN") == "update":
        path.write_text(printed(name))
    assert path.read_text() == printed(name)


@pytest.mark.parametrize("name", ["cluster", "node-detailed"])
def test_the_docs_show_what_is_printed(name: str) -> None:
    pattern = re.compile(f"(<!-- health-{name} -->\n```text\n[$] [^\n]*\n)(.*?)(?=```\n)", re.DOTALL)
    if os.environ.get("AAMIC_GOLDEN") == "update":
        DOCS.write_text(pattern.sub(lambda found: found[1] + printed(name), DOCS.read_text()))
    assert [block for _, block in pattern.findall(DOCS.read_text())] == [printed(name)]


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("name", ALL)
def test_lines_are_as_wide_as_the_window_and_colour_is_nothing_but_colour(name: str, width: int) -> None:
    plain = printed(name, Paper(width))

    assert re.sub("\033\\[[0-9;]*m", "", printed(name, Paper(width, colour=True))) == plain
    assert all(line.isprintable() for line in plain.splitlines())
    assert name.startswith("cluster") or max(map(len, plain.splitlines())) <= width
    assert width < 80 or max(map(len, plain.splitlines())) <= width  # a table needs that much


def test_many_different_faults_are_cut_and_counted() -> None:
    nodes = tuple(NodeHealth(f"n{n:03}", None, "warn", 50, f"temperature {n} C on GPU 1", 8) for n in range(100))
    lines = text(Health("c", 0.0, nodes), fold, Paper(), named=False, detailed=False).splitlines()

    assert lines[-1] == f"and {100 - MOST} nodes more that are not ok; `--json` has all"
    assert len(lines) == MOST + 3


@pytest.mark.parametrize("name", ALL)
def test_the_document_is_as_its_schema_says(name: str) -> None:
    found, _ = ALL[name]
    told = document(found)

    assert HealthDocument.model_validate_json(json.dumps(told)).model_dump(mode="json", exclude_unset=True) == told
    assert told["overall"] == found.whole.score
