"""What a site's own slurm.conf means for the hooks that aamic would add to it. Pure but for the `read` it is given.

`Include aamic.conf` stands at the top, so what the site says below wins over what aamic says; nothing of the site is
ever overwritten. From release 24.05 on, lines of Prolog and Epilog add up instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from posixpath import basename, dirname, join, normpath
from typing import Final

from aamic.deploy.foreign import settings
from aamic.deploy.wire import printable
from aamic.model.fleet import SlurmSettings
from aamic.model.tree import Tree

CONTROLLER: Final = "slurm-controller"
HOOKS: Final = frozenset({"slurm-hooks", "slurm-hooks-unchecked", CONTROLLER})
"""Bundles that change what Slurm runs for jobs; the last is the controller's, and holds its scripts if it runs jobs."""
SLURM_CONF: Final = "slurm.conf"
OURS: Final = "aamic.conf"
NOHOLD: Final = "nohold_on_prolog_fail"
_HELD: Final = "nothing of slurm.conf is changed because of this"
_ADDS_UP: Final = (24, 5)
_DEEPEST: Final = 8
_PAIR: Final = re.compile(r"(\w+)\s*[+-]?=\s*(\"[^\"]*\"|\S*)")
_INCLUDE: Final = re.compile(r"include\s+(\S+)", re.IGNORECASE)
_WHAT: Final = {"Prolog": "the node check would not be asked", "Epilog": "no journal of jobs would be kept"}

Read = Callable[[tuple[str, ...]], Mapping[str, bytes]]


@dataclass(frozen=True, slots=True)
class Value:
    """What a file sets, and where; `ours` are the values of aamic's own file."""

    key: str
    value: str
    file: str
    number: int
    ours: bool = False

    @property
    def place(self) -> str:
        """Such as `/etc/slurm/slurm.conf:41`."""
        return printable(f"{self.file}:{self.number}")


@dataclass(frozen=True, slots=True)
class Hooks:
    """What aamic's file would set, the scripts that run then, and the path of the file."""

    values: tuple[Value, ...]
    scripts: tuple[str, ...]
    path: str

    def value(self, key: str) -> str:
        """What it sets, or ''."""
        return next((each.value for each in self.values if each.key == key.lower()), "")


@dataclass(frozen=True, slots=True)
class Findings:
    """What is told with a plan, and the bundles whose part of slurm.conf stays as it is."""

    notes: tuple[str, ...] = ()
    held: frozenset[str] = frozenset()

    def and_of(self, other: Findings) -> Findings:
        """Both together."""
        return Findings((*self.notes, *other.notes), self.held | other.held)


NOTHING: Final = Findings()


def wanted_hooks(tree: Tree, controller: str, conf_dir: str) -> Hooks | None:
    """The hooks that a tree has; None where it has none."""
    path = f"{conf_dir}/{OURS}"
    bundles = [bundle for bundle in tree.bundles if bundle.name in HOOKS]
    contents = {file.path: file.content for bundle in bundles for file in bundle.files}
    if path not in contents or not any(controller in bundle.hosts for bundle in bundles):
        return None
    values = tuple(_values(path, contents[path], ours=True))
    return Hooks(values, tuple(contents), path)


def values_of(path: str, hooks: Hooks, read: Read) -> tuple[Value, ...] | None:
    """What a slurm.conf and all that it includes set, in the order in which it counts; None where it cannot be read.

    Aamic's own values stand where its file is included, or at the top, where it would be.
    """
    content = read((path,)).get(path)
    if content is None:
        return None
    cluster = next((each.value for each in _values(path, content) if each.key == "clustername"), "")
    found = tuple(_walk(path, content, hooks, read, (cluster.lower(), ())))
    return found if any(each.ours for each in found) else (*hooks.values, *found)


def _walk(path: str, content: bytes, hooks: Hooks, read: Read, at: tuple[str, tuple[str, ...]]) -> Iterator[Value]:
    cluster, above = at
    for each in settings(content):
        included = _INCLUDE.fullmatch(each.text)
        if included is None:
            yield from _pairs(path, each.number, each.text)
            continue
        name = normpath(join(dirname((*above, path)[0]), included[1].replace("%c", cluster)))
        if name == hooks.path:
            yield from hooks.values
        elif name not in above and len(above) < _DEEPEST:
            yield from _walk(name, read((name,)).get(name, b""), hooks, read, (cluster, (*above, path)))


def _values(path: str, content: bytes, *, ours: bool = False) -> Iterator[Value]:
    for each in settings(content):
        yield from _pairs(path, each.number, each.text, ours=ours)


def _pairs(path: str, number: int, text: str, *, ours: bool = False) -> Iterator[Value]:
    for key, value in _PAIR.findall(text):
        yield Value(key.lower(), printable(value.strip('"')), path, number, ours)


def judge(values: Sequence[Value] | None, hooks: Hooks, slurm: SlurmSettings) -> Findings:
    """What to tell, and what to hold back: hooks that would silently not run, or would run in place of the site's."""
    if values is None:
        return NOTHING
    conflicts, notes = _judged(values, hooks, slurm)
    if hooks.value("SchedulerParameters"):
        for bad, told in _scheduler(values):
            (conflicts if bad else notes).append(told)
    if not conflicts:
        return Findings(tuple(notes))
    return Findings((*(f"conflict: {each}; {_HELD}" for each in conflicts), *notes), HOOKS)


def judge_node(content: bytes, hooks: Hooks, slurm: SlurmSettings) -> tuple[str, ...]:
    """What keeps hooks from running on nodes that have this slurm.conf of their own, as far as it says so itself."""
    path = f"{slurm.conf_dir}/{SLURM_CONF}"
    values = values_of(path, hooks, lambda paths: {path: content} if path in paths else {})
    return tuple(_judged(values or (), hooks, slurm)[0])


def _judged(values: Sequence[Value], hooks: Hooks, slurm: SlurmSettings) -> tuple[list[str], list[str]]:
    """Of Prolog and Epilog: what is at odds, and what else is to be told."""
    adds_up = slurm.version is not None and slurm.version >= _ADDS_UP
    notes: list[str] = []
    conflicts: list[str] = []
    for key in _WHAT:
        if hooks.value(key) and (site := _of(values, key)):
            bad, told = _hook(key, site, values, hooks, adds_up=adds_up)
            (conflicts if bad else notes).append(told)
    return conflicts, notes


def _of(values: Iterable[Value], key: str) -> list[Value]:
    return [each for each in values if each.key == key.lower() and not each.ours]


def _last(values: Iterable[Value], key: str) -> Value:
    return [each for each in values if each.key == key.lower()][-1]


def _hook(key: str, site: list[Value], values: Sequence[Value], hooks: Hooks, *, adds_up: bool) -> tuple[bool, str]:
    """Whether the site's own lines and aamic's are at odds, and what to say of them."""
    last, mine = _last(values, key), hooks.value(key)
    winner = site[-1]
    says = f"`{winner.place}` sets `{key}={winner.value}`"
    if adds_up:
        if _covers(winner, mine, hooks):
            return False, f"{says}, and aamic's file sets it too: its scripts run twice; delete that line"
        return False, f"{says}: it runs as well as `{mine}`, as such lines add up"
    if last.ours:
        return True, f"{says}, over which aamic's wins, as `Include {OURS}` stands below it; move that to the top"
    if _covers(winner, mine, hooks):
        return False, f"{says}: aamic's script is among these"
    folder, script = dirname(mine), basename(winner.value)
    what = "its scripts" if set(script) & set("*?[") else f"`{script}`"
    move = f"move {what} into `{folder}` and set `{key}={folder}/*` there: both then run"
    return True, f"{says}, which wins over aamic's: {_WHAT[key]}; {move}"


def _covers(site: Value, mine: str, hooks: Hooks) -> bool:
    """Whether what the site's line names has every script of aamic that its own line names."""
    pattern = join(dirname(hooks.path), site.value)
    scripts = [path for path in hooks.scripts if fnmatchcase(path, mine)]
    return all(fnmatchcase(path, pattern) and dirname(path) == dirname(pattern) for path in scripts)


def _scheduler(values: Sequence[Value]) -> Iterator[tuple[bool, str]]:
    site = _of(values, "SchedulerParameters")
    if not site:
        return
    last = _last(values, "SchedulerParameters")
    says = f"`{site[-1].place}` sets `SchedulerParameters={site[-1].value}`"
    if last.ours:
        yield True, f"{says}, over which aamic's wins, as `Include {OURS}` stands below it; move that to the top"
    elif NOHOLD not in last.value.lower().split(","):
        yield False, f"warning: {says}: a job that a prolog refuses will be held; add `{NOHOLD}` to it"


def unknown(why: str) -> Findings:
    """Nothing can be said of what the site has."""
    return Findings((f"whether the site has hooks of its own was not looked at: {why}",))
