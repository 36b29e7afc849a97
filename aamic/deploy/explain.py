"""How the files differ that a plan changes, for people. Pure.

What a host sent is not trusted: sizes are checked, and control characters are shown as such.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from aamic.deploy.desired import Desired
from aamic.deploy.meaning import meaning
from aamic.model.plan import Change, Difference, Plan

LARGEST: Final = 1024 * 1024
"""Bytes of a file that is still shown line by line."""
_MOST_COMPARED: Final = 20_000
"""Lines of a file that are still compared: that takes up to the square of their number."""
_MOST_LINES: Final = 400
_LONGEST_LINE: Final = 1_000
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

Contents = Mapping[tuple[str, str], bytes | str]
"""Old contents by path and digest, or why there are none."""


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A file whose content changes: the digests before and after, one host where that is so, and the new content."""

    name: str
    before: str
    after: str
    host: str
    content: bytes


def explain(plan: Plan, desired: Mapping[str, Desired], old: Contents) -> Plan:
    """The plan with the differences of its changed files."""
    return replace(
        plan,
        differences={
            f"{each.name}\0{each.before}\0{each.after}": difference(
                each.name, old.get((each.name, each.before), "what stands there is not known"), each.content
            )
            for each in rewritten(plan, desired)
        },
    )


def rewritten(plan: Plan, desired: Mapping[str, Desired]) -> tuple[Rewritten, ...]:
    """Every change of a file's content, once."""
    found: dict[tuple[str, str, str], Rewritten] = {}
    for group in plan.groups:
        host = group.hosts[0]
        for change in group.changes:
            for before, after in _digests(change):
                content = _new_content(change, desired[host])
                each = Rewritten(change.name, before, after, host, content)
                found.setdefault((each.name, before, after), each)
    return tuple(found.values())


def _new_content(change: Change, desired: Desired) -> bytes:
    if change.what == "line":
        return desired.edits[change.name].content
    return desired.entries[change.name].content


def _digests(change: Change) -> Iterator[tuple[str, str]]:
    """The digests before and after, where a file's content changes."""
    before, after = change.before, change.after
    if change.what not in {"file", "line"} or before is None or after is None:
        return
    if before.kind == after.kind == "file" and before.content != after.content:
        yield before.content, after.content


def contents(desired: Iterable[Desired]) -> dict[tuple[str, str], bytes | str]:
    """The content of every file that hosts should have."""
    different = {id(each): each for each in desired}.values()
    return {(path, wanted.entry.content): wanted.content for each in different for path, wanted in each.entries.items()}


def difference(name: str, before: bytes | str, after: bytes) -> Difference:
    """How a file's content differs; `before` may say why it is not known."""
    if isinstance(before, str):
        return Difference(note=_printable(before))
    if max(len(before), len(after)) > LARGEST or max(before.count(b"\n"), after.count(b"\n")) > _MOST_COMPARED:
        return Difference(note=f"too large to show: {len(before):,} bytes before, {len(after):,} after")
    if b"\0" in before or b"\0" in after:
        return Difference(note=f"binary: {len(before):,} bytes before, {len(after):,} after")
    lines = tuple(_unified(before, after))
    note = f"{len(lines) - _MOST_LINES:,} more lines are not shown" if len(lines) > _MOST_LINES else ""
    told = tuple(_printable(line) for line in meaning(name, before, after))
    return Difference(lines[:_MOST_LINES], told, note)


def _unified(before: bytes, after: bytes) -> Iterator[str]:
    old, new = (text.decode(errors="replace").split("\n") for text in (before, after))
    lines = difflib.unified_diff(*_ended(old, new), lineterm="", n=2)
    return (_printable(line) for number, line in enumerate(lines) if number > 1)


def _ended(old: list[str], new: list[str]) -> tuple[list[str], list[str]]:
    """Without the empty line after the last line end, where both have one; where only one has, that is told."""
    if not old[-1] and not new[-1]:
        return old[:-1], new[:-1]
    return _marked(old), _marked(new)


def _marked(lines: list[str]) -> list[str]:
    return lines[:-1] if not lines[-1] else [*lines[:-1], f"{lines[-1]}\\ no line end"]


def _printable(line: str) -> str:
    """The line with control characters written out, and not too long."""
    shown = _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", line)
    return shown if len(shown) <= _LONGEST_LINE else f"{shown[:_LONGEST_LINE]}…"
