"""What a plan says as a whole: its summary, its troubles, and what an apply would do."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Final

from aamic.model.plan import ChangeAction, Effect
from aamic.views.plan_census import Hosts
from aamic.views.plan_change import SYMBOLS, rereads, unit_name
from aamic.views.plan_outline import MOST, Item, Outline, Section, Trouble, UnitEffect

_KINDS: Final = {
    "unreachable": "unreachable",
    "unknown-key": "with an unknown host key",
    "wrong-key": "with a wrong host key",
    "refused": "refused the login",
    "no-right": "without sudo rights",
    "timeout": "too slow",
    "lost": "lost",
    "broken": "with an answer that makes no sense",
    "blocked": "blocked",
}
_DONE: Final[Mapping[ChangeAction, tuple[str, str]]] = {
    "add": ("is added", "are added"),
    "change": ("changes", "change"),
    "remove": ("is removed", "are removed"),
}
_NAMED: Final = 3
"""More sizes or units than this are told as a sum."""


def counted(count: int, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "host"), counted(2000, "host")
    ('1 host', '2,000 hosts')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def summary(outline: Outline) -> str:
    """The first line of every view: what changes where, and on how many hosts nothing is known or done."""
    return "; ".join(part for part in summary_parts(outline) if part)


def summary_parts(outline: Outline) -> tuple[str, str]:
    """The summary in two: what changes, and what else there is to know, '' if nothing."""
    return _changes(outline), ", ".join(_unsettled(outline))


def _changes(outline: Outline) -> str:
    plan = outline.plan
    counts = [f"{count:,} to {action}" for action in SYMBOLS if (count := outline.count(action))]
    if counts:
        return f"{', '.join(counts)} on {outline.changed.count:,} of {counted(plan.hosts, 'host')}"
    unknown = {each.host for each in plan.unobserved}
    known = plan.hosts - len(unknown.union(each.host for each in plan.blocked))
    if len(unknown) == plan.hosts > 0:
        return f"nothing is known of {counted(plan.hosts, 'host')}"
    if known <= 0 < plan.hosts:
        return f"nothing can change on {counted(plan.hosts, 'host')}"
    return f"no changes on {f'{known:,} of ' if known < plan.hosts else ''}{counted(plan.hosts, 'host')}"


def _unsettled(outline: Outline) -> Iterator[str]:
    kinds: Counter[str] = Counter()
    for trouble in outline.troubles:
        kinds[trouble.kind] += trouble.hosts.count
    yield from (f"{count:,} {kind_words(kind)}" for kind, count in kinds.items() if kind != "conflict")
    if conflicts := sum(item.conflict for item in outline.items()):
        yield counted(conflicts, "conflict")
    if outline.plan.undecided:
        yield f"{counted(len(outline.plan.undecided), 'secret')} not decided"
    if outline.plan.held:
        yield f"{counted(len(outline.plan.held), 'bundle')} held back"
    if outline.offline:
        yield "no host was looked at"


def kind_words(kind: str) -> str:
    """What hosts in this difficulty are called, after their number."""
    return _KINDS.get(kind, kind)


def heading(outline: Outline) -> str:
    """Whose plan this is: the cluster, and the state of the site."""
    plan = outline.plan
    commit = f" at {plan.revision[:7]}" if plan.revision else ""
    return f"Plan for {plan.cluster}{commit}{' + uncommitted changes' if plan.dirty else ''}"


def scope(outline: Outline) -> str:
    """How much the plan knows: what was observed, and what it is limited to."""
    plan = outline.plan
    seen = plan.hosts - len({each.host for each in plan.unobserved})
    observed = "no host was looked at" if outline.offline else f"{seen:,} of {counted(plan.hosts, 'host')} observed"
    limit = f" · limited to {plan.limit}" if plan.limit else ""
    adopt = " · takes over what aamic did not put there" if plan.adopt else ""
    return f"{observed}{limit}{adopt}"


def cut(hosts: Hosts, limit: int) -> str:
    """The host list, cut behind a comma where it is longer than `limit`."""
    if len(hosts.folded) <= limit:
        return hosts.folded
    return f"{hosts.folded[: hosts.folded.rfind(',', 0, limit) + 1 or limit]}…"


def more_versions(item: Item) -> str:
    """How many variants are not told one by one, and on how many hosts: `983 more versions on 983 hosts`."""
    return f"{counted(len(item.variants) - MOST, 'more version')} on {counted(item.others.count, 'host')}"


BY_HAND: Final = "remove it by hand when its history is no longer needed"
"""What is to be done with a data folder that stays."""


def places(section: Section) -> list[tuple[str, Hosts]]:
    """The hosts of a bundle, with what to say before them."""
    return [(word, hosts) for word, hosts in (("", section.hosts), ("held back on ", section.held)) if hosts.count]


def trouble_words(trouble: Trouble) -> str:
    """The head of a trouble: how many hosts, and what is wrong with them."""
    if trouble.kind == "conflict":
        return f"conflict on {counted(trouble.hosts.count, 'host')}"
    return f"{counted(trouble.hosts.count, 'host')} {kind_words(trouble.kind)}"


def closing(outline: Outline) -> str:
    """What an apply would do, in one sentence."""
    secrets = counted(len(outline.plan.undecided), "secret")
    may = [f"{secrets} may change"] if outline.plan.undecided else []
    if not any(outline.count(action) for action in SYMBOLS):
        unknown = counted(len({each.host for each in outline.plan.unobserved}), "host")
        known = [f"nothing is known of {unknown}"] if outline.plan.unobserved else []
        return "; ".join([*(may or ["an apply would do nothing"]), *known])
    things = [words for action in SYMBOLS if (words := _things(outline, action))]
    none = [_DONE[action][0].removeprefix("is ") for action in ("add", "remove") if not outline.count(action)]
    nothing = [f"nothing is {' or '.join(none)}"] if none else []
    return "; ".join([*things, *nothing, *may, *_outcome(outline.effects)])


def _things(outline: Outline, action: ChangeAction) -> str:
    """All of one action, such as `2 files change on 512 hosts each and 1 on 1 host, 1 secret changes on 3 hosts`."""
    found: defaultdict[str, list[Hosts]] = defaultdict(list)
    for item in outline.items():
        if item.change.action == action and not item.held:
            found[item.change.what].append(item.hosts)
    return ", ".join(_kind(what, hosts, action) for what, hosts in found.items())


def _kind(what: str, hosts: list[Hosts], action: ChangeAction) -> str:
    sizes = Counter(each.count for each in hosts)
    if len(sizes) > _NAMED:
        return (
            f"{counted(len(hosts), what)} {_DONE[action][1]}, each on {min(sizes):,} to {counted(max(sizes), 'host')}"
        )
    (most, things), *others = sorted(sizes.items(), reverse=True)
    first = f"{counted(things, what)} {_DONE[action][things > 1]} on {counted(most, 'host')}{_each(things, most)}"
    rest = [f"{number:,} on {counted(size, 'host')}{_each(number, size)}" for size, number in others]
    return " and ".join([first, *rest])


def _each(things: int, hosts: int) -> str:
    return " each" if things > 1 and hosts > 1 else ""


def _outcome(effects: tuple[UnitEffect, ...]) -> Iterator[str]:
    by_effect: defaultdict[Effect, list[UnitEffect]] = defaultdict(list)
    for each in effects:
        by_effect[each.effect].append(each)
    for each in by_effect.pop("reconfigure", ()):
        yield f"{rereads(each.unit)} on {counted(each.hosts.count, 'host')}"
    for name, units in by_effect.items():
        total = sum(unit.hosts.count for unit in units)
        if len(units) > _NAMED:
            yield f"{counted(total, name)} of {len(units):,} units"
        else:
            first, *others = (f"of {unit_name(unit.unit)}" for unit in units)
            rest = [f"{unit.hosts.count:,} {of}" for unit, of in zip(units[1:], others, strict=True)]
            yield " and ".join([f"{counted(units[0].hosts.count, name)} {first}", *rest])
    if not effects:
        yield "no service is stopped, started, restarted or reloaded"
