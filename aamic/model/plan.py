"""A plan: every change of every host with what it means for services. Frozen; printable as JSON; no input or output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from aamic.model.host import Entry, Unobserved

ChangeAction = Literal["add", "change", "remove"]
What = Literal["file", "line", "link", "program", "secret", "package", "unit", "record"]
Effect = Literal["reload", "restart", "start", "stop", "daemon-reload", "sysusers", "tmpfiles", "reconfigure"]


@dataclass(frozen=True, slots=True, order=True)
class Impact:
    """What a change does to a running host: an effect, and the unit it is on ('' where it is on none)."""

    effect: Effect
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """How two contents differ, for people.

    `lines` are those of a unified diff, without file headers. `meaning` tells the changes of a YAML or JSON document
    one by one; empty for other files. `note` says why there are no lines: binary, too long, not readable by all.
    """

    lines: tuple[str, ...] = ()
    meaning: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one thing; hosts that need the same share it.

    `name` is a path, a unit or a package. `before` and `after` are entries of files, links, programs and secrets; a
    secret's `content` is always ''. `detail` says what an entry cannot: the wanted version of a package, or why a unit
    changes although none of its files do (`inactive`). `bundle` is the one that wants it; for a removal, the one that
    did. `edited`: what stands there is not what the host's own release put there. `foreign`: it is somebody else's,
    and is only taken over with `--adopt`. A `record` is what the host itself keeps, written anew where it is lost. A
    `line` is a file of somebody else that stays his: only the lines that `detail` names come or go.
    """

    action: ChangeAction
    what: What
    name: str
    bundle: str
    before: Entry | None = None
    after: Entry | None = None
    detail: str = ""
    impacts: tuple[Impact, ...] = ()
    edited: bool = False
    foreign: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Hosts that need the very same changes, in natural order, and those changes in order of stage and path."""

    hosts: tuple[str, ...]
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Blocked:
    """A host that was observed and must not be changed now, such as one with an unconfirmed release."""

    host: str
    message: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class KeptFolder:
    """A data folder that stays although no service writes it any more, and where.

    `service` is the unit that wrote it, without `.service`: it is `removed`, or `moved` its data to another folder.
    """

    path: str
    service: str
    why: Literal["removed", "moved"]
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What an apply would do, to which hosts, and on what it rests.

    `revision` is the git commit of the site, '' if it is in none, and `dirty` whether files differ from it. `tree` is
    the digest of the rendered files. `limit` and `adopt` are as given. `digests` has the observed digest of every
    observed host; apply refuses a host whose digest has changed. `differences` explains changes of files, by
    `(name, before.content, after.content)` joined with NUL. `undecided` are secrets whose values could not be read
    where the plan was made: apply decides whether they change. `held` are bundles that do not get what the site wants,
    or without effect; `notes` say why, and are told with the plan, as are predicted loads. `kept` are data folders that
    an apply leaves behind.
    """

    cluster: str
    revision: str
    dirty: bool
    tree: str
    limit: str
    adopt: bool
    hosts: int
    digests: Mapping[str, str]
    groups: tuple[Group, ...]
    unobserved: tuple[Unobserved, ...] = ()
    blocked: tuple[Blocked, ...] = ()
    differences: Mapping[str, Difference] = field(default_factory=dict)
    undecided: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    kept: tuple[KeptFolder, ...] = ()
