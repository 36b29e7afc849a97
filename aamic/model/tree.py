"""The rendered tree: files in bundles, each bundle shared by a set of hosts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Stage = Literal["exporters", "shards", "central"]
"""The order in which bundles are rolled out: what is scraped, what scrapes, what reads those."""
Action = Literal["none", "reload", "restart", "daemon-reload", "sysusers", "tmpfiles", "reconfigure"]
"""`reconfigure`: a daemon of Slurm, which is not ours, reads its configuration again, if it runs."""


@dataclass(frozen=True, slots=True)
class OnChange:
    """What a change of a file means for the host: an action, and the unit it is for ('' where none)."""

    action: Action
    unit: str = ""


@dataclass(frozen=True, slots=True)
class File:
    """One file as it will stand on the host, at the absolute `path`.

    One that `stays` is never taken away again: programs of others may count on it, and it does nothing by itself.
    """

    path: str
    content: bytes
    mode: int = 0o644
    owner: str = "root"
    group: str = "root"
    on_change: OnChange = OnChange("none")
    stays: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A line that a file of somebody else must have, before all other settings of the file.

    Everything else in the file stays as it is, and what stands below wins over what the line brings. Where there is no
    such file, or a link to a shared one, nothing is done and the plan says so; where the line is `needed`, a person has
    to see to it.
    """

    path: str
    text: str
    on_change: OnChange = OnChange("none")
    needed: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """What one artifact adds to one bundle; parts with the same bundle name must name the same hosts.

    services: unit name -> `started` (now and at boot), `enabled` (at boot; it may have ended since) or `masked`.
    installs: JSON-ready descriptions of packages and tarballs.
    secrets: path on the host -> the reference of site.yaml and the user that reads it, as JSON
        (`{"env": "SLACK_URL", "owner": "aami-alertmanager"}`); the file is that user's, with mode 0600.
    ports: unit name -> the ports that it listens on once it is ready.
    stage: when the bundle is rolled out.
    """

    bundle: str
    hosts: tuple[str, ...]
    files: tuple[File, ...] = ()
    services: Mapping[str, str] | None = None
    installs: tuple[Mapping[str, Any], ...] = ()
    secrets: Mapping[str, Mapping[str, Any]] | None = None
    ports: Mapping[str, tuple[int, ...]] | None = None
    stage: Stage = "exporters"
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class Bundle:
    """All parts of one name together; files in order of path."""

    name: str
    hosts: tuple[str, ...]
    files: tuple[File, ...]
    services: Mapping[str, str]
    installs: tuple[Mapping[str, Any], ...]
    secrets: Mapping[str, Mapping[str, Any]]
    ports: Mapping[str, tuple[int, ...]]
    stage: Stage
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class Tree:
    """The whole output, in order of bundle name; `files()` maps paths below outputs/ to bytes."""

    bundles: tuple[Bundle, ...]
    manifest: bytes

    def files(self) -> dict[str, bytes]:
        """Every file of outputs/, `<bundle>/<path on the host>` and the manifest."""
        out = {f"{bundle.name}{file.path}": file.content for bundle in self.bundles for file in bundle.files}
        out["manifest.json"] = self.manifest
        return out
