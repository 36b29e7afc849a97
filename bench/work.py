"""The work of the benchmark: a site of equal nodes with some ten files each, in two forms that differ in three."""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from farm import Farm

from aamic.compile.compiler import Compiled, compile_site

CUSTOM: Final = 3
"""Exporters of the site's own, a unit each; these are changed."""
FIRST_PORT: Final = 9291
FORMS: Final = ("1", "2")

SITE: Final = """\
version: 1
cluster: {{name: bench}}
ssh: {{user: root, port: {port}, key: {key}, known_hosts: {known_hosts}, config: false, agent: false}}
federation: {{central_node: mon, shards: 1, by: rack, shard_nodes: mon}}
alertmanager: {{nodes: mon}}
alerts: {{presets: [node, federation]}}
racks:
{racks}
nodes:
  mon: {{address: 127.10.250.1}}
rollout: {{settle: 1s}}
exporters:
  custom:
{custom}
"""
RACK: Final = '  r{number}: {{nodes: "{nodes}", addresses: "127.10.{network}.[1-{size}]"}}\n'
EXPORTER: Final = """\
    - name: sensors{number}
      port: {port}
      racks: [{racks}]
      command: [/usr/bin/sensors-exporter, "--config.file=/etc/sensors/{number}.yml", "--collect.level={level}"]
      user: root
      source: {{package: sensors-exporter}}
      metrics: {{sensors{number}_temperature_celsius: {{type: gauge, labels: [id]}}}}
      series: 60
"""
RACK_SIZE: Final = 200


@dataclass(frozen=True)
class Managed:
    """One file that each host should have, in both forms."""

    path: str
    mode: str
    contents: tuple[bytes, ...]

    @property
    def changed(self) -> bool:
        return len(set(self.contents)) > 1

    @property
    def source(self) -> bytes:
        """What peers make it of: itself, or where it changes, a template of Jinja with `level`."""
        return self.contents[0].replace(b"level=1", b"level={{ level }}") if self.changed else self.contents[0]


@dataclass(frozen=True)
class Work:
    """Hosts of a farm by name and address, the site that describes them in each form, and the files of each host."""

    farm: Farm
    hosts: tuple[tuple[str, str], ...]
    sites: tuple[Path, ...]
    files: tuple[Managed, ...]

    @property
    def changed(self) -> tuple[Managed, ...]:
        return tuple(file for file in self.files if file.changed)

    def archive(self, form: int) -> bytes:
        """A tar of the files that change, in a form."""
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as tar:
            for file in self.changed:
                member = tarfile.TarInfo(file.path[1:])
                member.size, member.mode = len(file.contents[form]), int(file.mode, 8)
                tar.addfile(member, io.BytesIO(file.contents[form]))
        return stream.getvalue()

    def write(self, folder: Path, form: int) -> None:
        """All files in a form, below a folder."""
        for file in self.files:
            target = folder / file.path[1:]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.contents[form])
            target.chmod(int(file.mode, 8))

    def write_sources(self, folder: Path) -> None:
        """The sources of all files, below a folder."""
        for file in self.files:
            source = folder / file.path[1:]
            source.parent.mkdir(parents=True, exist_ok=True)
            source.write_bytes(file.source)


def ports() -> tuple[int, ...]:
    """The ports of a node's services."""
    return (9100, *(FIRST_PORT + number for number in range(CUSTOM)))


def work(folder: Path, farm: Farm, count: int) -> Work:
    """The work on the first so many hosts of a farm."""
    sites = tuple(_site(folder / f"form-{form}", farm, count, form) for form in FORMS)
    compiled = [compile_site(site) for site in sites]
    hosts = tuple(zip(farm.names[:count], farm.addresses[:count], strict=True))
    return Work(farm, hosts, sites, _files(compiled, farm.names[0]))


def _site(folder: Path, farm: Farm, count: int, form: str) -> Path:
    folder.mkdir(parents=True)
    racks = [_rack(start, min(RACK_SIZE, count - start)) for start in range(0, count, RACK_SIZE)]
    names = ", ".join(f"r{number + 1}" for number in range(len(racks)))
    custom = [
        EXPORTER.format(number=number, port=FIRST_PORT + number, racks=names, level=form) for number in range(CUSTOM)
    ]
    site = folder / "site.yaml"
    site.write_text(
        SITE.format(
            port=farm.port, key=farm.key, known_hosts=farm.known_hosts, racks="".join(racks), custom="".join(custom)
        )
    )
    return site


def _rack(start: int, size: int) -> str:
    number = 1 + start // RACK_SIZE
    return RACK.format(number=number, nodes=f"host-[{start + 1:03}-{start + size:03}]", network=number, size=size)


def _files(compiled: list[Compiled], host: str) -> tuple[Managed, ...]:
    trees = [
        {file.path: file for bundle in each.tree.bundles if host in bundle.hosts for file in bundle.files}
        for each in compiled
    ]
    return tuple(
        Managed(path, f"{file.mode:04o}", tuple(tree[path].content for tree in trees))
        for path, file in trees[0].items()
    )
