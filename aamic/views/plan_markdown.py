"""A plan as a comment on a pull request: most important first, never longer than the forge takes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from aamic.model.plan import Difference, Plan
from aamic.views import plan_words as words
from aamic.views.plan_census import Fold, Hosts
from aamic.views.plan_change import effect, facts, symbol, title, where
from aamic.views.plan_outline import MOST, Folder, Item, Outline, Section, Trouble, Variant, outline
from aamic.views.terminal import safe

LIMIT: Final = 65_536
"""Characters that GitHub takes in one comment."""

_RESERVE: Final = 1_000
"""Characters kept for the words about what was left out, and to be away from the edge."""
_TITLES: Final = 0.6
"""The share of a comment that titles of changes may take before differences have had their turn."""
_HEAD: Final = 0.3
_NOTES: Final = 0.1
_HOSTS: Final = 240
_TEXT: Final = 400
_OPEN: Final = 12
"""Lines of a difference that stand open; more are folded away, and at most `_HUNK` are shown."""
_HUNK: Final = 80
_LEAST: Final = 200
"""Characters in which there is no use to try a difference."""


def markdown(plan: Plan, fold: Fold, *, limit: int = LIMIT) -> str:
    """The plan as Markdown of at most `limit` characters (16,384 or more), and exactly what was left out for that.

    Text of hosts and files stands in code, where it is no markup and mentions nobody. `fold` makes host lists.
    """
    seen = outline(plan, fold)
    head = [f"### {_plain(words.summary(seen))}", _plain(f"{words.heading(seen)} · {words.scope(seen)}")]
    tail = f"**{_plain(words.closing(seen))}**"
    page = _Page(limit - _RESERVE - _size([*head, tail]))
    head += page.filled("problem", list(_problems(seen)), int(limit * _HEAD))
    kept = page.filled("kept folder", [_kept(each) for each in seen.kept], int(limit * _NOTES))
    notes = page.filled("note", [_plain(note) for note in plan.notes], int(limit * _NOTES))
    blocks = [*page.sections(seen), *kept, *notes]
    return "\n\n".join([*head, *blocks, *page.left_out(), tail]) + "\n"


@dataclass(slots=True)
class _Page:
    """Room for characters, and what has found none."""

    room: int
    missing: Counter[str] = field(default_factory=Counter)
    shown: dict[tuple[int, int], list[str]] = field(default_factory=dict)

    def filled(self, noun: str, blocks: list[str], share: int) -> list[str]:
        """The first blocks that fit into a share of the room."""
        room = min(share, self.room)
        taken: list[str] = []
        for block in blocks:
            if _size([block]) > room:
                break
            taken.append(block)
            room -= _size([block])
        self.room -= _size(taken)
        self.missing[noun] += len(blocks) - len(taken)
        return taken

    def sections(self, seen: Outline) -> Iterator[str]:
        """Titles first, so that much is at least named; then differences; then more titles if there is room."""
        entries = [((s, i), item) for s, section in enumerate(seen.sections) for i, item in enumerate(section.items)]
        reserved = int(self.room * (1 - _TITLES))
        done = self._titles(seen, entries, 0, reserved)
        self._differences(entries[:done])
        self.missing["difference"] += sum(len(_blocks(item)) for _, item in entries[done:])
        done = self._titles(seen, entries, done, 0)
        self.missing["change"] = len(entries) - done
        for number, section in enumerate(seen.sections):
            blocks = [self.shown[number, i] for i in range(len(section.items)) if (number, i) in self.shown]
            self.missing["bundle"] += not blocks
            yield from ["\n\n".join(each) for each in ([[_section(section)], *blocks] if blocks else [])]

    def _titles(self, seen: Outline, entries: list[tuple[tuple[int, int], Item]], start: int, reserved: int) -> int:
        """Give titles their room; how many entries have one now."""
        for number in range(start, len(entries)):
            key, item = entries[number]
            blocks = [_title(item), *([_section(seen.sections[key[0]])] if key[1] == 0 else [])]
            if self.room - _size(blocks) < reserved:
                return number
            self.room -= _size(blocks)
            self.shown[key] = blocks[:1]
        return len(entries)

    def _differences(self, entries: list[tuple[tuple[int, int], Item]]) -> None:
        """Give differences their room: what most hosts have of each change, then what the next most have."""
        told = [(n, key, item) for key, item in entries for n in range(len(_blocks(item)))]
        for number, key, item in sorted(told, key=lambda each: each[0]):
            block = _blocks(item)[number]() if self.room > _LEAST else ""
            if block and _size([block]) <= self.room:
                self.room -= _size([block])
                self.shown[key].append(block)
            else:
                self.missing["difference"] += 1

    def left_out(self) -> Iterator[str]:
        """What did not fit, in numbers; nothing if all did."""
        counts = (
            (noun, self.missing[noun]) for noun in ("problem", "bundle", "change", "difference", "kept folder", "note")
        )
        missing = [f"{count:,} more {noun}{'s' if count > 1 else ''}" for noun, count in counts if count]
        if missing:
            yield f"**Left out, as a comment has an end:** {', '.join(missing)}. The HTML page of this plan has them."


def _problems(seen: Outline) -> Iterator[str]:
    yield from map(_trouble, seen.troubles)
    for name in seen.plan.undecided:
        yield f"- **secret not decided** · {_code(name)}: it could not be read here; an apply decides"


def _trouble(trouble: Trouble) -> str:
    hint = f" · {_code(trouble.hint)}" if trouble.hint else ""
    return f"- **{_plain(words.trouble_words(trouble))}** · {_hosts(trouble.hosts)}: {_code(trouble.message)}{hint}"


def _kept(folder: Folder) -> str:
    story = f"data of {_code(folder.service)}, {folder.became}; {words.BY_HAND}"
    return f"- **kept** · {_code(folder.path)} on {_hosts(folder.hosts)}: {story}"


def _section(section: Section) -> str:
    places = (f"{word}{words.counted(hosts.count, 'host')} · {_hosts(hosts)}" for word, hosts in words.places(section))
    return " · ".join([f"#### {_code(section.bundle)}", *places])


def _title(item: Item) -> str:
    """One line: what, what it does, what hands did before; and all there is to know where hosts do not differ."""
    parts = [f"{_code(symbol(item))} {_code(title(item.change))}", _plain(effect(item))]
    if len(item.variants) == 1 and not _tells(item.variants[0]):
        parts.append(_facts(item.variants[0], item))
    parts += [f"**{_where(variant, item)}**" for variant in item.variants[:_OPEN] if variant.change.edited]
    return " · ".join(part for part in parts if part)


def _where(variant: Variant, item: Item) -> str:
    return f"{where(variant, item)} {words.counted(variant.hosts.count, 'host')}: {_hosts(variant.hosts)}"


def _facts(variant: Variant, item: Item) -> str:
    return " · ".join(_code(fact) for fact in facts(variant, item))


def _tells(variant: Variant) -> bool:
    """Whether a variant has more to say than fits into the title."""
    return variant.part or variant.difference is not None


def _blocks(item: Item) -> list[Callable[[], str]]:
    """What is told of an item below its title: of each variant that has more to say, and of those beyond the most."""
    told = [partial(_variant, each, item) for each in item.variants[:MOST] if _tells(each)]
    return [*told, *([partial(_others, item)] if any(map(_tells, item.variants[MOST:])) else [])]


def _others(item: Item) -> str:
    return f"{words.more_versions(item)}: {_hosts(item.others)}"


def _variant(variant: Variant, item: Item) -> str:
    blocks = [_where(variant, item)] if where(variant, item) else []
    blocks.append(_facts(variant, item))
    if variant.same_as:
        blocks.append(_plain(f"the same difference as {variant.same_as}"))
    elif variant.difference:
        blocks += _difference(variant.difference)
    return "\n\n".join(block for block in blocks if block)


def _difference(difference: Difference) -> Iterator[str]:
    if difference.note:
        yield _code(difference.note)
    if difference.meaning:
        yield _fenced(difference.meaning, "text", _HUNK)
    if difference.lines:
        hunk = _fenced(difference.lines, "diff", _HUNK)
        folded = bool(difference.meaning) or len(difference.lines) > _OPEN
        number = words.counted(len(difference.lines), "line")
        yield f"<details><summary>{number} of difference</summary>\n\n{hunk}\n\n</details>" if folded else hunk


def _fenced(lines: tuple[str, ...], language: str, limit: int) -> str:
    """Lines behind a fence longer than any in them, and how many more there are."""
    shown = [safe(line if len(line) <= _TEXT else f"{line[:_TEXT]}…") for line in lines[:limit]]
    ticks = "`" * max(3, 1 + _longest_run("\n".join(shown)))
    more = f"\n\n{len(lines) - limit:,} more lines" if len(lines) > limit else ""
    return "\n".join([f"{ticks}{language}", *shown, ticks]) + more


def _hosts(hosts: Hosts) -> str:
    return _code(words.cut(hosts, _HOSTS))


def _code(text: str) -> str:
    """Text as a code span: nothing in it is markup, and it mentions nobody."""
    line = safe(text if len(text) <= _TEXT else f"{text[:_TEXT]}…") or " "
    ticks = "`" * (_longest_run(line) + 1)
    gap = " " if "`" in {line[0], line[-1]} else ""
    return f"{ticks}{gap}{line}{gap}{ticks}"


def _plain(text: str) -> str:
    """Text as Markdown shows it; a zero-width space keeps names, numbers and addresses from becoming links."""
    line = safe(text if len(text) <= 2 * _TEXT else f"{text[: 2 * _TEXT]}…")
    line = re.sub(r"[@#:](?=[\w/])|www(?=\.)", "\\g<0>\u200b", line)
    return re.sub(r"([\\`*_\[\]<>|~$&#!])", r"\\\1", line)


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)


def _size(blocks: Iterable[str]) -> int:
    """Characters of blocks with the blank lines between them; what UTF-16 writes as two counts twice."""
    return sum(len(block) + 2 + sum(character > "\uffff" for character in block) for block in blocks)
