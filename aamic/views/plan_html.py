"""A plan as one page for a reviewer: no file beside it, no program in it, nothing fetched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from aamic.model.plan import Difference, Plan
from aamic.views import plan_words as words
from aamic.views.markup import element, prose, shown, text
from aamic.views.plan_census import Fold, Hosts
from aamic.views.plan_change import effect, facts, symbol, title, where
from aamic.views.plan_outline import Folder, Item, Outline, Section, Trouble, Variant, outline
from aamic.views.plan_style import STYLE
from aamic.views.wholepage import whole

_OPEN: Final = 30
"""Lines of a difference that stand open; longer ones are folded."""
_CLAMPED: Final = 160
"""Characters of a host list from which on it is folded, to its first `_SHORT`."""
_SHORT: Final = 60
_VARIANTS: Final = 5
"""Differences of one file that stand open; more are folded."""
_CLASSES: Final = {"+": "add", "-": "del", "@": "at"}
_MARKS: Final = {"+": "add", "~": "mod", "-": "del", "!": "bad"}


def html(plan: Plan, fold: Fold) -> str:
    """The whole page; every text that comes from a site or a host is escaped. `fold` makes host lists."""
    seen = outline(plan, fold)
    body = [_head(seen), _troubles(seen), _effects(seen), *map(_section, seen.sections), _kept(seen), _foot(seen)]
    return whole(f"{plan.cluster}: {words.summary(seen)}", STYLE, "\n".join(part for part in body if part))


def _head(seen: Outline) -> str:
    details = f"{words.heading(seen)} · {words.scope(seen)}"
    changes, rest = words.summary_parts(seen)
    summary = shown(changes) + (element("span", f"<i>; </i>{shown(rest)}") if rest else "")
    return element("header", element("h1", summary) + text("p", details) + text("p", words.closing(seen)))


def _hosts(hosts: Hosts, before: str = "") -> str:
    """How many, and which, after some HTML; a long list opens at a click."""
    number = f"{before}{text('b', words.counted(hosts.count, 'host'))}"
    if len(hosts.folded) <= _CLAMPED:
        return element("div", f"{number} {text('code', hosts.folded)}", "hosts")
    short = text("code", words.cut(hosts, _SHORT))
    return f'<details class="hosts"><summary>{number} {short}</summary>{text("code", hosts.folded)}</details>'


def _troubles(seen: Outline) -> str:
    cards = [*map(_trouble, seen.troubles), *_undecided(seen)]
    return element("section", element("h2", "Problems") + "".join(cards), "problems") if cards else ""


def _trouble(trouble: Trouble) -> str:
    name = "conflict" if trouble.kind == "conflict" else words.kind_words(trouble.kind)
    hint = element("p", prose(trouble.hint), "hint") if trouble.hint else ""
    return element(
        "article",
        f"<header>{text('h3', name)}{_hosts(trouble.hosts)}</header>{element('p', prose(trouble.message))}{hint}",
    )


def _undecided(seen: Outline) -> Iterator[str]:
    if seen.plan.undecided:
        why = "These could not be read where the plan was made; an apply decides whether they change."
        names = "".join(element("li", text("code", name)) for name in seen.plan.undecided)
        yield element("article", f"{element('h3', 'secrets not decided')}<p>{why}</p>{element('ul', names)}")


def _effects(seen: Outline) -> str:
    """What stops, starts, restarts and reloads, and where."""
    rows = "".join(
        element("li", f"{text('span', each.effect, 'effect')} {text('code', each.unit)}{_hosts(each.hosts)}")
        for each in seen.effects
    )
    return (
        element("section", element("h2", "What happens to services") + element("ul", rows, "effects")) if rows else ""
    )


def _section(section: Section) -> str:
    hosts = "".join(_hosts(hosts, word) for word, hosts in words.places(section))
    head = element("header", f"{text('h2', section.bundle)}{hosts}")
    return element("section", head + "".join(map(_item, section.items)), "bundle")


def _item(item: Item) -> str:
    mark = symbol(item)
    name = f"{text('span', mark, f'mark {_MARKS[mark]}')} {text('code', title(item.change), 'name')}"
    head = element("h3", f"{name} {text('span', effect(item), 'effect')}")
    variants = [_variant(variant, item) for variant in item.variants]
    return element("article", head + "".join(variants[:_VARIANTS]) + _others(variants[_VARIANTS:]))


def _others(variants: list[str]) -> str:
    if not variants:
        return ""
    number = words.counted(len(variants), "more difference")
    return f"<details><summary>{number}</summary>{''.join(variants)}</details>"


def _variant(variant: Variant, item: Item) -> str:
    place = where(variant, item)
    kind = "edited" if variant.change.edited else "where"
    hosts = _hosts(variant.hosts, f"{text('span', place, kind)} ") if place else ""
    return hosts + "".join(_told(variant, item))


def _told(variant: Variant, item: Item) -> Iterator[str]:
    if told := facts(variant, item):
        yield element("ul", "".join(text("li", fact) for fact in told), "facts")
    if variant.same_as:
        yield text("p", f"the same difference as {variant.same_as}", "note")
    elif variant.difference is not None:
        yield from _difference(variant.difference)


def _difference(difference: Difference) -> Iterator[str]:
    if difference.note:
        yield text("p", difference.note, "note")
    if difference.meaning:
        yield element("ul", "".join(element("li", prose(line)) for line in difference.meaning), "meaning")
    if difference.lines:
        hunk = element("pre", "".join(_lines(difference.lines)))
        opened = "" if difference.meaning or len(difference.lines) > _OPEN else " open"
        yield f"<details{opened}><summary>{_size(difference.lines)}</summary>{hunk}</details>"


def _size(lines: tuple[str, ...]) -> str:
    """How many lines come and go."""
    counts = {kind: sum(line[:1] == mark for line in lines) for mark, kind in (("+", "add"), ("-", "del"))}
    signs = {"add": "+", "del": "-"}
    noun = "line" if sum(counts.values()) == 1 else "lines"
    return " ".join([*(text("span", f"{signs[kind]}{n:,}", kind) for kind, n in counts.items() if n), noun])


def _lines(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        kind = _CLASSES.get(line[:1])
        yield text("span", line, kind) if kind else text("span", line or " ")


def _kept(seen: Outline) -> str:
    rows = "".join(map(_folder, seen.kept))
    return element("section", element("h2", "Data that stays") + rows, "kept") if rows else ""


def _folder(kept: Folder) -> str:
    head = element("header", f"{text('h3', kept.path)}{_hosts(kept.hosts)}")
    story = f"data of {text('code', kept.service)}, {shown(kept.became)}; {words.BY_HAND}"
    return element("article", head + element("p", story))


def _foot(seen: Outline) -> str:
    notes = "".join(text("p", note) for note in seen.plan.notes)
    digest = text("p", f"commit {seen.plan.revision or 'none'} · files {seen.plan.tree}")
    return element("footer", notes + digest)
