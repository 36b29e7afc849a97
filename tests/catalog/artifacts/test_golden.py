"""The rendered files of three fleets, byte for byte.

`AAMIC_GOLDEN=update pytest tests/catalog/artifacts/test_golden.py` writes them anew; read the diff before you commit.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import orjson
import pytest

from aamic.model.tree import Tree
from tests.catalog.artifacts import hosts
from tests.fleets import FLEETS

GOLDEN = Path(__file__).with_name("golden")


def tree(name: str) -> Tree:
    return hosts.tree(FLEETS[name]())


def contents(name: str) -> dict[str, bytes]:
    """The files of the artifacts; the manifest is tested where it is made."""
    return {path: content for path, content in tree(name).files().items() if path != "manifest.json"}


def read(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def write(folder: Path, files: dict[str, bytes]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


@pytest.mark.parametrize("name", FLEETS)
def test_files_are_the_golden_ones(name: str) -> None:
    files = contents(name)
    if os.environ.get("AAMIC_GOLDEN") == "update":
        write(GOLDEN / name, files)
    assert files == read(GOLDEN / name)


@pytest.mark.parametrize("name", FLEETS)
def test_the_same_fleet_gives_the_same_bytes(name: str) -> None:
    assert tree(name) == tree(name)


@pytest.mark.parametrize("name", FLEETS)
def test_a_unit_file_belongs_to_what_starts_with_the_host(name: str) -> None:
    for bundle in tree(name).bundles:
        units_here = {Path(file.path).name for file in bundle.files if file.path.startswith("/etc/systemd/system/")}
        starting = {unit for unit, state in bundle.services.items() if state in {"started", "enabled"}}
        triggered = {f"{unit.removesuffix('.timer')}.service" for unit in starting if unit.endswith(".timer")}
        assert units_here == starting | triggered


@pytest.mark.parametrize("name", FLEETS)
def test_only_references_to_secrets_are_rendered(name: str) -> None:
    for bundle in tree(name).bundles:
        for path, secret in bundle.secrets.items():
            assert path.startswith("/etc/aami/secrets/")
            assert set(secret) - {"file", "env", "command"} == {"owner"}
            assert orjson.dumps(secret)
