"""aamic as one file: what `make program` gives runs on a host that has no more than Python."""

from __future__ import annotations

import hashlib
import io
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import yaml

from tests.fleet.host import Host
from tests.fleet.program import ROOT, Program, make_program

NOBODY = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "env", "-i", "PATH=/usr/bin:/bin")


def test_it_runs_where_nothing_else_is(program: Program, hosts: Mapping[str, Host]) -> None:
    host = hosts["gpu-01"]
    shutil.copy2(program.file, host.root / "srv/aamic")
    host.do("install", "-d", "-o", "nobody", "/srv/unpacked")
    command = (*NOBODY, "PEX_ROOT=/srv/unpacked", "/srv/aamic", "--version")
    try:
        answers = [host.run(*command) for _ in range(2)]
    finally:
        host.do("rm", "-rf", "/srv/aamic", "/srv/unpacked")

    told = [(done.returncode, done.stdout, done.stderr) for done in answers]
    assert told == [(0, f"aamic {version('aamic')}\n", "")] * 2


def test_a_site_can_name_it(program: Program) -> None:
    source = yaml.safe_load(program.site)["serve"]["source"]

    packed = Path(source["tarball"]).read_bytes()
    assert hashlib.sha256(packed).hexdigest() == source["sha256"]
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        (member,) = archive.getmembers()
        held = archive.extractfile(member)
        assert held is not None
        assert (member.name, member.mode, held.read()) == (source["binary"], 0o755, program.file.read_bytes())


def test_the_same_tree_gives_the_same_bytes(program: Program, tmp_path: Path) -> None:
    again = make_program(tmp_path)

    assert again.file.read_bytes() == program.file.read_bytes()
    assert again.site.replace(str(tmp_path), "") == program.site.replace(str(program.folder), "")


def test_versions_that_are_not_locked_are_refused(tmp_path: Path) -> None:
    for name in ("aamic", "tools"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy2(ROOT / name, tmp_path)
    locked = (ROOT / "requirements.lock").read_text()
    (tmp_path / "requirements.lock").write_text(re.sub(r"(?m)^fastapi==\S+", "fastapi==0.1.0", locked))

    command = [str(tmp_path / "tools/program"), sys.prefix, str(tmp_path / "dist")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, list((tmp_path / "dist").iterdir())) == (1, "", [])
    assert "fastapi" in done.stderr
