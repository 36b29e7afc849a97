"""A plan without hosts: outputs/ as it stood at a git revision, taken for what all hosts have."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from aamic.compile.hostlist import HostListError, expand
from aamic.deploy.desired import Desired
from aamic.deploy.diff import reference_key
from aamic.errors import OutsideError
from aamic.model.host import Entry, Kept, Observation, Release, UnitState
from aamic.model.tree import Bundle, File, Line, OnChange, Tree

_UP = UnitState("loaded", "active", "running", needs_reload=False)
_MANIFEST = "manifest.json"


def read_tree(files: Mapping[str, bytes], name: str) -> Tree:
    """The tree that these files of an outputs/ folder are; `name` is where they come from, for messages.

    Raises:
        OutsideError: They are no outputs of aamic, or of another version of it.
    """
    if _MANIFEST not in files:
        raise OutsideError(f"{name} has no `{_MANIFEST}`", "render and commit the outputs first")
    try:
        document = json.loads(files[_MANIFEST])
        bundles = tuple(_bundle(each, described, files) for each, described in document["bundles"].items())
    except _MissingError as error:
        told = f"{name} has no `{error}`, which its `{_MANIFEST}` names"
        raise OutsideError(told, "`git add` it: `git commit -a` leaves new files out") from error
    except (ValueError, KeyError, TypeError, AttributeError, HostListError) as error:
        raise OutsideError(f"{name} does not fit together: {error!r}", "render and commit it anew") from error
    return Tree(bundles, files[_MANIFEST])


def _bundle(name: str, described: Mapping[str, Any], files: Mapping[str, bytes]) -> Bundle:
    return Bundle(
        name=name,
        hosts=expand(described["hosts"]),
        files=tuple(_file(path, each, _content(files, f"{name}{path}")) for path, each in described["files"].items()),
        services=described["services"],
        installs=tuple(described["installs"]),
        secrets=described["secrets"],
        ports={unit: tuple(ports) for unit, ports in described.get("ports", {}).items()},
        stage=described.get("stage", "exporters"),
        lines=tuple(
            Line(each["path"], each["text"], OnChange(**each["on_change"]), each["needed"])
            for each in described.get("lines", ())
        ),
    )


class _MissingError(Exception):
    """A file that the manifest names is not there; its name is the message."""


def _content(files: Mapping[str, bytes], path: str) -> bytes:
    if path not in files:
        raise _MissingError(path)
    return files[path]


def _file(path: str, described: Mapping[str, Any], content: bytes) -> File:
    on_change = OnChange(**described["on_change"])
    attributes = int(described["mode"], 8), described["owner"], described["group"]
    return File(path, content, *attributes, on_change, described.get("stays", False))


def all_observed(desired: Mapping[str, Desired]) -> dict[str, Observation]:
    """How all these hosts would look; those with the same share what is large."""
    different = {id(each): each for each in desired.values()}
    looks = {key: as_observed("", each) for key, each in different.items()}
    return {host: replace(looks[id(each)], host=host) for host, each in desired.items()}


def as_observed(host: str, desired: Desired) -> Observation:
    """How a host would look that has exactly this."""
    entries = {path: Kept(wanted.entry, wanted.bundle) for path, wanted in desired.entries.items()}
    staying = {path for path, wanted in desired.entries.items() if wanted.stays}
    for path, program in desired.programs.items():
        entries[path] = Kept(Entry("file", program.sha256, "0755", "root", "root"), program.bundle)
    for path, secret in desired.secrets.items():
        entries[path] = Kept(Entry("file", "", "0600", secret.owner, "root"), secret.bundle)
    programs = {path: program.origin for path, program in desired.programs.items()}
    units = {unit: wanted.bundle for unit, wanted in desired.units.items()}
    references = {path: secret_digest(secret.reference) for path, secret in desired.secrets.items()}
    packages = {name: version or "" for name, (version, _) in desired.packages.items()}
    return Observation(
        host=host,
        entries={path: kept.entry for path, kept in entries.items()},
        # A unit that nobody could have started is not missed: the link at its place tells of masks.
        units=dict.fromkeys(units, _UP),
        packages=packages,
        free={},
        ports=frozenset(),
        secrets=references,
        release=Release("", {path: kept for path, kept in entries.items() if path not in staying}, programs, units),
        last=None,
        pending=None,
        clock=0,
        digest=_digest(desired),
    )


def secret_digest(reference: Mapping[str, Any]) -> str:
    """Stands for a secret's value: without hosts, only a change of its reference can be seen."""
    return hashlib.sha256(reference_key(reference).encode()).hexdigest()


def reference_digests(desired: Iterable[Desired]) -> dict[str, str]:
    """What `secret_digest` says of every reference, by `reference_key`."""
    different = {id(each): each for each in desired}.values()
    references = [secret.reference for each in different for secret in each.secrets.values()]
    return {reference_key(each): secret_digest(each) for each in references}


def _digest(desired: Desired) -> str:
    seen = (sorted(desired.entries), sorted(desired.units), sorted(desired.programs))
    return hashlib.sha256(repr(seen).encode()).hexdigest()
