"""A plan as a file: JSON that a schema describes, the same bytes for the same plan, and refused once it was changed."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Final, Literal

import orjson
from pydantic import Field, ValidationError

from aamic.compile.hostlist import HostListError, expand, fold
from aamic.compile.schema import published
from aamic.errors import FailureKind, InputError, Problem
from aamic.model import host, plan
from aamic.model.types import Model

SCHEMA_ID: Final = "urn:aamic:schema:plan:1"
VERSION: Final = 1
_SHA256: Final = r"^[0-9a-f]{64}$"
_AGAIN: Final = "make it anew with `aamic plan --out`"

Hosts = Annotated[str, Field(min_length=1, description="Hosts, as a Slurm host list.")]
Digest = Annotated[str, Field(pattern=_SHA256)]


class SavedEntry(Model):
    """What stands at a path."""

    kind: host.EntryKind
    content: str = Field(description="SHA-256 of a file, '' for a secret; where a link leads.")
    mode: str = Field(description="Four octal digits, '' for a link.")
    owner: str
    group: str


class SavedImpact(Model):
    """What a change does to a running host."""

    effect: plan.Effect
    unit: str = Field(description="Unit that it is on; '' where it is on none.")


class SavedChange(Model):
    """One change of one thing."""

    action: plan.ChangeAction
    what: plan.What
    name: str = Field(description="Path, unit or package.")
    bundle: str = Field(description="Bundle that wants it; for a removal, the one that did.")
    before: SavedEntry | None = Field(description="What stands there; null where nothing does.")
    after: SavedEntry | None = Field(description="What will stand there; the content of a program is its tarball's.")
    detail: str = Field(description="Wanted version of a package, name of a tarball, or why a unit changes.")
    impacts: tuple[SavedImpact, ...]
    edited: bool = Field(description="Whether it is not as the host's own release left it.")
    foreign: bool = Field(description="Whether somebody else put it there.")


class SavedGroup(Model):
    """Hosts that need the very same changes."""

    hosts: Hosts
    changes: tuple[SavedChange, ...]


class SavedUnobserved(Model):
    """A host that could not be seen."""

    host: str
    kind: FailureKind
    message: str
    hint: str | None


class SavedBlocked(Model):
    """A host that must be left alone now."""

    host: str
    message: str
    hint: str | None


class SavedDifference(Model):
    """How two contents of a file differ."""

    name: str
    before: str = Field(description="SHA-256 of the content that is there.")
    after: str = Field(description="SHA-256 of the content that will be there.")
    lines: tuple[str, ...] = Field(description="Lines of a unified diff, without file headers.")
    meaning: tuple[str, ...] = Field(description="Changes of a YAML or JSON document, one by one.")
    note: str = Field(description="Why there are no lines, or not all.")


class SavedFolder(Model):
    """A data folder that an apply leaves behind."""

    path: str
    service: str = Field(description="Unit that wrote it, without `.service`.")
    why: Literal["removed", "moved"] = Field(description="What became of the unit, or of its data.")
    hosts: Hosts


class SavedPlan(Model):
    """What `aamic plan --out` writes and `aamic apply` reads."""

    version: Literal[1]
    digest: Digest = Field(description="SHA-256 over everything else.")
    cluster: str
    revision: str = Field(description="Git commit of the site; '' where it is in none.")
    dirty: bool = Field(description="Whether files differ from that commit.")
    tree: str = Field(description="Digest of the rendered files.")
    limit: str
    adopt: bool
    hosts: Annotated[int, Field(ge=0, description="Number of hosts that were to be looked at.")]
    observed: dict[Digest, Hosts] = Field(description="Digest of what was seen -> the hosts where it was.")
    groups: tuple[SavedGroup, ...]
    unobserved: tuple[SavedUnobserved, ...]
    blocked: tuple[SavedBlocked, ...]
    differences: tuple[SavedDifference, ...]
    undecided: tuple[str, ...] = Field(description="Paths of secrets whose values were not known.")
    held: tuple[str, ...] = Field((), description="Bundles that do not get what the site wants, or without effect.")
    notes: tuple[str, ...]
    kept: tuple[SavedFolder, ...] = Field((), description="Data folders that no service writes any more, and stay.")


def schema_text() -> bytes:
    """The published file, `schema/plan.schema.json`."""
    return published(SavedPlan, SCHEMA_ID, "Plan of aamic")


def dump(value: plan.Plan) -> bytes:
    """The plan as a file."""
    document = _document(value)
    head = {"version": VERSION, "digest": _digest(document)}
    return orjson.dumps(head | document, option=orjson.OPT_INDENT_2) + b"\n"


def digest(value: plan.Plan) -> str:
    """What names this plan in journals: the SHA-256 over all that its file says."""
    return _digest(_document(value))


def load(data: bytes, name: str = "plan.json") -> plan.Plan:
    """Read a plan back.

    Raises:
        InputError: It is no plan, one of another version of aamic, or was changed after it was written.
    """
    document = _parsed(data, name)
    try:
        saved = SavedPlan.model_validate_json(data)
        value = _plan(saved)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise _refused(f"`{name}` is no plan of aamic: `{where}`: {first['msg'].lower()}") from error
    except HostListError as error:
        raise _refused(f"`{name}` is no plan of aamic: {error}") from error
    if _digest({key: item for key, item in document.items() if key not in {"version", "digest"}}) != saved.digest:
        raise _refused(f"`{name}` was changed after it was made")
    return value


def _document(value: plan.Plan) -> dict[str, Any]:
    observed: dict[str, list[str]] = {}
    for name, seen in value.digests.items():
        observed.setdefault(seen, []).append(name)
    return {
        "cluster": value.cluster,
        "revision": value.revision,
        "dirty": value.dirty,
        "tree": value.tree,
        "limit": value.limit,
        "adopt": value.adopt,
        "hosts": value.hosts,
        "observed": {seen: fold(names) for seen, names in sorted(observed.items())},
        "groups": [{"hosts": fold(group.hosts), "changes": group.changes} for group in value.groups],
        "unobserved": value.unobserved,
        "blocked": value.blocked,
        "differences": [_difference(key, each) for key, each in sorted(value.differences.items())],
        "undecided": value.undecided,
        "held": value.held,
        "notes": value.notes,
        "kept": [
            {"path": each.path, "service": each.service, "why": each.why, "hosts": fold(each.hosts)}
            for each in value.kept
        ],
    }


def _difference(key: str, value: plan.Difference) -> dict[str, Any]:
    name, before, after = key.split("\0")
    texts = {"lines": value.lines, "meaning": value.meaning, "note": value.note}
    return {"name": name, "before": before, "after": after, **texts}


def _digest(document: dict[str, Any]) -> str:
    plain = orjson.loads(orjson.dumps(document))  # keys are sorted in mappings only, not in dataclasses
    return hashlib.sha256(orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _parsed(data: bytes, name: str) -> dict[str, Any]:
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise _refused(f"`{name}` is no plan of aamic: it is not JSON") from error
    if not isinstance(document, dict) or "version" not in document:
        raise _refused(f"`{name}` is no plan of aamic")
    if document["version"] != VERSION:
        raise _refused(f"`{name}` was written by another version of aamic")
    return document


def _refused(message: str) -> InputError:
    return InputError([Problem(message, hint=_AGAIN)])


def _plan(saved: SavedPlan) -> plan.Plan:
    return plan.Plan(
        cluster=saved.cluster,
        revision=saved.revision,
        dirty=saved.dirty,
        tree=saved.tree,
        limit=saved.limit,
        adopt=saved.adopt,
        hosts=saved.hosts,
        digests={name: seen for seen, names in saved.observed.items() for name in expand(names)},
        groups=tuple(plan.Group(expand(each.hosts), tuple(map(_change, each.changes))) for each in saved.groups),
        unobserved=tuple(host.Unobserved(**vars(each)) for each in saved.unobserved),
        blocked=tuple(plan.Blocked(**vars(each)) for each in saved.blocked),
        differences={
            f"{each.name}\0{each.before}\0{each.after}": plan.Difference(each.lines, each.meaning, each.note)
            for each in saved.differences
        },
        undecided=saved.undecided,
        held=saved.held,
        notes=saved.notes,
        kept=tuple(plan.KeptFolder(each.path, each.service, each.why, expand(each.hosts)) for each in saved.kept),
    )


def _change(saved: SavedChange) -> plan.Change:
    return plan.Change(
        saved.action,
        saved.what,
        saved.name,
        saved.bundle,
        _entry(saved.before),
        _entry(saved.after),
        saved.detail,
        tuple(plan.Impact(each.effect, each.unit) for each in saved.impacts),
        saved.edited,
        saved.foreign,
    )


def _entry(saved: SavedEntry | None) -> host.Entry | None:
    return host.Entry(**vars(saved)) if saved else None
