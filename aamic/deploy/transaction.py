"""What one host gets to do: the lines of a transaction, the new record, and the files that change, as one payload.

`aamic/agent/apply.sh` reads the lines and says what each means. Hosts with the same changes and record share a payload.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

from aamic.deploy.archive import archive
from aamic.deploy.desired import UNITS, Desired
from aamic.deploy.material import Blob, Material, blob
from aamic.deploy.record import PROGRAM_MODE, SECRET_MODE
from aamic.deploy.units import UnitWork, unit_work
from aamic.deploy.wire import program, write_release
from aamic.model.fleet import Rollout
from aamic.model.host import ABSENT, Entry, Release
from aamic.model.plan import Change
from aamic.model.report import Origin

_WHITE: Final = re.compile(r"[\x00-\x1f\x7f]+")
_NO_FILE: Final = frozenset({"package", "unit", "record"})
"""What is no file of its own; the record comes with every transaction."""
_CHECKS: Final = (
    ("prometheus", re.compile(r"/etc/aami/prometheus[^/]*/prometheus\.yml")),
    ("rules", re.compile(r"/etc/aami/rules/.+\.yml")),
    ("alertmanager", re.compile(r"/etc/aami/alertmanager/alertmanager\.yml")),
    ("unit", re.compile(rf"{UNITS}/[^/]+\.service")),
)


def one_field(text: str) -> str:
    r"""The text as one field of a line, `-` where it is empty.

    >>> one_field("kim\tmin\nsu"), one_field("")
    ('kim min su', '-')
    """
    return _WHITE.sub(" ", text).strip() or "-"


@dataclass(frozen=True, slots=True)
class Sender:
    """Makes payloads of one apply: where it comes from, how long hosts may take, and what the plan does not hold."""

    origin: Origin
    rollout: Rollout
    material: Material
    timer: bool = True

    def payload(
        self, changes: Sequence[Change], record: Release, desired: Desired, before: str = ""
    ) -> tuple[bytes, ...]:
        """What is sent to each host that needs these changes and then has this record: the program, then a tar.

        The new record rests on that of release `before`, '' where there was none: a host that carries another by then
        refuses.
        """
        agent = program("apply")
        manifest = write_release(record)
        contents = _contents(changes, desired, self.material)
        lines = [
            *(f"{name}\t{value}" for name, value in self._head().items()),
            f"release-before\t{one_field(before)}",
            *_lines(changes, desired, contents),
            f"sum\tmanifest\t{blob(manifest).sha256}",
            f"sum\tagent\t{blob(agent).sha256}",
            "end\n",
        ]
        files = {"transaction": "\n".join(lines).encode(), "manifest": manifest, "agent": agent}
        return (agent, *archive(files | {f"files{path}": each.content for path, each in contents.items()}))

    def _head(self) -> dict[str, str | int]:
        """Times are whole seconds; without a timer the host keeps the release at once."""
        return {
            "release": self.origin.release,
            "who": one_field(self.origin.who),
            "revision": one_field(self.origin.revision),
            "plan": one_field(self.origin.plan),
            "confirm": ceil(self.rollout.confirm_timeout) if self.timer else 0,
            "settle": ceil(self.rollout.settle),
            "ready": ceil(self.rollout.ready_timeout),
        }


def _lines(changes: Sequence[Change], desired: Desired, contents: Mapping[str, Blob]) -> Iterator[str]:
    for change in sorted(changes, key=lambda each: each.what == "line"):  # what a line names is there before it
        yield from _expect(change)
        yield from _put(change, desired, contents)
        yield from _check(change)
    yield from _edit_lines(changes, desired)
    yield from _late_lines(changes, desired)
    yield from _package_lines(changes, desired)
    yield from _unit_lines(unit_work(changes, desired))


def _contents(changes: Sequence[Change], desired: Desired, material: Material) -> dict[str, Blob]:
    """The bytes of every file that is written, by path."""
    written = [change for change in changes if change.action != "remove"]
    wanted = {change.name: desired.entries[change.name] for change in written if change.what == "file"}
    files = {path: Blob(each.content, each.entry.content) for path, each in wanted.items()}
    edits = {change.name: desired.edits[change.name] for change in written if change.what == "line"}
    files |= {path: Blob(each.content, each.after.content) for path, each in edits.items()}
    programs = {
        change.name: material.program(desired.programs[change.name]) for change in written if change.what == "program"
    }
    secrets = {
        change.name: material.secret(desired.secrets[change.name]) for change in written if change.what == "secret"
    }
    return files | programs | secrets


def _expect(change: Change) -> Iterator[str]:
    """What must still stand there; of a secret that is there, only its owner knows more."""
    if change.what in _NO_FILE or (change.what == "secret" and _is_there(change.before)):
        return
    entry = change.before or ABSENT
    content = entry.content if entry.kind in {"file", "link"} else ""
    fields = (content, entry.mode, entry.owner, entry.group)
    yield "\t".join(("expect", change.name, entry.kind, *(value or "-" for value in fields)))


def _is_there(entry: Entry | None) -> bool:
    return entry is not None and entry.kind != "absent"


def _put(change: Change, desired: Desired, contents: Mapping[str, Blob]) -> Iterator[str]:
    if change.what in _NO_FILE:
        return
    if change.action == "remove":
        yield f"drop\t{change.name}"
    elif change.what == "link":
        yield f"link\t{change.name}\t{desired.entries[change.name].entry.content}"
    else:
        yield "\t".join(("put", change.name, contents[change.name].sha256, *_attributes(change, desired)))


def _attributes(change: Change, desired: Desired) -> tuple[str, str, str]:
    """Mode, owner and group."""
    if change.what == "program":
        return PROGRAM_MODE, "root", "root"
    if change.what == "secret":
        return SECRET_MODE, desired.secrets[change.name].owner, "root"
    wanted = desired.edits[change.name].after if change.what == "line" else desired.entries[change.name].entry
    return wanted.mode, wanted.owner or "-", wanted.group or "-"


def _late_lines(changes: Sequence[Change], desired: Desired) -> Iterator[str]:
    """Files that a daemon of somebody else names for as long as it knows a line: they go after it was told, or never.

    Slurm drains a node whose prolog it does not find.
    """
    naming = {line.bundle for line in desired.lines} | {each.bundle for each in changes if each.what == "line"}
    yield from (f"stays\t{path}" for path, wanted in desired.entries.items() if wanted.stays)
    for change in changes:
        fresh_or_gone = change.action in {"add", "remove"}
        if change.bundle in naming and change.what == "file" and fresh_or_gone and not _stays(change, desired):
            yield f"late\t{change.name}"


def _stays(change: Change, desired: Desired) -> bool:
    return change.name in desired.entries and desired.entries[change.name].stays


def _edit_lines(changes: Sequence[Change], desired: Desired) -> Iterator[str]:
    """Which lines come and go in files of others: to go back later takes only these back."""
    for change in changes:
        if change.what == "line":
            edit = desired.edits[change.name]
            yield from (f"edit\t{change.name}\tadd\t{text}" for text in edit.added)
            yield from (f"edit\t{change.name}\tremove\t{text}" for text in edit.removed)


def _package_lines(changes: Sequence[Change], desired: Desired) -> Iterator[str]:
    """Packages to install; meanwhile the units that are masked for good must not start."""
    wanted = [change.name for change in changes if change.what == "package" and change.action != "remove"]
    yield from (f"package\t{name}\t{desired.packages[name][0] or '-'}" for name in wanted)
    if wanted:
        yield from (f"mask\t{unit}" for unit in desired.masked)


def _check(change: Change) -> Iterator[str]:
    """Which tool of the host judges the file."""
    if change.what == "file" and change.action != "remove":
        for kind, pattern in _CHECKS:
            if pattern.fullmatch(change.name):
                yield f"check\t{kind}\t{change.name}"


def _unit_lines(work: UnitWork) -> Iterator[str]:
    yield from (f"check\tslurm\t{conf}" for conf in sorted({*work.reconfigure.values()} - {"-"}))
    yield from (f"sysusers\t{path}" for path in work.sysusers)
    yield from (f"tmpfiles\t{path}" for path in work.tmpfiles)
    yield from (f"stop\t{unit}" for unit in work.stop)
    if work.daemon_reload:
        yield "daemon-reload\t-"
    yield from (f"reload\t{unit}" for unit in work.reload)
    yield from (f"restart\t{unit}" for unit in work.restart)
    yield from (f"start\t{unit}" for unit in work.start)
    yield from (f"reconfigure\t{unit}\t{conf}" for unit, conf in work.reconfigure.items())
    for unit, ports in work.watch.items():
        yield "\t".join(("watch", unit, *(map(str, ports) if ports else "-")))
