"""docs/exporters.md: every piece of a site on it compiles, and a program comes out of a package as it says."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from aamic.clients.artifacts import Artifacts
from aamic.compile.compiler import compile_site
from aamic.model.fleet import Package, Tarball

PAGE = Path(__file__).parents[1] / "docs/exporters.md"
PIECES = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
SITE = """\
version: 1
cluster: {name: test}
prometheus: {node: mon}
nodes:
  mon: {address: 198.18.0.1}
  gpu: {address: 198.18.0.2, gpu: {vendor: nvidia, model: H100, count: 8}}
  mi: {address: 198.18.0.3, gpu: {vendor: amd, model: MI300X, count: 8}}
"""


def test_it_has_pieces() -> None:
    assert len(PIECES) == 5


@pytest.mark.parametrize("piece", PIECES)
def test_pieces_of_a_site_compile_and_pin_what_they_name(piece: str, tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(SITE + piece)
    bundle = "gpu-amd" if "amd:" in piece else "gpu-nvidia"
    (service,) = (each for each in compile_site(path).fleet.services if each.bundle == bundle)

    assert service.unit is not None
    if "tarball:" in piece:
        assert isinstance(service.install, Tarball)
        assert service.unit.command[0] == service.install.installs_to
    else:
        assert isinstance(service.install, Package)
        assert service.install.version is not None
        assert service.unit.command[0].endswith("exporter")


def test_a_program_comes_out_of_a_debian_package(tmp_path: Path) -> None:
    if shutil.which("dpkg-deb") is None:
        pytest.skip("this machine has no dpkg-deb")
    package = tmp_path / "package"
    (package / "usr/bin").mkdir(parents=True)
    (package / "usr/bin/dcgm-exporter").write_bytes(b"\x7fELF program")
    (package / "DEBIAN").mkdir()
    (package / "DEBIAN/control").write_text(
        "Package: exporter\nVersion: 1\nArchitecture: all\nMaintainer: a <a@example.com>\nDescription: x\n"
    )
    commands = "dpkg-deb --build package exporter.deb\ndpkg-deb --fsys-tarfile exporter.deb > exporter.tar"
    subprocess.run(["sh", "-euc", commands], cwd=tmp_path, check=True, capture_output=True)
    digest = hashlib.sha256((tmp_path / "exporter.tar").read_bytes()).hexdigest()

    assert Artifacts(tmp_path).program("exporter.tar", digest, "usr/bin/dcgm-exporter") == b"\x7fELF program"
