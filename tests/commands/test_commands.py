from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.commands.conftest import Aamic


@pytest.fixture
def first_site(aamic: Aamic, tmp_path: Path) -> Path:
    assert aamic("init", ".").returncode == 0
    return tmp_path / "site.yaml"


def test_what_init_writes_compiles_without_a_word(aamic: Aamic, first_site: Path) -> None:
    done = aamic("validate")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "site.yaml: 7 nodes, 3 Prometheus servers: no error\n"
    assert first_site.exists()


def test_init_never_overwrites(aamic: Aamic, first_site: Path) -> None:
    first_site.write_text("mine")

    done = aamic("init", ".")

    assert (done.returncode, first_site.read_text()) == (1, "mine")
    assert done.stderr == "error: `site.yaml` exists already\nhint: choose another folder; nothing was written\n"


def test_init_in_a_folder_that_cannot_be(aamic: Aamic, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    done = aamic("init", "file/below")

    assert (done.returncode, done.stderr) == (1, "error: cannot write `file/below/site.yaml`: Not a directory\n")


@pytest.mark.usefixtures("first_site")
def test_render_writes_once_and_check_tells_what_is_stale(aamic: Aamic, tmp_path: Path) -> None:
    assert aamic("render", "--check").returncode == 16
    assert not (tmp_path / "outputs").exists()
    first = aamic("render")
    assert first.returncode == 0
    files = sum(path.is_file() for path in (tmp_path / "outputs").rglob("*"))
    assert first.stdout.splitlines()[-1] == f"outputs: {files} added, 0 changed, 0 removed, {files} in all"
    again = aamic("render")
    assert again.stdout == f"outputs: {files} files, nothing changed\n"
    assert aamic("render", "--check").returncode == 0
    (tmp_path / "outputs" / "manifest.json").write_text("{}")
    stale = aamic("render", "--check", "--json")
    assert stale.returncode == 16
    assert json.loads(stale.stdout) == {
        "out": "outputs", "files": files, "added": [], "changed": ["manifest.json"], "removed": [],
    }  # fmt: skip


def test_a_site_that_is_wrong_leaves_outputs_as_they_are(aamic: Aamic, first_site: Path, tmp_path: Path) -> None:
    aamic("render")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "outputs").rglob("*")}
    first_site.write_text(first_site.read_text().replace("shards: 2", "shards: two"))

    done = aamic("render")

    assert done.returncode == 1
    assert "`federation.shards` is text" in done.stderr
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "outputs").rglob("*")} == before


def test_validate_tells_a_machine_what_is_wrong(aamic: Aamic, first_site: Path) -> None:
    first_site.write_text("version: 1\ncluster: {nam: x}\nprometheus: {node: n}\nnodes: {n: {address: 10.0.0.1}}\n")

    done = aamic("validate", "--json")

    assert done.returncode == 1
    answer = json.loads(done.stdout)
    assert answer["valid"] is False
    assert answer["problems"][0]["message"] == "unknown key `nam` in `cluster`"


def test_warnings_do_not_disturb_what_a_machine_reads(aamic: Aamic, first_site: Path) -> None:
    first_site.write_text(first_site.read_text().replace("shards: 2", "shards: 2\n  match: raw"))

    done = aamic("shards", "--json")

    assert len(json.loads(done.stdout)) == 3
    assert done.stderr.startswith("warning: `match: raw` makes central read every series")


@pytest.mark.usefixtures("first_site")
def test_shards_as_a_table(aamic: Aamic) -> None:
    head, *rows = aamic("shards").stdout.splitlines()

    assert head.split() == ["shard", "host", "nodes", "racks", "series", "samples/s", "RAM", "disk"]
    assert [row.split()[:2] for row in rows] == [
        ["shard-1", "mon-01:9090"],
        ["shard-2", "mon-01:9091"],
        ["central", "mon-01:9092"],
    ]


@pytest.mark.usefixtures("first_site")
def test_graph_in_both_formats(aamic: Aamic) -> None:
    assert aamic("graph").stdout.startswith("flowchart LR\n")
    root = ET.fromstring(aamic("graph", "--format", "svg").stdout)  # noqa: S314  # our own output
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    texts = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"rack r01", "rack r02", "shard-1", "shard-2", "central", "Alertmanager"} <= set(texts)


def test_no_site_is_told_with_the_way_out(aamic: Aamic) -> None:
    done = aamic("validate")

    assert (done.returncode, done.stdout) == (1, "")
    assert "run `aamic init`" in done.stderr


def test_wrong_usage_is_two(aamic: Aamic) -> None:
    assert aamic("rendr").returncode == 2
    assert aamic("render", "--no-such-option").returncode == 2


def test_a_pipe_that_closes_is_no_bug(first_site: Path) -> None:
    program = f"{sys.executable} -m aamic graph -f {first_site} | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=False)

    assert (done.returncode in {0, 1}, done.stderr) == (True, "")


def test_a_full_disk_is_no_bug(first_site: Path) -> None:
    program = f"{sys.executable} -m aamic graph -f {first_site} > /dev/full"
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (1, "error: cannot write: No space left on device\n")


def test_a_bug_is_three_and_keeps_its_traceback_from_the_screen(tmp_path: Path) -> None:
    program = (
        "import aamic.cli as c\n"
        "def boom() -> None: raise RuntimeError('oh')\n"
        "c.app.command()(c.guarded(boom)); c.main()\n"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program, "boom"], capture_output=True, text=True, check=False, env=environment
    )

    (log,) = tmp_path.glob("aamic-bug-*.log")
    assert done.returncode == 3
    assert done.stderr == f"error: aamic has a bug: RuntimeError: oh\nhint: please report it with {log}\n"
    assert "Traceback" in log.read_text()


def test_an_interrupt_is_130(tmp_path: Path) -> None:
    program = (
        "import aamic.cli as c, time\n"
        "def wait() -> None: print('ready', flush=True); time.sleep(60)\n"
        "c.app.command()(c.guarded(wait)); c.main()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, "wait"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
    ) as child:  # fmt: skip
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        time.sleep(0.1)
        child.send_signal(signal.SIGINT)
        _, told = child.communicate(timeout=20)

    assert (child.returncode, told) == (130, "interrupted\n")


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import sys, aamic.cli\n"
        "print(sorted({'pydantic', 'jinja2', 'yaml', 'orjson', 'promql_parser', 'rich.table'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"
