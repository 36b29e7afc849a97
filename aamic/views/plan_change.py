"""One change in words: what it is, what it does to services, and what is to be known beside the lines that differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from aamic.model.host import Entry
from aamic.model.plan import Change, ChangeAction, Effect, Impact
from aamic.views.plan_outline import Item, Variant

SYMBOLS: Final[Mapping[ChangeAction, str]] = {"add": "+", "change": "~", "remove": "-"}
_NO_UNIT: Final[Mapping[Effect, str]] = {
    "daemon-reload": "systemd reads its units again",
    "sysusers": "users are made",
    "tmpfiles": "folders are made",
}
_SLURMCTLD: Final = "slurmctld.service"


def symbol(item: Item) -> str:
    """`+`, `~` or `-`; `!` where nothing is done."""
    return "!" if item.held else SYMBOLS[item.change.action]


def title(change: Change) -> str:
    """What changes: a path, or the kind of thing and its name."""
    if change.what == "line":
        return f"line of {change.name}"
    prefix = "" if change.what in {"file", "unit"} else f"{change.what} "
    version = f" {change.detail}" if change.what == "package" and change.detail else ""
    return f"{prefix}{change.name}{version}"


def effect(item: Item) -> str:
    """What the change does to services."""
    if item.conflict:
        return "not put there by aamic: left alone"
    if item.held:
        return "held back: blocked"
    impacts = dict.fromkeys(impact for variant in item.variants for impact in variant.change.impacts)
    words = [_impact(impact, item.change) for impact in impacts]
    return ", ".join(words) or ("" if item.change.what == "unit" else "nothing restarts")


def _impact(impact: Impact, change: Change) -> str:
    if not impact.unit or (change.what == "unit" and impact.unit == change.name):
        return _NO_UNIT.get(impact.effect, impact.effect)
    if impact.effect == "reconfigure":
        return rereads(impact.unit)
    return f"{impact.effect} {unit_name(impact.unit)}"


def rereads(unit: str) -> str:
    """How a daemon of Slurm is told to read its configuration again."""
    return "scontrol reconfigure" if unit == _SLURMCTLD else f"{unit_name(unit)} reads its configuration again"


def unit_name(unit: str) -> str:
    """A unit as people call it, without `.service`."""
    return unit.removesuffix(".service")


def where(variant: Variant, item: Item) -> str:
    """What to say before the hosts of a variant; '' if they are all hosts that the bundle's heading names."""
    if variant.change.edited:
        return "edited by hand, and held back, on" if variant.held else "edited by hand on"
    if variant.held and not item.held:
        return "held back on"
    return "on" if variant.part or len(item.variants) > 1 else ""


def facts(variant: Variant, item: Item) -> tuple[str, ...]:
    """What is to be known of a change beside the lines that differ."""
    change = variant.change
    taken = ("taken over: aamic did not put it there",) if change.foreign and not item.conflict else ()
    return (*taken, *_FACTS[change.what](change), *_unexplained(variant))


def _unexplained(variant: Variant) -> Iterator[str]:
    change = variant.change
    entries = (change.before, change.after)
    contents = {entry.content for entry in entries if entry}
    if change.what in {"file", "line"} and variant.difference is None and all(entries) and len(contents) > 1:
        yield "its content differs"


def _entry_facts(change: Change) -> Iterator[str]:
    if change.detail:
        yield change.detail
    before, after = change.before, change.after
    if before and after and "absent" not in (before.kind, after.kind):
        if before.kind != after.kind:
            yield f"{before.kind} → {after.kind}"
        yield from _rights(before, after)
    elif after and after.mode and (after.mode, after.owner, after.group) != ("0644", "root", "root"):
        yield f"mode {after.mode}, {_owner(after)}"


def _rights(before: Entry, after: Entry) -> Iterator[str]:
    """What changes of mode and owner; where one is not known, as in a folder that stands for a host, nothing."""
    if before.mode and after.mode and before.mode != after.mode:
        yield f"mode {before.mode} → {after.mode}"
    if before.owner and after.owner and (before.owner, before.group) != (after.owner, after.group):
        yield f"owner {_owner(before)} → {_owner(after)}"


def _owner(entry: Entry) -> str:
    return f"{entry.owner}:{entry.group}" if entry.group else entry.owner


def _line_facts(change: Change) -> Iterator[str]:
    yield f"{change.detail}: a file of somebody else, of which nothing else changes"


def _link_facts(change: Change) -> Iterator[str]:
    ends = [entry.content for entry in (change.before, change.after) if entry and entry.kind == "link"]
    yield from ([" → ".join(f"to {end}" for end in ends)] if ends else [])
    yield from _entry_facts(change)


def _program_facts(change: Change) -> Iterator[str]:
    # The content after a change is that of the tarball, and the one before it that of the program: no two to compare.
    if change.after and change.after.content:
        yield f"sha256 {change.after.content[:12]}"
    yield from _entry_facts(change)


def _secret_facts(change: Change) -> Iterator[str]:
    if change.action == "change":
        yield "changed"
    yield from _entry_facts(change)


def _unit_facts(change: Change) -> Iterator[str]:
    effects = [impact.effect for impact in change.impacts if impact.unit == change.name]
    if change.detail:
        yield " → ".join([change.detail, *effects])


def _package_facts(_: Change) -> Iterator[str]:
    yield from ()


_FACTS: Final = {
    "file": _entry_facts,
    "line": _line_facts,
    "link": _link_facts,
    "program": _program_facts,
    "secret": _secret_facts,
    "package": _package_facts,
    "unit": _unit_facts,
    "record": _entry_facts,
}
