"""Imports: each folder of imports/ holds sources, the arguments of `aamic import`, and all that it says then.

`AAMIC_GOLDEN=update` writes `expected.yaml`, `expected.csv` and `expected.txt` anew; read them before you commit them.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aamic.cli import app
from aamic.compile.compiler import compile_site

CASES = Path(__file__).parent / "imports"


def arguments(case: str) -> list[str]:
    return (CASES / case / "args").read_text().splitlines()


def settled(golden: Path, actual: str) -> str:
    """What is expected; empty where nothing is."""
    if os.environ.get("AAMIC_GOLDEN") == "update":
        golden.write_text(actual)
        if not actual:
            golden.unlink()
    return golden.read_text() if golden.exists() else ""


@pytest.mark.parametrize("case", sorted(path.name for path in CASES.iterdir()))
def test_an_import(case: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(CASES / case)
    out = tmp_path / "site.yaml"
    done = CliRunner().invoke(app, ["import", *arguments(case), "--out", str(out)])
    site = out.read_text() if out.exists() else ""
    rows = (tmp_path / "nodes.csv").read_text() if (tmp_path / "nodes.csv").exists() else ""
    said = done.stderr.replace(str(tmp_path), "OUT")

    assert settled(CASES / case / "expected.yaml", site) == site
    assert settled(CASES / case / "expected.csv", rows) == rows
    assert settled(CASES / case / "expected.txt", said) == said
    assert done.exit_code == (0 if site else 1)
    assert not site or compile_site(out).fleet.nodes
