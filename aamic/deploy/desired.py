"""Tree -> what each host should have: the union of its bundles, with links for units that start or are masked."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aamic.model.host import Entry, KeptLine
from aamic.model.tree import Bundle, File, OnChange, Stage, Tree

UNITS: Final = "/etc/systemd/system"
_WANTED_BY: Final = re.compile(rb"^WantedBy=(\S+)$", re.MULTILINE)
_DAEMON_RELOAD: Final = OnChange("daemon-reload")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One file or link: the entry, its bundle, what a change of it means, a file's bytes, and whether it stays."""

    entry: Entry
    bundle: str
    stage: Stage
    on_change: OnChange
    content: bytes = b""
    stays: bool = False


@dataclass(frozen=True, slots=True)
class WantedUnit:
    """A unit that must be running, and the ports that it then listens on."""

    bundle: str
    stage: Stage
    ports: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Program:
    """A program out of a pinned tarball: `inner` is its path there, `sha256` the tarball's digest."""

    url: str
    sha256: str
    inner: str
    bundle: str
    stage: Stage

    @property
    def origin(self) -> str:
        """One digest of tarball and path in it: what a host's record says of where a program came from."""
        return hashlib.sha256(f"{self.sha256}:{self.inner}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class WantedSecret:
    """A file that holds a secret: the reference says where its value comes from, `owner` is the user that reads it."""

    reference: Mapping[str, Any]
    owner: str
    bundle: str
    stage: Stage


@dataclass(frozen=True, slots=True)
class WantedLine:
    """A line that a file of somebody else must hold, and what a change of it means."""

    path: str
    text: str
    bundle: str
    stage: Stage
    on_change: OnChange
    needed: bool


@dataclass(frozen=True, slots=True)
class Edit:
    """A file of somebody else as it stands, and as it will be: the same but for lines that come and go."""

    before: Entry
    after: Entry
    content: bytes
    bundle: str
    stage: Stage | None
    units: tuple[str, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unedited:
    """Why a file that should hold a line, or should no longer, is left as it is.

    `todo` is what a person has to do so that `bundle` has its effect; '' where there is nothing to do.
    """

    path: str
    text: str
    why: str
    todo: str = ""
    bundle: str = ""


@dataclass(frozen=True, slots=True)
class Desired:
    """What a host should have. Hosts with the same bundles share one value.

    `entries`, `programs` and `secrets` are by absolute path, `units` by name; `packages` map to an exact version or
    None; `masked` are the distribution's units that must not run, with their bundles. `lines` are wanted in files of
    others. What that means for a host is known once it was looked at: `edits` by path, `unedited`, and `kept`, the
    lines that are then there, None before.
    """

    bundles: tuple[str, ...]
    entries: Mapping[str, Wanted]
    units: Mapping[str, WantedUnit]
    masked: Mapping[str, str]
    packages: Mapping[str, tuple[str | None, str]]
    programs: Mapping[str, Program]
    secrets: Mapping[str, WantedSecret]
    lines: tuple[WantedLine, ...] = ()
    edits: Mapping[str, Edit] = field(default_factory=dict)
    unedited: tuple[Unedited, ...] = ()
    kept: tuple[KeptLine, ...] | None = None


def desired_hosts(tree: Tree, hosts: Iterable[str]) -> dict[str, Desired]:
    """What each of these hosts should have, in their order; a host in no bundle should have nothing."""
    bundles_of: dict[str, list[int]] = {host: [] for host in hosts}
    for number, bundle in enumerate(tree.bundles):
        for host in bundle.hosts:
            if host in bundles_of:
                bundles_of[host].append(number)
    shared: dict[tuple[int, ...], Desired] = {}
    return {host: _shared(shared, tuple(numbers), tree) for host, numbers in bundles_of.items()}


def _shared(shared: dict[tuple[int, ...], Desired], numbers: tuple[int, ...], tree: Tree) -> Desired:
    if numbers not in shared:
        shared[numbers] = union(tree.bundles[number] for number in numbers)
    return shared[numbers]


def union(bundles: Iterable[Bundle]) -> Desired:
    """All that these bundles give one host."""
    chosen = tuple(bundles)
    entries: dict[str, Wanted] = {}
    for bundle in chosen:
        entries |= {file.path: _wanted(file, bundle) for file in bundle.files}
        entries |= _links(bundle)
    return Desired(
        bundles=tuple(bundle.name for bundle in chosen),
        entries=dict(sorted(entries.items())),
        units={
            unit: WantedUnit(bundle.name, bundle.stage, bundle.ports.get(unit, ()))
            for bundle in chosen
            for unit, state in bundle.services.items()
            if state == "started"
        },
        masked={unit: bundle.name for bundle in chosen for unit, state in bundle.services.items() if state == "masked"},
        packages={
            install["package"]: (install["version"], bundle.name)
            for bundle in chosen
            for install in bundle.installs
            if "package" in install
        },
        programs={
            install["installs_to"]: Program(
                install["tarball"], install["sha256"], install["binary"], bundle.name, bundle.stage
            )
            for bundle in chosen
            for install in bundle.installs
            if "tarball" in install
        },
        secrets={
            path: WantedSecret(
                {key: value for key, value in secret.items() if key != "owner"},
                secret["owner"],
                bundle.name,
                bundle.stage,
            )
            for bundle in chosen
            for path, secret in bundle.secrets.items()
        },
        lines=tuple(
            WantedLine(line.path, line.text, bundle.name, bundle.stage, line.on_change, line.needed)
            for bundle in chosen
            for line in bundle.lines
        ),
    )


def _wanted(file: File, bundle: Bundle) -> Wanted:
    digest = hashlib.sha256(file.content).hexdigest()
    entry = Entry("file", digest, f"{file.mode:04o}", file.owner, file.group)
    return Wanted(entry, bundle.name, bundle.stage, file.on_change, file.content, file.stays)


def _links(bundle: Bundle) -> dict[str, Wanted]:
    """What `systemctl enable` and `systemctl mask` would make, as plain links: the same on a host and in a folder."""
    contents = {file.path: file.content for file in bundle.files}
    links: dict[str, str] = {}
    for unit, state in bundle.services.items():
        path = f"{UNITS}/{unit}"
        if state == "masked":
            links[path] = "/dev/null"
        else:
            for target in _WANTED_BY.findall(contents.get(path, b"")):
                links[f"{UNITS}/{target.decode()}.wants/{unit}"] = path
    return {
        path: Wanted(Entry("link", target), bundle.name, bundle.stage, _DAEMON_RELOAD) for path, target in links.items()
    }
