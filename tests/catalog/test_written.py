"""Reading the catalog's files is quicker than PyYAML's own loader, and says the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import aamic.catalog
from aamic.catalog.written import read

FILES = sorted(Path(aamic.catalog.__file__).parent.rglob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_reads_what_pyyaml_reads(path: Path) -> None:
    expected = yaml.safe_load(path.read_bytes())
    assert read(path) == expected


def test_knows_every_kind_of_scalar(tmp_path: Path) -> None:
    path = tmp_path / "kinds.yaml"
    path.write_text('{0x25b6: 1, word: [yes, 1.5, "no", ~], empty: {}, "3": [[]]}', encoding="utf-8")
    assert read(path) == {0x25B6: 1, "word": [True, 1.5, "no", None], "empty": {}, "3": [[]]}
