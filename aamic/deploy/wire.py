"""The language between the controller and `aamic/agent`: requests, answers and transfers, as bytes.

Lines are fields between tabs, `-` is an empty field. An answer begins with `aamic 1 VERB` and, where it could have been
cut short, ends with `end`. What a host says is not trusted: an answer that makes no sense is a HostError.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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
    KeptLine,
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
_PATH: Final = re.compile(r"(/[\x21-\x2e\x30-\x7e\x80-\U0010ffff]+)+")
SECRETS: Final = "/etc/aami/secrets/"
"""What stands below is compared by salted digests alone, and never shown."""
_STANDING: Final = 2
"""The line of an answer with which what stands there begins: after the head and the clock."""
_LATEST: Final = 2**33
"""Seconds since 1970, in the year 2242: a clock or a journal that says more is wrong, and dates end not far from it."""
_HEADER: Final = ["aamic-manifest", "1"]
_CARRIED: Final = frozenset({"done", "confirm: done"})
"""Ends of a host's journal after which it has a release; after others it may have none."""
_SENSELESS: Final = "run the command again; if it stays so, look at `/var/lib/aamic` on the host"
_PASSING: Final = (
    "free\t",
    "shared\t",
    "through\t",
    "secret\t",
    "pending\t",
    "folder",
    "port\t",
    "unit\t",
    "last\t",
    "end",
)


@dataclass(frozen=True, slots=True)
class Request:
    """What to look at on a host: absolute paths, units, packages, folders whose free space matters, secrets.

    `edits` are paths of files of others that may get a line: whether they are shared with other hosts is asked as well.
    """

    paths: tuple[str, ...]
    units: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    folders: tuple[str, ...] = ("/var/lib/aamic",)
    secrets: tuple[str, ...] = ()
    salt: str = ""
    edits: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """The request as the agent reads it."""
        lines = [
            *(f"path\t{path}" for path in self.paths),
            *(f"edit\t{path}" for path in self.edits),
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
    if verb.startswith("slurm_"):
        return agent.slurm()
    if verb.startswith("site_"):
        return agent.site()
    return agent.read_only() if verb in {"observe", "fetch"} else agent.whole()


def command(verb: str, *words: str) -> tuple[str, ...]:
    """The command line that reads the program from its standard input and runs one of its verbs."""
    return agent.command(program(verb), verb, *words)


def observation(host: str, answer: Answer, request: Request) -> Observation:
    """Read what a host answered to `observe`.

    Raises:
        HostError: The answer is cut short, or is none.
    """
    return Observations(request).read(host, answer)


class Observations:
    """Reads the answers of many hosts to one request.

    What equal hosts say in the very same words is read once, and they share the values.
    """

    def __init__(self, request: Request) -> None:
        self._request = request
        self._known: dict[tuple[str, bool], _Standing] = {}

    def read(self, host: str, answer: Answer) -> Observation:
        """Read what one host answered.

        Raises:
            HostError: The answer is cut short, or is none.
        """
        lines = _lines(host, answer, "observe")
        if lines[-1:] != ["end"]:
            raise HostError("broken", f"`{host}`: its answer ended early", _said(answer))
        passing = next((number for number, line in enumerate(lines) if line.startswith(_PASSING)), len(lines))
        try:
            state = _State(self._request)
            for line in (*lines[1:_STANDING], *lines[passing:-1]):
                state.line(line)
            key = ("\n".join(lines[_STANDING:passing]), state.folder)
            standing = self._known.get(key) or _Standing(self._request, *key)
            observed = state.observation(host, standing)
        except _MalformedError as error:
            raise HostError("broken", f"`{host}`: its answer makes no sense: {error}", _SENSELESS) from error
        self._known[key] = standing
        return observed


def fetched(host: str, answer: Answer) -> bytes:
    """The tar that a host answered to `fetch`; nothing where it had no file to send.

    Raises:
        HostError: The program did not run there.
    """
    _, _, archive = answer.output.partition(b"\n")
    _lines(host, Answer(answer.status, answer.output[: len(answer.output) - len(archive)], answer.errors), "fetch")
    return archive


def _lines(host: str, answer: Answer, verb: str) -> list[str]:
    lines = answer.output.decode(errors="replace").rstrip("\n").split("\n")
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


def rest(host: str, answer: Answer, verb: str) -> list[str]:
    """The lines of an answer after its first.

    Raises:
        HostError: The program did not run there.
    """
    return _lines(host, answer, verb)[1:]


class _MalformedError(Exception):
    """A line that a host sent is not as such lines are; says of which kind it is."""


@contextmanager
def _reading(kind: str) -> Iterator[None]:
    """Tells of a line that cannot be read in words of our own."""
    try:
        yield
    except (ValueError, IndexError, KeyError) as error:
        raise _MalformedError(f"a line of `{kind}` is malformed") from error


def _recorded_paths(release: Release) -> Iterator[str]:
    yield from (*release.entries, *release.programs, *(line.path for line in release.lines))


class _Standing:
    """What stands on a host, as one part of its answer says: entries, packages and its release; never changed."""

    def __init__(self, request: Request, text: str, folder: bool) -> None:  # noqa: FBT001  # it is half of a key
        self._folder = folder
        self._entries: dict[str, Entry] = {}
        self._digests: dict[str, str] = {}
        self.packages: dict[str, str] = {}
        record: list[list[str]] = []
        for line in text.split("\n"):
            kind, _, rest = line.partition("\t")
            if kind == "record":
                record.append(rest.split("\t"))
            elif kind in {"entry", "package"}:
                with _reading(kind):
                    (self._read_entry if kind == "entry" else self._read_package)(rest.split("\t"))
            elif match := _DIGEST.fullmatch(line):
                self._digests[f"/{match[2]}"] = match[1]
        self.broken = False
        self.release = self._release(record) if record else None
        asked = (*request.paths, *request.edits, *(_recorded_paths(self.release) if self.release else ()))
        hidden = frozenset(request.secrets)
        self.entries = {path: self._entry(path, path in hidden) for path in dict.fromkeys(asked)}
        seen = (sorted(self.entries.items()), sorted(self.packages.items()), record)
        self.digest = hashlib.sha256(repr(seen).encode())

    def _release(self, record: list[list[str]]) -> Release | None:
        """What the host's record says; of a broken one no more than the name, which the host compares as well."""
        try:
            return read_release(record)
        except (ValueError, IndexError):
            self.broken = True
            name = next((fields[0] for kind, *fields in record if kind == "release" and fields), "")
            return Release(printable(name), {}, {}, {}) if name else None

    def _read_entry(self, fields: list[str]) -> None:
        kind, mode, owner, group, name = fields
        path, _, target = name.partition(" -> ")
        entry_kind = _KINDS.get(kind, "other")
        self._entries[f"/{path}"] = (
            Entry("link", target) if entry_kind == "link" else Entry(entry_kind, "", mode, owner, group)
        )

    def _read_package(self, fields: list[str]) -> None:
        name, version, state = fields
        if state == "installed":
            self.packages[name] = version

    def _entry(self, path: str, hidden: bool) -> Entry:  # noqa: FBT001  # for this class alone
        """What stands at a path; the plain digest of a secret goes no further than this."""
        entry = self._entries.get(path, ABSENT)
        content = self._digests.get(path, "unreadable") if entry.kind == "file" else entry.content
        if entry.kind == "file" and (hidden or path.startswith(SECRETS)):
            content = ""
        if self._folder:
            return Entry(entry.kind, content, entry.mode)
        return Entry(entry.kind, content, entry.mode, entry.owner, entry.group)


@dataclass
class _State:
    """What comes and goes on a host: the rest of its answer."""

    request: Request
    units: dict[str, UnitState] = field(default_factory=dict)
    free: dict[str, int] = field(default_factory=dict)
    ports: set[int] = field(default_factory=set)
    secrets: dict[str, str] = field(default_factory=dict)
    last: LastApply | None = None
    pending: Pending | None = None
    clock: int = 0
    folder: bool = False
    shared: set[str] = field(default_factory=set)
    through: dict[str, str] = field(default_factory=dict)
    _units: list[str] = field(default_factory=list)
    _shown: list[dict[str, str]] = field(default_factory=list)

    def observation(self, host: str, standing: _Standing) -> Observation:
        """All of it together."""
        with _reading("unit"):
            for name, shown in zip(self._units, self._shown, strict=True):
                self.units[name] = _unit_state(shown)
        self._is_running()
        secrets = {path: self.secrets.get(path, "") for path in self.request.secrets}
        return Observation(
            host, standing.entries, self.units, standing.packages, self.free, frozenset(self.ports), secrets,
            standing.release, self.last, self.pending, self.clock, self._digest(standing), self._is_lost(standing),
            frozenset(self.shared), self.through,
        )  # fmt: skip

    def _is_lost(self, standing: _Standing) -> bool:
        """Whether the host's record is broken, or gone although its journal says that it has a release."""
        gone = standing.release is None and self.last is not None and self.last.result in _CARRIED
        return standing.broken or gone

    def _is_running(self) -> None:
        """A transaction that runs now leaves its mark early or late; its unit is there all the time."""
        unit = self.units.pop(LOCK_UNIT, None)
        if unit and unit.active not in {"inactive", "failed"}:
            known = self.pending or Pending("", "", "running", 0)
            self.pending = Pending(known.release, known.who, "running", known.seconds)

    def line(self, text: str) -> None:
        """Take in one line."""
        kind, _, rest = text.partition("\t")
        if read := getattr(self, f"_read_{kind}", None):
            with _reading(kind):
                read(rest.split("\t"))
        elif "=" in text:
            self._property(text)

    def _read_unit(self, fields: list[str]) -> None:
        self._units.append(fields[0])

    def _property(self, text: str) -> None:
        """Systemctl prints the properties of one unit after the other, in the order that it knows them."""
        name, _, value = text.partition("=")
        if not self._shown or name in self._shown[-1]:
            self._shown.append({})
        self._shown[-1][name] = value

    def _read_free(self, fields: list[str]) -> None:
        self.free[fields[0]] = int(fields[1]) * 1024

    def _read_port(self, fields: list[str]) -> None:
        self.ports.add(int(fields[0]))

    def _read_shared(self, fields: list[str]) -> None:
        self.shared.add(fields[0])

    def _read_through(self, fields: list[str]) -> None:
        self.through[fields[0]] = fields[1]

    def _read_secret(self, fields: list[str]) -> None:
        self.secrets[fields[0]] = fields[1]

    def _read_clock(self, fields: list[str]) -> None:
        self.clock = _seconds(fields[0])

    def _read_folder(self, _: list[str]) -> None:
        self.folder = True

    def _read_pending(self, fields: list[str]) -> None:
        release, who, state, seconds = fields
        self.pending = Pending(printable(release), printable(who), printable(state), int(seconds))

    def _read_last(self, fields: list[str]) -> None:
        """A line that a power cut tore tells nothing, and stands in nobody's way."""
        try:
            at, action, release, who, revision, _, result = fields
            seconds = _seconds(at)
        except ValueError:
            return
        told = result if action == "apply" else f"{action}: {result}"
        self.last = LastApply(printable(release), seconds, printable(who), printable(revision), printable(told))

    def _digest(self, standing: _Standing) -> str:
        """Of all that a plan depends on: not the clock, free space, secrets or the states that come and go."""
        digest = standing.digest.copy()
        active = {name: state.active in {"active", "reloading"} for name, state in self.units.items()}
        digest.update(repr(sorted(active.items())).encode())
        return digest.hexdigest()


def _seconds(text: str) -> int:
    """Seconds since 1970, of a time that a calendar has."""
    seconds = int(text)
    if not 0 <= seconds <= _LATEST:
        raise ValueError(text)
    return seconds


def _plain(name: str) -> str:
    return "" if name == "-" else name


def _unit_state(shown: Mapping[str, str]) -> UnitState:
    return UnitState(shown["LoadState"], shown["ActiveState"], shown["SubState"], shown["NeedDaemonReload"] == "yes")


def read_release(record: Iterable[Sequence[str]]) -> Release:
    """A host's own record of what aamic put there.

    Raises:
        ValueError: It is none, or broken; or IndexError.
    """
    name, entries, programs, units = "", {}, {}, {}
    held: list[KeptLine] = []
    header, *lines = record
    if list(header[:2]) != _HEADER:
        raise ValueError("it is no record")
    for kind, *fields in lines:
        if kind == "release":
            name = printable(fields[0])
        elif kind == "file":
            path, digest, mode, owner, group, bundle = fields
            kept = Entry("file", _plain(digest), _plain(mode), _plain(owner), _plain(group))
            entries[_path(path)] = Kept(kept, printable(bundle))
        elif kind == "link":
            path, target, bundle = fields
            entries[_path(path)] = Kept(Entry("link", target), printable(bundle))
        elif kind == "program":
            programs[_path(fields[0])] = fields[1]
        elif kind == "unit":
            units[printable(fields[0])] = printable(fields[1])
        elif kind == "line":
            path, text, unit, bundle = fields
            held.append(KeptLine(_path(path), printable(text), printable(_plain(unit)), printable(bundle)))
    if not name:
        raise ValueError("it names no release")
    return Release(name, entries, programs, units, tuple(sorted(held)))


def _path(text: str) -> str:
    """A path of a host's record: absolute, and nothing that a tool would read as something else."""
    if not _PATH.fullmatch(text) or ".." in text.split("/"):
        raise ValueError(f"its record names `{text}`")
    return text


def write_release(release: Release) -> bytes:
    """The record in the form that a host keeps; `read_release` reads it back."""
    lines = [
        "aamic-manifest\t1",
        f"release\t{release.name}",
        *(_record_line(path, kept) for path, kept in sorted(release.entries.items())),
        *(f"program\t{path}\t{digest}" for path, digest in sorted(release.programs.items())),
        *(f"unit\t{unit}\t{bundle}" for unit, bundle in sorted(release.units.items())),
        *(f"line\t{each.path}\t{each.text}\t{each.unit or '-'}\t{each.bundle}" for each in sorted(release.lines)),
    ]
    return ("\n".join(lines) + "\n").encode()


def _record_line(path: str, kept: Kept) -> str:
    entry = kept.entry
    if entry.kind == "link":
        return f"link\t{path}\t{entry.content}\t{kept.bundle}"
    fields = (entry.content, entry.mode, entry.owner, entry.group)
    return "\t".join(("file", path, *(value or "-" for value in fields), kept.bundle))


@dataclass(frozen=True, slots=True)
class Result:
    """What a host reports of an apply, confirm, rollback or recover.

    `state`: `done`; `refused` (nothing was changed); `moved` (it is not what was planned for, nothing was changed);
    `busy` (another change, nothing was changed); `restored` (it failed, and the host is as it was); `half` (it
    failed, and paths or units, which the message names, are not as they were; the host can try again); `gone` or
    `waiting` (of confirm and recover). `message` says why. `notes` are what people should know besides.
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
