"""Verbs of `FakeHosts` that change a host: what `aamic/agent` does, in memory, with faults that a test asks for.

A transaction is judged as strictly as on a real host: digests, expectations, and paths that it does not name.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from aamic.deploy import wire
from aamic.errors import HostError
from tests.deploy.fakehosts import DOWN, UP, FakeHost, FakeHosts, Thing

Lines = list[list[str]]


@dataclass
class Undo:
    """What a host was before a release."""

    release: str
    things: dict[str, Thing]
    units: dict[str, object]
    record: bytes


@dataclass
class Fleet:
    """Hosts in memory by name. `breaks` are hosts whose units do not come up, and what they then say.

    `cuts` are hosts whose connection is cut: `before` the transaction, `after` it, in `confirm`, or `confirmed`, so
    that the first answer to that is lost. `halves` are hosts that cannot put everything back, and what they then say.
    """

    hosts: dict[str, FakeHost]
    breaks: dict[str, str] = field(default_factory=dict)
    cuts: dict[str, str] = field(default_factory=dict)
    halves: dict[str, str] = field(default_factory=dict)
    sent: dict[str, bytes] = field(default_factory=dict)
    transactions: dict[str, Lines] = field(default_factory=dict)
    undo: dict[str, list[Undo]] = field(default_factory=dict)

    def client(self) -> FakeHosts:
        """A client for these hosts, as one controller has it."""
        verbs = {"apply": self._apply, "confirm": self._confirm, "rollback": self._rollback, "recover": self._recover}
        return FakeHosts(self.hosts, verbs)

    def name(self, host: FakeHost) -> str:
        return next(name for name, each in self.hosts.items() if each is host)

    def expire(self, name: str) -> None:
        """The restoring timer of a host fires."""
        host = self.hosts[name]
        if host.pending:
            self._restore(name, host)
            host.pending = ""

    def _apply(self, host: FakeHost, words: Sequence[str], payload: bytes) -> bytes:
        name = self.name(host)
        if self.cuts.get(name) == "before":
            raise HostError("lost", f"`{name}`: the connection broke")
        self.sent[name] = payload
        answer = self._transact(name, host, words[0], _unpacked(payload))
        if self.cuts.get(name) == "after":
            raise HostError("lost", f"`{name}`: the connection broke")
        return _answer("apply", *answer)

    def _transact(self, name: str, host: FakeHost, release: str, files: dict[str, bytes]) -> tuple[str, str]:
        lines = [line.split("\t") for line in files["transaction"].decode().splitlines()]
        assert lines[-1] == ["end"]
        self.transactions[name] = lines
        _check_sums(lines, files)
        if host.pending:
            return "busy", "another release is not confirmed yet"
        if _of(lines, "release-before") != [["release-before", _carried(host)]]:
            return "moved", f"it has release {_carried(host)} by now"
        for _, path, *expected in _of(lines, "expect"):
            if _look(host, path) != expected:
                return "moved", f"{path} is no longer what was planned for"
        self.undo.setdefault(name, []).append(Undo(release, dict(host.things), dict(host.units), host.record))
        _exchange(host, lines, files)
        if name in self.breaks:
            self._restore(name, host)
            return ("half", self.halves[name]) if name in self.halves else ("restored", self.breaks[name])
        host.record = files["manifest"]
        values = {kind: fields for kind, *fields in lines}
        who = values["who"][0]
        if values["confirm"] != ["0"]:
            host.pending = f"pending\t{release}\t{who}\tunconfirmed\t{values['confirm'][0]}"
        host.last = "\t".join(
            ("last", "1700000000", "apply", release, who, *values["revision"], *values["plan"], "done")
        )
        return "done", release

    def _confirm(self, host: FakeHost, words: Sequence[str], _: bytes) -> bytes:
        name = self.name(host)
        if self.cuts.get(name) == "confirm":
            raise HostError("unreachable", f"`{name}`: no route to host")
        if not host.pending and _carried(host) == words[0]:
            return _answer("confirm", "done", words[0])
        if host.pending.split("\t")[1:2] != [words[0]]:
            return _answer("confirm", "gone", f"release {words[0]} does not wait to be confirmed")
        host.pending = ""
        if self.cuts.get(name) == "confirmed":
            raise HostError("lost", f"`{name}`: the connection broke")
        return _answer("confirm", "done", words[0])

    def _rollback(self, host: FakeHost, words: Sequence[str], _: bytes) -> bytes:
        name = self.name(host)
        kept = self.undo.get(name, [])
        if not kept or kept[-1].release != words[0]:
            return _answer("rollback", "moved", f"the host does not run release {words[0]}")
        if name in self.halves:
            return _answer("rollback", "half", self.halves[name])
        self._restore(name, host)
        host.pending = ""
        return _answer("rollback", "done", words[0])

    def _recover(self, host: FakeHost, _: Sequence[str], __: bytes) -> bytes:
        *_, phase, seconds = host.pending.split("\t") if host.pending else ("", "0")
        if phase == "unconfirmed" and int(seconds) > 0:
            return _answer("recover", "waiting", "it is not confirmed yet")
        self.expire(self.name(host))
        return _answer("recover", "done", "-")

    def _restore(self, name: str, host: FakeHost) -> None:
        undo = self.undo[name].pop()
        host.things, host.record = undo.things, undo.record
        host.units = dict(undo.units)  # type: ignore[arg-type]


def _answer(verb: str, state: str, message: str) -> bytes:
    return f"aamic\t1\t{verb}\nresult\t{state}\t{message}\n".encode()


def _unpacked(payload: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(payload)) as archive:
        members = archive.getmembers()
        assert {(each.mode, each.mtime, each.isreg()) for each in members} == {(0o600, 0, True)}
        return {each.name: archive.extractfile(each).read() for each in members}  # type: ignore[union-attr]


def _of(lines: Lines, kind: str) -> Lines:
    return [fields for fields in lines if fields[0] == kind]


def _check_sums(lines: Lines, files: dict[str, bytes]) -> None:
    sums = {fields[1]: fields[2] for fields in _of(lines, "sum")}
    sums |= {f"files{fields[1]}": fields[2] for fields in _of(lines, "put")}
    assert sums == {name: hashlib.sha256(text).hexdigest() for name, text in files.items() if name != "transaction"}
    assert files["agent"] == wire.program("apply")


def _carried(host: FakeHost) -> str:
    """The release that the host's own record names, as far as it can be read."""
    lines = [line.split("\t") for line in host.record.decode().splitlines()]
    return next((fields[1] for fields in lines if fields[0] == "release" and len(fields) > 1), "-")


def _look(host: FakeHost, path: str) -> list[str]:
    thing = host.things.get(path)
    if thing is None:
        return ["absent", "-", "-", "-", "-"]
    if thing.kind == "link":
        return ["link", thing.content.decode(), "-", "-", "-"]
    content = hashlib.sha256(thing.content).hexdigest() if thing.kind == "file" else "-"
    return [thing.kind, content, thing.mode, thing.owner, thing.group]


def _exchange(host: FakeHost, lines: Lines, files: dict[str, bytes]) -> None:
    things = dict(host.things)
    for _, path, _, mode, owner, group in _of(lines, "put"):
        things[path] = Thing("file", files[f"files{path}"], mode, owner, group)
    for _, path, target in _of(lines, "link"):
        things[path] = Thing("link", target.encode(), "0777")
    for _, path in _of(lines, "drop"):
        del things[path]
    units = dict(host.units)
    units |= {fields[1]: replace(DOWN, load="masked") for fields in _of(lines, "stop")}
    units |= {fields[1]: UP for kind in ("restart", "start") for fields in _of(lines, kind)}
    host.packages |= {fields[1]: fields[2].replace("-", "1.0") for fields in _of(lines, "package")}
    host.things, host.units = things, units
