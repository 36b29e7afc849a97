"""What wanted lines mean for the files that stand on each host. Pure.

A file that should hold a line is somebody else's: it is never made, never removed, and of what it says nothing else
changes. Hosts on which the same stands share one value.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from posixpath import dirname
from typing import Final

from aamic.compile.hostlist import fold
from aamic.deploy.desired import Desired, Edit, Unedited, WantedLine
from aamic.deploy.explain import Contents, Rewritten
from aamic.deploy.foreign import holds, with_lines
from aamic.deploy.observe import Seen
from aamic.model.host import ABSENT, Entry, KeptLine, Observation
from aamic.model.tree import Stage

MOST_VERSIONS: Final = 1_000
"""Different contents of one file that are fetched: what is not known cannot get a line."""
_FOLDER: Final = "`slurm.conf_dir` names the folder of a slurm.conf that is a file"
_READABLE: Final = "let every user of the host read it, as Slurm's own commands do"
_TAKE_OUT: Final = "take the line out by hand"
_BY_HAND: Final = (
    "once this is applied, and every other host that reads it has `{}` too, add the line at its top by hand, and run "
    "`scontrol reconfigure`: until then no hook runs"
)


def line_files(desired: Mapping[str, Desired], seen: Mapping[str, Seen]) -> tuple[Rewritten, ...]:
    """The files whose contents must be known, each once."""
    found: dict[tuple[str, str], Rewritten] = {}
    for host, observed in seen.items():
        if isinstance(observed, Observation):
            for path in _paths(desired[host], observed):
                entry = observed.entries.get(path, ABSENT)
                digest = observed.through.get(path, "") if entry.kind == "link" else entry.content
                if digest and entry.kind in {"file", "link"}:
                    found.setdefault((path, digest), Rewritten(path, digest, "", host, b""))
    return tuple(found.values())


def edited(
    desired: Mapping[str, Desired], seen: Mapping[str, Seen], contents: Contents, held: Collection[str] = ()
) -> dict[str, Desired]:
    """What each host should have, with what that means for the files that stand there; those of bundles `held` stay."""
    known: dict[object, Desired] = {}
    result = {}
    for host, each in desired.items():
        observed = seen.get(host)
        if not isinstance(observed, Observation) or not (paths := _paths(each, observed)):
            result[host] = each
            continue
        entries = tuple(
            (path, observed.entries.get(path, ABSENT), path in observed.shared, observed.through.get(path))
            for path in paths
        )
        key = (id(each), entries, _recorded(observed))
        if key not in known:
            known[key] = _Editor(each, observed, contents, held).desired()
        result[host] = known[key]
    return result


def _paths(desired: Desired, observed: Observation) -> tuple[str, ...]:
    return tuple(sorted({line.path for line in desired.lines} | {line.path for line in _recorded(observed)}))


def _recorded(observed: Observation) -> tuple[KeptLine, ...]:
    return observed.release.lines if observed.release else ()


class _Editor:
    """Holds the lines that one host should have against those that it has."""

    def __init__(self, desired: Desired, observed: Observation, contents: Contents, held: Collection[str]) -> None:
        self._desired, self._observed, self._contents, self._held = desired, observed, contents, held
        self._edits: dict[str, Edit] = {}
        self._unedited: list[Unedited] = []
        self._kept: list[KeptLine] = []

    def desired(self) -> Desired:
        self._kept += [line for line in _recorded(self._observed) if line.bundle in self._held]
        for path in _paths(self._desired, self._observed):
            wanted = [line for line in self._desired.lines if line.path == path and line.bundle not in self._held]
            texts = {line.text for line in self._desired.lines if line.path == path}
            old = [line for line in _recorded(self._observed) if line.path == path and line.bundle not in self._held]
            self._file(path, wanted, [line for line in old if line.text not in texts])
        return replace(
            self._desired, edits=self._edits, unedited=tuple(self._unedited), kept=tuple(sorted(set(self._kept)))
        )

    def _file(self, path: str, wanted: list[WantedLine], gone: list[KeptLine]) -> None:
        now = self._observed.entries.get(path, ABSENT)
        digest = self._observed.through.get(path, "") if now.kind == "link" else now.content
        content = self._contents.get((path, digest), "what stands there is not known")
        if now.kind not in {"file", "link"}:
            self._leave(wanted, (), _why(now), _FOLDER)
        elif isinstance(content, str):
            self._leave(wanted, gone, content if now.kind == "file" else _why(now), _READABLE if digest else _FOLDER)
        elif now.kind == "link":
            self._look_through(wanted, gone, content, _why(now))
        else:
            self._edit(path, now, content, (wanted, gone))

    def _leave(self, wanted: Iterable[WantedLine], gone: Iterable[KeptLine], why: str, todo: str) -> None:
        """Nothing is done. Where a line must be there, or should go, that is left to a person."""
        for line in wanted:
            what = (todo, line.bundle) if line.needed else ("", "")
            self._unedited.append(Unedited(line.path, line.text, why, *what))
        for kept in gone:
            self._kept.append(kept)
            self._unedited.append(Unedited(kept.path, kept.text, why, _TAKE_OUT, kept.bundle))

    def _look_through(self, wanted: list[WantedLine], gone: list[KeptLine], content: bytes, why: str) -> None:
        """What a link leads to is read, and never written: others have it as well. A person puts and takes lines."""
        there = [line for line in wanted if holds(content, line.text, line.path)]
        self._kept += [KeptLine(each.path, each.text, each.on_change.unit, each.bundle) for each in there]
        for line in wanted:
            if line not in there:
                self._leave((line,), (), why, _BY_HAND.format(f"{dirname(line.path)}/{line.text.split()[-1]}"))
        self._leave((), [kept for kept in gone if holds(content, kept.text)], why, "")

    def _edit(self, path: str, now: Entry, content: bytes, lines: tuple[list[WantedLine], list[KeptLine]]) -> None:
        wanted, gone = lines
        missing = [line for line in wanted if not holds(content, line.text, path)]
        present = [line for line in wanted if line not in missing]
        if path in self._observed.shared and not any(line.needed for line in wanted):
            self._leave(missing, (), "it is on storage that hosts share", "")
            missing = []
        removed = tuple(dict.fromkeys(kept.text for kept in gone if holds(content, kept.text)))
        self._kept += [KeptLine(path, each.text, each.on_change.unit, each.bundle) for each in (*present, *missing)]
        after = with_lines(content, [line.text for line in missing], removed)
        if after == content:
            return
        entry = replace(now, content=hashlib.sha256(after).hexdigest())
        bundle = missing[0].bundle if missing else gone[0].bundle
        stage: Stage | None = missing[0].stage if missing else None
        units = {line.on_change.unit for line in missing} | {kept.unit for kept in gone}
        added = tuple(dict.fromkeys(line.text for line in missing))
        self._edits[path] = Edit(now, entry, after, bundle, stage, tuple(sorted(units - {""})), added, removed)


def _why(entry: Entry) -> str:
    kinds = {"absent": "it does not exist", "link": f"it is a link to `{entry.content}`"}
    return kinds.get(entry.kind, "it is no file")


def unedited_notes(desired: Mapping[str, Desired]) -> Iterator[str]:
    """A note on each file that is left as it is although it should hold a line, with its hosts."""
    found: dict[Unedited, list[str]] = {}
    for host, each in desired.items():
        for left in each.unedited:
            found.setdefault(left, []).append(host)
    for left, hosts in found.items():
        todo = f"; {left.todo}" if left.todo else ""
        how = "with" if left.todo == _TAKE_OUT else "without"
        yield f"`{left.path}` is left as it is, {how} `{left.text}`: {left.why}: {fold(hosts)}{todo}"


def line_notes(before: Mapping[str, Desired], after: Mapping[str, Desired]) -> Iterator[str]:
    """What changes of the wanted lines, where no host was looked at."""
    for word, new, old in (("gets", after, before), ("loses", before, after)):
        found: dict[tuple[str, str], list[str]] = {}
        for host, each in new.items():
            had = {(line.path, line.text) for line in old[host].lines} if host in old else set()
            for line in each.lines:
                if (line.path, line.text) not in had:
                    found.setdefault((line.path, line.text), []).append(host)
        for (path, text), hosts in found.items():
            yield f"`{path}` {word} the line `{text}`, unless it is so already: {fold(hosts)}"
