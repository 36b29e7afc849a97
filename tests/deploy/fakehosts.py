"""Hosts in memory that answer in the language of `aamic.deploy.wire`, for tests of what is said to hosts.

`FakeHosts` answers `observe` and `fetch`; other verbs are functions that a test puts into `verbs`.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from aamic.clients.base import Answer
from aamic.deploy import wire
from aamic.deploy.desired import Desired
from aamic.errors import HostError
from aamic.model.host import Entry, Kept, Release, UnitState

UP = UnitState("loaded", "active", "running", needs_reload=False)
DOWN = UnitState("loaded", "inactive", "dead", needs_reload=False)


@dataclass(frozen=True)
class Thing:
    """What stands at a path: a file's content, a link's target, or a folder or device of that kind."""

    kind: str = "file"
    content: bytes = b""
    mode: str = "0644"
    owner: str = "root"
    group: str = "root"

    @property
    def stat(self) -> str:
        """What `stat` calls it."""
        names = {"file": "regular file", "link": "symbolic link", "folder": "directory"}
        return names.get(self.kind, self.kind)


@dataclass
class FakeHost:
    """One host; `fault` is what a call ends with instead of an answer."""

    things: dict[str, Thing] = field(default_factory=dict)
    units: dict[str, UnitState] = field(default_factory=dict)
    packages: dict[str, str] = field(default_factory=dict)
    free: int = 10**9
    ports: set[int] = field(default_factory=set)
    record: bytes = b""
    pending: str = ""
    last: str = ""
    clock: int = 1_700_000_000
    fault: HostError | None = None


Verb = Callable[[FakeHost, Sequence[str], bytes], bytes]


class FakeHosts:
    """Implements `clients.base.Hosts`; `calls` are the host and verb of every call, `sent` what came with each."""

    def __init__(self, hosts: Mapping[str, FakeHost], verbs: Mapping[str, Verb] | None = None) -> None:
        self.hosts = dict(hosts)
        self.verbs: dict[str, Verb] = {"observe": observe, "fetch": fetch, **(verbs or {})}
        self.calls: list[tuple[str, str]] = []

    def run(self, host: str, command: Sequence[str], payload: Sequence[bytes], timeout: float) -> Answer:
        verb, words = command[4], command[5:]
        assert tuple(command) == wire.command(verb, *words)
        assert payload[0] == wire.program(verb)
        assert timeout > 0
        self.calls.append((host, verb))
        target = self.hosts[host]
        if target.fault:
            raise target.fault
        return Answer(0, self.verbs[verb](target, words, b"".join(payload[1:])), b"")

    def close(self) -> None:
        """Nothing is open."""


def observe(host: FakeHost, _: Sequence[str], payload: bytes) -> bytes:
    """What `observe` prints; it looks at what was asked for, and at what the host's own record names."""
    asked: dict[str, list[str]] = {}
    for line in payload.decode().splitlines():
        kind, _, value = line.partition("\t")
        asked.setdefault(kind, []).append(value)
    assert "end" in asked
    record = [line.split("\t") for line in host.record.decode().splitlines()]
    kept = {"file", "link", "program", "line"}
    recorded = (fields[1] for fields in record if fields[0] in kept)
    paths = [*asked.get("path", ()), *asked.get("edit", ()), *recorded]
    readers = [fields[3] for fields in record if fields[0] == "line" and fields[3] != "-"]
    units = [
        "aamic-transaction.service",
        *asked.get("unit", ()),
        *(each[1] for each in record if each[0] == "unit"),
        *readers,
    ]
    salt = "".join(asked.get("salt", ())).encode()
    lines = [
        "aamic\t1\tobserve",
        f"clock\t{host.clock}",
        *("\t".join(("record", *fields)) for fields in record),
        *(_entry(path, host.things[path]) for path in paths if path in host.things),
        *(_digest(path, host.things[path]) for path in paths if _is_file(host, path)),
        *(
            f"package\t{name}\t{host.packages[name]}\tinstalled"
            for name in asked.get("package", ())
            if name in host.packages
        ),
        *(
            f"through\t{path}\t{hashlib.sha256(target.content).hexdigest()}"
            for path in (*asked.get("edit", ()), *(fields[1] for fields in record if fields[0] == "line"))
            if path in host.things and host.things[path].kind == "link" and (target := _target(host, path))
        ),
        *(f"free\t{folder}\t{host.free // 1024}" for folder in asked.get("folder", ())),
        *(
            f"secret\t{path}\t{hashlib.sha256(salt + host.things[path].content).hexdigest()}"
            for path in asked.get("secret", ())
            if _is_file(host, path)
        ),
        *([host.pending] if host.pending else []),
        *(f"port\t{port}" for port in sorted(host.ports)),
        *(f"unit\t{unit}" for unit in units),
        *(line for unit in units for line in _properties(host.units.get(unit))),
        *([host.last] if host.last else []),
        "end",
    ]
    return ("\n".join(lines) + "\n").encode()


def _is_file(host: FakeHost, path: str) -> bool:
    return path in host.things and host.things[path].kind == "file"


def _target(host: FakeHost, path: str) -> Thing | None:
    """The file that stands at a path, or at the end of a link there."""
    thing = host.things.get(path)
    if thing and thing.kind == "link":
        return _target(host, thing.content.decode())
    return thing if thing and thing.kind == "file" else None


def _entry(path: str, thing: Thing) -> str:
    name = path[1:] + (f" -> {thing.content.decode()}" if thing.kind == "link" else "")
    return f"entry\t{thing.stat}\t{thing.mode}\t{thing.owner}\t{thing.group}\t{name}"


def _digest(path: str, thing: Thing) -> str:
    return f"{hashlib.sha256(thing.content).hexdigest()}  {path[1:]}"


def _properties(state: UnitState | None) -> list[str]:
    state = state or UnitState("not-found", "inactive", "dead", needs_reload=False)
    reload = "yes" if state.needs_reload else "no"
    lines = [f"LoadState={state.load}", f"ActiveState={state.active}", f"SubState={state.sub}"]
    return [*lines, f"NeedDaemonReload={reload}", ""]


def fetch(host: FakeHost, words: Sequence[str], payload: bytes) -> bytes:
    """What `fetch` prints: a tar of the files that everybody may read; with `follow`, of what links lead to."""
    asked = payload.decode().removesuffix("end\n").splitlines()
    known = {path: _target(host, path) for path in asked if words or _is_file(host, path)}
    found = {path: thing for path, thing in known.items() if thing}
    readable = {path: thing.content for path, thing in found.items() if int(thing.mode, 8) & 0o004}
    return b"aamic\t1\tfetch\n" + (tar(readable) if readable else b"")


def tar(files: Mapping[str, bytes]) -> bytes:
    """A tar with these files, their names without the leading slash."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for path, content in files.items():
            member = tarfile.TarInfo(path[1:])
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def synced(desired: Desired, *, secret: bytes = b"hush", program: bytes = b"\x7fELF") -> FakeHost:
    """A host that has everything that is desired, and a record that says so."""
    things = {
        path: Thing("link", wanted.entry.content.encode(), "0777")
        if wanted.entry.kind == "link"
        else Thing("file", wanted.content, wanted.entry.mode, wanted.entry.owner, wanted.entry.group)
        for path, wanted in desired.entries.items()
    }
    kept = {path: Kept(wanted.entry, wanted.bundle) for path, wanted in desired.entries.items()}
    for path, each in desired.programs.items():
        things[path] = Thing("file", program, "0755")
        kept[path] = Kept(Entry("file", hashlib.sha256(program).hexdigest(), "0755", "root", "root"), each.bundle)
    for path, hidden in desired.secrets.items():
        things[path] = Thing("file", secret, "0600", hidden.owner)
        kept[path] = Kept(Entry("file", "", "0600", hidden.owner, "root"), hidden.bundle)
    release = Release(
        "r1",
        kept,
        {path: each.origin for path, each in desired.programs.items()},
        {unit: wanted.bundle for unit, wanted in desired.units.items()},
    )
    return FakeHost(
        things=things,
        units=dict.fromkeys(desired.units, UP) | dict.fromkeys(desired.masked, replace(DOWN, load="masked")),
        packages={name: version or "1.0" for name, (version, _) in desired.packages.items()},
        record=wire.write_release(release),
    )
