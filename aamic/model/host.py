"""A managed host as it was observed: what stands at its paths, its units, its release. Frozen, no input or output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

EntryKind = Literal["absent", "file", "link", "folder", "other"]


@dataclass(frozen=True, slots=True)
class Entry:
    """What stands at one path.

    `content` is the SHA-256 of a file, or where a link leads. `mode` is four octal digits. `mode`, `owner` and `group`
    are '' for a link, and where a folder stands for a host, as files there cannot be given to other users.
    """

    kind: EntryKind
    content: str = ""
    mode: str = ""
    owner: str = ""
    group: str = ""


ABSENT: Final = Entry("absent")


@dataclass(frozen=True, slots=True)
class Kept:
    """What a release put at a path, and the bundle it came from."""

    entry: Entry
    bundle: str


@dataclass(frozen=True, slots=True, order=True)
class KeptLine:
    """A line that a file of somebody else holds for a bundle; `unit` reads the file again when it changes, or ''."""

    path: str
    text: str
    unit: str
    bundle: str


@dataclass(frozen=True, slots=True)
class Release:
    """The release that a host carries, as its own record says.

    `programs` maps the path of a program to a digest of where it came from: the tarball, and the path in it. `units`
    maps the units that the release started to their bundles. `lines` are those that files of others hold for it.
    """

    name: str
    entries: Mapping[str, Kept]
    programs: Mapping[str, str]
    units: Mapping[str, str]
    lines: tuple[KeptLine, ...] = ()


@dataclass(frozen=True, slots=True)
class UnitState:
    """A unit as systemd sees it: `load` such as `loaded`, `masked` or `not-found`, `active` such as `active`."""

    load: str
    active: str
    sub: str
    needs_reload: bool


@dataclass(frozen=True, slots=True)
class LastApply:
    """The last line of a host's journal; `at` is in seconds since 1970 by the host's clock."""

    release: str
    at: int
    who: str
    revision: str
    result: str


@dataclass(frozen=True, slots=True)
class Pending:
    """A change that is under way, or waits to be confirmed: its release, who makes it, and its state.

    `state` is `changing`, `unconfirmed`, `restoring`, or `running` while somebody is at it. `seconds` are left until
    the host restores the release before.
    """

    release: str
    who: str
    state: str
    seconds: int


@dataclass(frozen=True, slots=True)
class Observation:
    """One host as it was seen.

    `entries` has every path asked for, and every path of the host's release. `units` likewise. `packages` are the
    versions of those asked for that are installed. `free` maps folders asked for to free bytes of their file system.
    `ports` are those that somebody listens on. `secrets` maps paths to a salted digest, '' where there is none.
    `clock` is in seconds since 1970. `digest` is that of all a plan depends on. `lost`: its own record is broken, or
    gone although it has a release; `release` is then None, or no more than the name that can still be read. `shared`
    are those of the files that may get a line which other hosts have as well, on storage that they share; `through`
    has the SHA-256 of what links lead to that stand in the place of such files.
    """

    host: str
    entries: Mapping[str, Entry]
    units: Mapping[str, UnitState]
    packages: Mapping[str, str]
    free: Mapping[str, int]
    ports: frozenset[int]
    secrets: Mapping[str, str]
    release: Release | None
    last: LastApply | None
    pending: Pending | None
    clock: int
    digest: str
    lost: bool = False
    shared: frozenset[str] = frozenset()
    through: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unobserved:
    """A host that could not be seen: a result like any other, never taken for a good one."""

    host: str
    kind: str
    message: str
    hint: str | None = None
