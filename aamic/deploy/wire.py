"""The language between the controller and `aamic/agent`: requests, answers and transfers, as bytes.

Lines are fields between tabs, `-` is an empty field. An answer begins with `aamic 1 VERB` and, where it could have been
cut short, ends with `end`. What a host says is not trusted: an answer that makes no sense is a HostError.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from aamic import agent
from aamic.clients.base import Answer
from aamic.errors import HostError
from aamic.model.host import (
    ABSENT,
    Entry,
    EntryKind,
    Kept,
    LastApply,
    Observation,
    Pending,
    Release,
    UnitState,
)

_KINDS: Final[dict[str, EntryKind]] = {
    "regular file": "file",
    "regular empty file": "file",
    "symbolic link": "link",
    "directory": "folder",
}
LOCK_UNIT: Final = "aamic-transaction.service"
"""The unit as which a transaction runs on a host, one at a time."""
_DIGEST: Final = re.compile(r"([0-9a-f]{64})  (.+)")
_UNPRINTABLE: Final = re.compile(r"[^\x20-\x7e\x80-\U0010ffff]")
_LONGEST: Final = 200


@dataclass(frozen=True, slots=True)
class Request:
    """What to look at on a host: absolute paths, units, packages, folders whose free space matters, secrets."""

    paths: tuple[str, ...]
    units: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    folders: tuple[str, ...] = ("/var/lib/aamic",)
    secrets: tuple[str, ...] = ()
    salt: str = ""

    def encode(self) -> bytes:
        """The request as the agent reads it."""
        lines = [
            *(f"path\t{path}" for path in self.paths),
            *(f"unit\t{unit}" for unit in self.units),
            *(f"package\t{package}" for package in self.packages),
            *(f"folder\t{folder}" for folder in self.folders),
            *(f"secret\t{path}" for path in self.secrets),
            *([f"salt\t{self.salt}"] if self.salt else []),
            "end\n",
        ]
        return "\n".join(lines).encode()


def program(verb: str) -> bytes:
    """The program that a call sends along, before anything else on standard input."""
    return agent.read_only() if verb in {"observe", "fetch"} else agent.whole()


def command(verb: str, *words: str) -> tuple[str, ...]:
    """The command line that reads the program from its standard input and runs one of its verbs.

    The program does not stand in the command line itself, as sudo would write all of it to the host's log.
    """
    return ("sh", "-c", f'eval "$(head -c {len(program(verb))})"; main "$@"', "aamic", verb, *words)


def observation(host: str, answer: Answer, request: Request) -> Observation:
    """Read what a host answered to `observe`.

    Raises:
        HostError: The answer is cut short, or is none.
    """
    lines = _lines(host, answer, "observe")
    if lines[-1:] != ["end"]:
        raise HostError("broken", f"`{host}`: its answer ended early", _said(answer))
    try:
        return _Reader(host, request).read(lines[1:-1])
    except (ValueError, IndexError, KeyError) as error:
        raise HostError("broken", f"`{host}`: its answer makes no sense: {error}") from error


def _lines(host: str, answer: Answer, verb: str) -> list[str]:
    lines = answer.output.decode(errors="replace").splitlines()
    if lines[:1] != [f"aamic\t1\t{verb}"]:
        hint = _said(answer) or "the login shell of the user must print nothing by itself"
        raise HostError("broken", f"`{host}`: the program of aamic did not run there (status {answer.status})", hint)
    return lines


def _said(answer: Answer) -> str | None:
    """The last line of standard error, for a hint; what a host says may hold anything."""
    lines = answer.errors.decode(errors="replace").strip().splitlines()
    return f"it said: {printable(lines[-1])}" if lines else None


def printable(text: str) -> str:
    """The text without control characters, and not too long."""
    clean = _UNPRINTABLE.sub("?", text)
    return clean if len(clean) <= _LONGEST else f"{clean[:_LONGEST]}…"


@dataclass
class _Reader:
    """Collects the lines of one answer."""

    host: str
    request: Request
    entries: dict[str, Entry] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    units: dict[str, UnitState] = field(default_factory=dict)
    packages: dict[str, str] = field(default_factory=dict)
    free: dict[str, int] = field(default_factory=dict)
    ports: set[int] = field(default_factory=set)
    secrets: dict[str, str] = field(default_factory=dict)
    record: list[list[str]] = field(default_factory=list)
    last: LastApply | None = None
    pending: Pending | None = None
    clock: int = 0
    folder: bool = False
    _units: list[str] = field(default_factory=list)
    _shown: list[dict[str, str]] = field(default_factory=list)

    def read(self, lines: Iterable[str]) -> Observation:
        for text in lines:
            self._line(text)
        for name, shown in zip(self._units, self._shown, strict=False):
            self.units[name] = _unit_state(shown)
        self._is_running()
        release = read_release(self.record) if self.record else None
        paths = dict.fromkeys((*self.request.paths, *(release.entries if release else ())))
        entries = {path: self._entry(path) for path in paths}
        entries |= {path: self._entry(path) for path in (release.programs if release else ()) if path not in entries}
        secrets = {path: self.secrets.get(path, "") for path in self.request.secrets}
        return Observation(
            self.host, entries, self.units, self.packages, self.free, frozenset(self.ports), secrets,
            release, self.last, self.pending, self.clock, self._digest(entries),
        )  # fmt: skip

    def _is_running(self) -> None:
        """A transaction that runs now leaves its mark early or late; its unit is there all the time."""
        unit = self.units.pop(LOCK_UNIT, None)
        if unit and unit.active not in {"inactive", "failed"}:
            known = self.pending or Pending("", "", "running", 0)
            self.pending = Pending(known.release, known.who, "running", known.seconds)

    def _entry(self, path: str) -> Entry:
        entry = self.entries.get(path, ABSENT)
        content = self.digests.get(path, "unreadable") if entry.kind == "file" else entry.content
        if self.folder:
            return Entry(entry.kind, content, entry.mode)
        return Entry(entry.kind, content, entry.mode, entry.owner, entry.group)

    def _line(self, text: str) -> None:
        kind, _, rest = text.partition("\t")
        if read := getattr(self, f"_read_{kind}", None):
            read(rest.split("\t"))
        elif match := _DIGEST.fullmatch(text):
            self.digests[f"/{match[2]}"] = match[1]
        elif "=" in text:
            self._property(text)

    def _read_entry(self, fields: list[str]) -> None:
        kind, mode, owner, group, name = fields
        path, _, target = name.partition(" -> ")
        entry_kind = _KINDS.get(kind, "other")
        self.entries[f"/{path}"] = (
            Entry("link", target) if entry_kind == "link" else Entry(entry_kind, "", mode, owner, group)
        )

    def _read_record(self, fields: list[str]) -> None:
        self.record.append(fields)

    def _read_unit(self, fields: list[str]) -> None:
        self._units.append(fields[0])

    def _property(self, text: str) -> None:
        """Systemctl prints the properties of one unit after the other, in the order that it knows them."""
        name, _, value = text.partition("=")
        if not self._shown or name in self._shown[-1]:
            self._shown.append({})
        self._shown[-1][name] = value

    def _read_package(self, fields: list[str]) -> None:
        name, version, state = fields
        if state == "installed":
            self.packages[name] = version

    def _read_free(self, fields: list[str]) -> None:
        self.free[fields[0]] = int(fields[1]) * 1024

    def _read_port(self, fields: list[str]) -> None:
        self.ports.add(int(fields[0]))

    def _read_secret(self, fields: list[str]) -> None:
        self.secrets[fields[0]] = fields[1]

    def _read_clock(self, fields: list[str]) -> None:
        self.clock = int(fields[0])

    def _read_folder(self, _: list[str]) -> None:
        self.folder = True

    def _read_pending(self, fields: list[str]) -> None:
        release, who, state, seconds = fields
        self.pending = Pending(printable(release), printable(who), state, int(seconds))

    def _read_last(self, fields: list[str]) -> None:
        at, action, release, who, revision, _, result = fields
        told = result if action == "apply" else f"{action}: {result}"
        self.last = LastApply(printable(release), int(at), printable(who), printable(revision), printable(told))

    def _digest(self, entries: Mapping[str, Entry]) -> str:
        """Of all that a plan depends on: not the clock, free space, secrets or the states that come and go."""
        active = {name: state.active in {"active", "reloading"} for name, state in self.units.items()}
        seen = (sorted(entries.items()), sorted(active.items()), sorted(self.packages.items()), self.record)
        return hashlib.sha256(repr(seen).encode()).hexdigest()


def _plain(name: str) -> str:
    return "" if name == "-" else name


def _unit_state(shown: Mapping[str, str]) -> UnitState:
    return UnitState(shown["LoadState"], shown["ActiveState"], shown["SubState"], shown["NeedDaemonReload"] == "yes")


def read_release(record: Iterable[Sequence[str]]) -> Release:
    """A host's own record of what aamic put there."""
    name, entries, programs, units = "", {}, {}, {}
    for kind, *fields in record:
        if kind == "release":
            name = fields[0]
        elif kind == "file":
            path, digest, mode, owner, group, bundle = fields
            entries[path] = Kept(Entry("file", digest, mode, _plain(owner), _plain(group)), bundle)
        elif kind == "link":
            path, target, bundle = fields
            entries[path] = Kept(Entry("link", target), bundle)
        elif kind == "program":
            programs[fields[0]] = fields[1]
        elif kind == "unit":
            units[fields[0]] = fields[1]
    return Release(name, entries, programs, units)


def write_release(release: Release) -> bytes:
    """The record in the form that a host keeps; `read_release` reads it back."""
    lines = [
        "aamic-manifest\t1",
        f"release\t{release.name}",
        *(_record_line(path, kept) for path, kept in sorted(release.entries.items())),
        *(f"program\t{path}\t{digest}" for path, digest in sorted(release.programs.items())),
        *(f"unit\t{unit}\t{bundle}" for unit, bundle in sorted(release.units.items())),
    ]
    return ("\n".join(lines) + "\n").encode()


def _record_line(path: str, kept: Kept) -> str:
    entry = kept.entry
    if entry.kind == "link":
        return f"link\t{path}\t{entry.content}\t{kept.bundle}"
    return f"file\t{path}\t{entry.content}\t{entry.mode}\t{entry.owner or '-'}\t{entry.group or '-'}\t{kept.bundle}"


@dataclass(frozen=True, slots=True)
class Result:
    """What a host reports of an apply, confirm, rollback or recover.

    `state`: `done`; `refused` (nothing was changed); `moved` (it is not what was planned for, nothing was changed);
    `busy` (another change, nothing was changed); `restored` (it failed, and the host is as it was); `gone` or `waiting`
    (of confirm and recover). `message` says why. `notes` are what people should know besides.
    """

    state: str
    message: str
    notes: tuple[str, ...] = ()


def result(host: str, answer: Answer, verb: str) -> Result:
    """Read what a host reports at the end of a verb that changes it.

    Raises:
        HostError: There is no report, so the outcome is not known.
    """
    lines = [line.split("\t") for line in _lines(host, answer, verb)]
    results = [fields for fields in lines if fields[0] == "result" and len(fields) > 1]
    if not results:
        raise HostError("lost", f"`{host}`: it did not report what became of the change", _said(answer))
    notes = tuple(printable(" ".join(fields[1:])) for fields in lines if fields[0] == "note")
    return Result(results[-1][1], printable(" ".join(results[-1][2:])), notes)
