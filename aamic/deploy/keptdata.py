"""Data folders that a plan leaves behind, as the files say that made them on the hosts. Pure.

What a host has is the only source: a site no longer knows a server that it had.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from aamic.compile.hostlist import expand, fold
from aamic.deploy.desired import Desired
from aamic.deploy.explain import Contents, Rewritten
from aamic.model.plan import Change, Group, KeptFolder, Plan

_FOLDERS: Final = "/etc/tmpfiles.d/"
_LINE: Final = re.compile(r'd[-!+=~^$]*[ \t]+(?:"((?:[^"\\]|\\.)*)"|(\S+))')
"""A line of tmpfiles.d that makes a folder, as `aamic.catalog.units` writes it: its path may be in quotes."""


@dataclass(frozen=True, slots=True)
class _Left:
    """A file that made folders and goes or changes; `fault` says why it is not known which."""

    service: str
    why: Literal["removed", "moved"]
    folders: frozenset[str]
    fault: str


def left_files(plan: Plan) -> tuple[Rewritten, ...]:
    """The files whose contents `with_kept` needs: those that made folders and go."""
    return tuple(
        Rewritten(change.name, change.before.content, "", group.hosts[0], b"")
        for group in plan.groups
        for change in _changes(plan, group)
        if change.before
    )


def with_kept(plan: Plan, desired: Mapping[str, Desired], old: Contents) -> Plan:
    """The plan with the folders that it leaves behind; where that is not known, a note says so."""
    blocked = {each.host for each in plan.blocked}
    kept: dict[tuple[str, _Left], list[str]] = {}
    unknown: dict[_Left, list[str]] = {}
    for group in plan.groups:
        hosts = [host for host in group.hosts if host not in blocked]
        for left in (_left(change, old) for change in _changes(plan, group)):
            if left.fault:
                unknown.setdefault(left, []).extend(hosts)
            for path, host in _unwanted(left, hosts, desired):
                kept.setdefault((path, left), []).append(host)
    folders = [KeptFolder(path, left.service, left.why, _natural(some)) for (path, left), some in kept.items()]
    notes = (_unknown(left, some) for left, some in unknown.items() if some)
    return replace(plan, kept=tuple(sorted(folders, key=_order)), notes=(*plan.notes, *notes))


def _order(folder: KeptFolder) -> tuple[str, str, str]:
    return folder.path, folder.service, folder.why


def _changes(plan: Plan, group: Group) -> Iterator[Change]:
    """Removals and changes of files that make folders, those left out that belong to somebody else."""
    for change in group.changes:
        made = change.name.startswith(_FOLDERS) and change.what == "file" and change.action != "add"
        if made and change.before and change.before.content and (plan.adopt or not change.foreign):
            yield change


def _left(change: Change, old: Contents) -> _Left:
    digest = change.before.content if change.before else ""
    content = old.get((change.name, digest), "what stands there is not known")
    service = change.name.removeprefix(_FOLDERS).removesuffix(".conf")
    why: Literal["removed", "moved"] = "removed" if change.action == "remove" else "moved"
    if isinstance(content, str):
        return _Left(service, why, frozenset(), content)
    return _Left(service, why, frozenset(made_folders(content)), "")


def _unwanted(left: _Left, hosts: Iterable[str], desired: Mapping[str, Desired]) -> Iterator[tuple[str, str]]:
    """The folders that nothing on a host writes any more, each with the host."""
    wanted: dict[int, frozenset[str]] = {}
    for host in hosts:
        key = id(desired[host])
        if key not in wanted:
            wanted[key] = frozenset(_wanted(desired[host]))
        yield from ((path, host) for path in sorted(left.folders - wanted[key]))


def _wanted(desired: Desired) -> Iterator[str]:
    for path, wanted in desired.entries.items():
        if path.startswith(_FOLDERS):
            yield from made_folders(wanted.content)


def made_folders(content: bytes) -> Iterator[str]:
    r"""The folders that a file of tmpfiles.d makes.

    >>> list(made_folders(b'# x\nd /var/lib/a 0750 u - -\nd "/srv/b 50%%" 0750 u - -\nf /run/c\n'))
    ['/var/lib/a', '/srv/b 50%']
    """
    for line in content.decode(errors="replace").splitlines():
        if found := _LINE.match(line):
            quoted, plain = found.groups()
            path = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain
            if path.startswith("/"):
                yield path.replace("%%", "%")


def _natural(hosts: Iterable[str]) -> tuple[str, ...]:
    names = list(hosts)
    return expand(fold(names), len(names))


def _unknown(left: _Left, hosts: Iterable[str]) -> str:
    return f"data folders of `{left.service}` stay on {fold(hosts)}; which they are is not known: {left.fault}"
