"""Transfers written by hand, line by line: what the program on a host must make of them is then plain to read."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aamic import agent
from aamic.clients.base import Answer, Hosts
from aamic.deploy import wire

RELEASE = "20261125T120000Z-abc1234"


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True)
class Transfer:
    """One apply: files to put, further lines of the transaction, and the record that the host keeps."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    lines: Sequence[str] = ()
    release: str = RELEASE
    modes: Mapping[str, str] = field(default_factory=dict)
    owner: str = "root"
    confirm: int = 0
    settle: int = 1
    ready: int = 5

    def record(self) -> bytes:
        files = [
            f"file\t{path}\t{digest(content)}\t{self.modes.get(path, '0644')}\t{self.owner}\t{self.owner}\tb"
            for path, content in self.files.items()
        ]
        return "\n".join(["aamic-manifest\t1", f"release\t{self.release}", *files, ""]).encode()

    def transaction(self) -> bytes:
        head = [
            f"release\t{self.release}", "who\tan@engineer", "revision\t3f2c1ab", "plan\tp1",
            f"confirm\t{self.confirm}", f"settle\t{self.settle}", f"ready\t{self.ready}",
            f"sum\tmanifest\t{digest(self.record())}", f"sum\tagent\t{digest(agent.whole())}",
        ]  # fmt: skip
        puts = [
            f"put\t{path}\t{digest(content)}\t{self.modes.get(path, '0644')}\t{self.owner}\t{self.owner}"
            for path, content in self.files.items()
        ]
        return "\n".join([*head, *puts, *self.lines, "end", ""]).encode()

    def tar(self) -> bytes:
        members = {
            "transaction": self.transaction(),
            "manifest": self.record(),
            "agent": agent.whole(),
            **{f"files{path}": content for path, content in self.files.items()},
        }
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
            for name, content in members.items():
                member = tarfile.TarInfo(name)
                member.size, member.mode = len(content), 0o600
                archive.addfile(member, io.BytesIO(content))
        return buffer.getvalue()


def run(hosts: Hosts, host: str, verb: str, *words: str, payload: bytes = b"", timeout: float = 60) -> Answer:
    return hosts.run(host, wire.command(verb, *words), (wire.program(verb), payload), timeout)


def apply(hosts: Hosts, host: str, transfer: Transfer, cut: int | None = None) -> wire.Result:
    """Apply a transfer, or only its first bytes."""
    answer = run(hosts, host, "apply", transfer.release, payload=transfer.tar()[:cut])
    return wire.result(host, answer, "apply")


def verb(hosts: Hosts, host: str, name: str, *words: str) -> wire.Result:
    return wire.result(host, run(hosts, host, name, *words), name)
