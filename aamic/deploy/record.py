"""The record that a host keeps of what aamic put there: what it will be once a change is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from aamic.deploy.desired import Desired
from aamic.model.host import Entry, Kept, KeptLine, Release

RECORD: Final = "/var/lib/aamic/manifest"
"""Where a host keeps it."""
PROGRAM_MODE: Final = "0755"
SECRET_MODE: Final = "0600"  # noqa: S105  # a file mode
_NONE: Final = Release("", {}, {}, {})


def new_record(name: str, desired: Desired, programs: Mapping[str, str], old: Release | None, bundle: str) -> Release:
    """The record of a host that then has what is desired; with `bundle`, those of all others stay as they were.

    `programs` maps paths of programs that are sent to their digests; of others the old record knows it. A secret's
    digest is nobody's business, so it is left empty.
    """
    old = old or _NONE
    whole = Release(
        name,
        _entries(desired) | _secrets(desired) | _programs(desired, programs, old),
        {path: program.origin for path, program in desired.programs.items()},
        {unit: wanted.bundle for unit, wanted in desired.units.items()},
        _lines(desired, old),
    )
    return _merged(whole, old, lambda name: name == bundle) if bundle else whole


def _lines(desired: Desired, old: Release) -> tuple[KeptLine, ...]:
    return old.lines if desired.kept is None else desired.kept


def _entries(desired: Desired) -> dict[str, Kept]:
    """What stays for good is not recorded, so that nothing ever removes it."""
    return {path: Kept(wanted.entry, wanted.bundle) for path, wanted in desired.entries.items() if not wanted.stays}


def _secrets(desired: Desired) -> dict[str, Kept]:
    return {
        path: Kept(Entry("file", "", SECRET_MODE, secret.owner, "root"), secret.bundle)
        for path, secret in desired.secrets.items()
    }


def _programs(desired: Desired, sent: Mapping[str, str], old: Release) -> dict[str, Kept]:
    kept = {}
    for path, program in desired.programs.items():
        digest = sent.get(path) or (old.entries[path].entry.content if path in old.entries else "")
        if digest:
            kept[path] = Kept(Entry("file", digest, PROGRAM_MODE, "root", "root"), program.bundle)
    return kept


def _merged(new: Release, old: Release, chosen: Callable[[str], bool]) -> Release:
    """The parts of the chosen bundles from the new record, all others from the old one."""
    others = {path: kept for path, kept in old.entries.items() if not chosen(kept.bundle)}
    ours = {path: kept for path, kept in new.entries.items() if chosen(kept.bundle)}
    entries = others | ours
    programs = {path: digest for path, digest in old.programs.items() if path in others}
    return Release(
        new.name,
        entries,
        programs | {path: digest for path, digest in new.programs.items() if path in ours},
        {unit: name for unit, name in old.units.items() if not chosen(name)}
        | {unit: name for unit, name in new.units.items() if chosen(name)},
        tuple(
            sorted(
                {each for each in old.lines if not chosen(each.bundle)}
                | {each for each in new.lines if chosen(each.bundle)}
            )
        ),
    )
