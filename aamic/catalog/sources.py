"""Where a program comes from: what to install, and its path afterwards."""

from __future__ import annotations

from typing import Final

from aamic.model.fleet import Package, Tarball
from aamic.model.source import PackageSource, TarballSource

INSTALLS_TO: Final = "/opt/aami/bin"


def install_of(source: PackageSource | TarballSource, name: str) -> tuple[Package | Tarball, str]:
    """What to install, and the path of the program afterwards; `name` is the program's name without its folder.

    >>> install_of(PackageSource(package="prometheus-node-exporter"), "prometheus-node-exporter")[1]
    '/usr/bin/prometheus-node-exporter'
    """
    if isinstance(source, TarballSource):
        target = f"{INSTALLS_TO}/{name}"
        return Tarball(source.tarball, source.sha256, source.binary, target), target
    return Package(source.package, source.version), source.binary or f"/usr/bin/{name}"
