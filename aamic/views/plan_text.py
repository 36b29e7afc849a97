"""A plan for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from aamic.model.plan import Difference, Plan
from aamic.views import plan_words as words
from aamic.views.plan_census import Fold
from aamic.views.plan_change import effect, facts, symbol, title, where
from aamic.views.plan_outline import MOST, Item, Outline, Section, Trouble, Variant, outline
from aamic.views.terminal import safe, wrapped

_HUNK: Final = 40
"""Lines of one difference that are shown."""
_WHOLE: Final = 10
"""Lines that are shown of a file that comes or goes as a whole."""
_HOSTS: Final = 240
"""Characters of one host list that are shown."""
_EFFECT_COLUMN: Final = 46

_BOLD: Final = "1"
_DIM: Final = "2"
_MARKS: Final = {"+": "32", "~": "33", "-": "31", "!": "1;31"}
_LINES: Final = {"+": "32", "-": "31", "@": "36"}


@dataclass(frozen=True, slots=True)
class _Line:
    """A line before it is wrapped; `mark` begins it and has a colour of its own."""

    text: str
    indent: int = 0
    style: str = ""
    mark: str = ""


def text(plan: Plan, fold: Fold, *, width: int = 100, colour: bool = False, raw: bool = False) -> str:
    """The plan in lines of at most `width` cells, the summary first and what an apply would do last.

    Changes of YAML and JSON are told by their meaning; `raw` adds the lines of the file. `fold` makes host lists. Long
    differences and host lists are cut, and say how much is missing.
    """
    seen = outline(plan, fold)
    blocks = [_head(seen), *map(_trouble, seen.troubles), _undecided(seen)]
    blocks += (_section(section, raw=raw) for section in seen.sections)
    blocks += [_kept(seen), _notes(seen), iter([_Line(words.closing(seen), style=_BOLD)])]
    printed = ("\n".join(_printed(block, width, colour=colour)) for block in blocks)
    return "\n\n".join(block for block in printed if block) + "\n"


def _printed(lines: Iterable[_Line], width: int, *, colour: bool) -> Iterator[str]:
    for line in lines:
        lead = " " * line.indent + (f"{line.mark} " if line.mark else "")
        after = " " * (len(lead) + (0 if line.mark else 2))
        for number, piece in enumerate(wrapped(safe(line.text), width, lead, after)):
            yield _coloured(piece, line, first=number == 0) if colour else piece


def _coloured(piece: str, line: _Line, *, first: bool) -> str:
    if line.mark and first:
        head = len(line.mark) + line.indent
        return f"\033[{_MARKS[line.mark]}m{piece[:head]}\033[0m{piece[head:]}"
    return f"\033[{line.style}m{piece}\033[0m" if line.style and piece else piece


def _head(seen: Outline) -> Iterator[_Line]:
    yield _Line(words.summary(seen), style=_BOLD)
    yield _Line(f"{words.heading(seen)} · {words.scope(seen)}", style=_DIM)


def _trouble(trouble: Trouble) -> Iterator[_Line]:
    yield _Line(f"{words.trouble_words(trouble)} · {words.cut(trouble.hosts, _HOSTS)}", style="31")
    yield _Line(trouble.message, indent=2)
    if trouble.hint:
        yield _Line(f"hint: {trouble.hint}", indent=2, style="36")


def _undecided(seen: Outline) -> Iterator[_Line]:
    if seen.plan.undecided:
        yield _Line("secrets that could not be read here; an apply decides whether they change", style="33")
        yield from (_Line(name, indent=2) for name in seen.plan.undecided)


def _section(section: Section, *, raw: bool) -> Iterator[_Line]:
    for number, (word, hosts) in enumerate(words.places(section)):
        told = f"{word}{words.counted(hosts.count, 'host')} · {words.cut(hosts, _HOSTS)}"
        yield _Line(told, indent=2, style="33") if number else _Line(f"{section.bundle} · {told}", style=_BOLD)
    for item in section.items:
        yield from _title(item)
        for variant in item.variants[:MOST]:
            yield from _variant(variant, item, raw=raw)
        yield from _others(item)


def _others(item: Item) -> Iterator[_Line]:
    if item.others.count:
        told = f"… {words.more_versions(item)}: {words.cut(item.others, _HOSTS)}"
        yield _Line(told, indent=4, style=_DIM)


def _title(item: Item) -> Iterator[_Line]:
    name, does, mark = title(item.change), effect(item), symbol(item)
    if len(name) <= _EFFECT_COLUMN:
        yield _Line(f"{name:<{_EFFECT_COLUMN}}  {does}".rstrip(), indent=2, mark=mark)
    else:
        yield _Line(name, indent=2, mark=mark)
        yield _Line(does, indent=_EFFECT_COLUMN + 6)


def _variant(variant: Variant, item: Item, *, raw: bool) -> Iterator[_Line]:
    if place := where(variant, item):
        hosts = f"{words.counted(variant.hosts.count, 'host')}: {words.cut(variant.hosts, _HOSTS)}"
        yield _Line(f"{place} {hosts}", indent=4, style="33" if variant.change.edited else _DIM)
    if told := ", ".join(facts(variant, item)):
        yield _Line(told, indent=6)
    if variant.same_as:
        yield _Line(f"the same difference as {variant.same_as}", indent=6, style=_DIM)
    elif variant.difference is not None:
        limit = _HUNK if variant.change.action == "change" else _WHOLE
        yield from _difference(variant.difference, limit, raw=raw)


def _difference(difference: Difference, limit: int, *, raw: bool) -> Iterator[_Line]:
    if difference.note:
        yield _Line(difference.note, indent=6, style=_DIM)
    yield from _shortened(difference.meaning, "change", limit)
    if raw or not difference.meaning:
        yield from _shortened(difference.lines, "line", limit)


def _shortened(lines: tuple[str, ...], noun: str, limit: int) -> Iterator[_Line]:
    shown = lines if len(lines) <= limit + 1 else lines[:limit]
    yield from (_Line(line, indent=6, style=_LINES.get(line[:1], "") if noun == "line" else "") for line in shown)
    if len(shown) < len(lines):
        missing = len(lines) - len(shown)
        yield _Line(f"… {missing:,} more {noun}{'' if missing == 1 else 's'}", indent=6, style=_DIM)


def _kept(seen: Outline) -> Iterator[_Line]:
    for each in seen.kept:
        place = f"{each.path} on {words.cut(each.hosts, _HOSTS)}"
        yield _Line(f"kept: {place}, data of {each.service}, {each.became}; {words.BY_HAND}", style="33")


def _notes(seen: Outline) -> Iterator[_Line]:
    yield from (_Line(note, style=_DIM) for note in seen.plan.notes)
