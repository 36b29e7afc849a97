"""Desired and observed -> the changes of one host, and what stands against them. Pure.

Only paths that are desired, or that the host's own record names, are ever in a change. What somebody else put there is
`foreign`; folders, devices and the like are in the way, and nothing replaces them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from aamic.deploy.desired import Desired, Program, Wanted, WantedSecret
from aamic.deploy.impact import Effects
from aamic.deploy.record import RECORD
from aamic.deploy.unitdiff import unit_changes
from aamic.deploy.wire import SECRETS
from aamic.model.host import ABSENT, Entry, Kept, Observation, Release
from aamic.model.plan import Change, ChangeAction, Impact, What
from aamic.model.tree import Stage

_STAGES: Final[dict[Stage | None, int]] = {"exporters": 0, "shards": 1, "central": 2, None: 3}
_OWN: Final = "aamic"
"""Stands where changes of bundles have their names: what is the tool's own."""
_NO_RELEASE: Final = Release("", {}, {}, {})
_IN_THE_WAY: Final = frozenset({"folder", "other"})


@dataclass(frozen=True, slots=True)
class Policy:
    """How hosts are compared: only one bundle where `bundle` is not '', and with which secrets.

    `secrets` maps the key of a reference (see `reference_key`) to the salted digest of its value; a reference that is
    missing there could not be read. Of bundles `held`, what daemons of somebody else read stays as it is.
    """

    adopt: bool = False
    bundle: str = ""
    secrets: Mapping[str, str] = field(default_factory=dict)
    held: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one host needs: changes in order of stage and name.

    `obstacles` are paths where something stands that no apply replaces. `undecided` are secrets whose values are not
    known here. `writes` maps paths to the bytes that will be written there, as far as they are known.
    """

    changes: tuple[Change, ...]
    obstacles: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()
    writes: Mapping[str, int] = field(default_factory=dict)


def reference_key(reference: Mapping[str, Any]) -> str:
    """One text for each reference to a secret."""
    return json.dumps(dict(reference), sort_keys=True)


def diff(desired: Desired, observed: Observation, policy: Policy) -> Outcome:
    """What must change on one host so that it has what is desired."""
    return _Diff(desired, observed, policy).outcome()


class _Diff:
    """Collects the changes of one host."""

    def __init__(self, desired: Desired, observed: Observation, policy: Policy) -> None:
        self.desired, self.observed, self.policy = desired, observed, policy
        self.release = observed.release or _NO_RELEASE
        self.effects = Effects(desired, observed)
        self.changes: list[tuple[Stage | None, Change]] = []
        self.obstacles: list[str] = []
        self.undecided: list[str] = []
        self.writes: dict[str, int] = {}

    def outcome(self) -> Outcome:
        for path, wanted in self.desired.entries.items():
            if self._asked(wanted.bundle) and not self._held(wanted):
                self._entry(path, wanted)
        for path, program in self.desired.programs.items():
            if self._asked(program.bundle):
                self._program(path, program)
        for path, secret in self.desired.secrets.items():
            if self._asked(secret.bundle):
                self._secret(path, secret)
        self._edits()
        self._packages()
        self._removals()
        self._units()
        self._record()
        ordered = sorted(self.changes, key=lambda each: (_STAGES[each[0]], each[1].name, each[1].what))
        return Outcome(
            tuple(change for _, change in ordered), tuple(self.obstacles), tuple(self.undecided), self.writes
        )

    def _asked(self, bundle: str) -> bool:
        return self.policy.bundle in {"", bundle}

    def _held(self, wanted: Wanted) -> bool:
        return wanted.bundle in self.policy.held and wanted.on_change.action == "reconfigure"

    def _add(self, stage: Stage | None, change: Change) -> None:
        self.changes.append((stage, change))

    def _entry(self, path: str, wanted: Wanted) -> None:
        now = self.observed.entries.get(path, ABSENT)
        if same(now, wanted.entry) or self._in_the_way(path, now):
            return
        what: What = "link" if wanted.entry.kind == "link" else "file"
        impacts = self.effects.of(path, wanted.on_change)
        change = self._change(what, path, wanted.bundle, (now, wanted.entry), impacts)
        self._add(wanted.stage, replace(change, foreign=change.foreign and not wanted.stays))
        self.writes[path] = len(wanted.content)

    def _program(self, path: str, program: Program) -> None:
        now = self.observed.entries.get(path, ABSENT)
        kept = self.release.entries.get(path)
        known = kept is not None and same(now, kept.entry)
        if (known and self.release.programs.get(path) == program.origin) or self._in_the_way(path, now):
            return
        after = Entry("file", program.sha256, "0755", "root", "root")
        change = self._change("program", path, program.bundle, (now, after), self.effects.of_program(path))
        self._add(program.stage, replace(change, detail=program.url.rsplit("/", 1)[-1]))

    def _secret(self, path: str, secret: WantedSecret) -> None:
        now = self.observed.entries.get(path, ABSENT)
        found = self.observed.secrets.get(path, "")
        wanted = self.policy.secrets.get(reference_key(secret.reference))
        if self._in_the_way(path, now):
            return
        after = Entry("file", "", "0600", secret.owner, "root")
        if found and wanted is None:
            self.undecided.append(path)
        if found and wanted in {None, found} and same(_hidden(now), after):
            return
        impacts = self.effects.of_secret(secret.bundle)
        self._add(secret.stage, self._change("secret", path, secret.bundle, (_hidden(now), after), impacts))

    def _edits(self) -> None:
        """Files of others that get or lose a line; they stay theirs."""
        for path, edit in self.desired.edits.items():
            if self._asked(edit.bundle):
                detail = ", ".join((*(f"+ {text}" for text in edit.added), *(f"- {text}" for text in edit.removed)))
                impacts = self.effects.of_edit(edit.units)
                self._add(
                    edit.stage, Change("change", "line", path, edit.bundle, edit.before, edit.after, detail, impacts)
                )
                self.writes[path] = len(edit.content)

    def _in_the_way(self, path: str, now: Entry) -> bool:
        if now.kind in _IN_THE_WAY:
            self.obstacles.append(path)
        return now.kind in _IN_THE_WAY

    def _change(
        self, what: What, path: str, bundle: str, states: tuple[Entry, Entry], impacts: tuple[Impact, ...]
    ) -> Change:
        now, after = states
        kept = self.release.entries.get(path)
        there = now.kind != "absent"
        return Change(
            "change" if there else "add", what, path, bundle, now if there else None, after, "", impacts,
            edited=_edited(now, kept), foreign=there and kept is None and not self._was_ours(what),
        )  # fmt: skip

    def _was_ours(self, what: What) -> bool:
        """Without its record a host cannot tell from where a program came, so it is sent again."""
        return self.observed.lost and what == "program"

    def _packages(self) -> None:
        if not self._services_seen():
            return
        for name, (version, bundle) in self.desired.packages.items():
            have = self.observed.packages.get(name)
            if not self._asked(bundle) or (have is not None and version in {None, have}):
                continue
            impacts = self.effects.of_package(name, bundle)
            stage: Stage = next(
                (unit.stage for unit in self.desired.units.values() if unit.bundle == bundle), "exporters"
            )
            action: ChangeAction = "add" if have is None else "change"
            self._add(stage, Change(action, "package", name, bundle, detail=version or "", impacts=impacts))

    def _services_seen(self) -> bool:
        """A folder that stands for a host has no units and no packages, and wants none."""
        return bool(self.observed.units) or not (self.desired.units or self.desired.masked)

    def _removals(self) -> None:
        wanted = self.desired.entries.keys() | self.desired.programs.keys() | self.desired.secrets.keys()
        for path, kept in self.release.entries.items():
            now = self.observed.entries.get(path, ABSENT)
            # Where nothing stands, or a folder of somebody's, there is nothing of ours to remove.
            if path in wanted or now.kind in {"absent", *_IN_THE_WAY} or not self._asked(kept.bundle):
                continue
            what = self._what_was(path, now)
            self._add(
                None,
                Change(
                    "remove", what, path, kept.bundle, _hidden(now) if what == "secret" else now,
                    impacts=self.effects.of_removal(path), edited=_edited(now, kept),
                ),
            )  # fmt: skip

    def _what_was(self, path: str, now: Entry) -> What:
        if path.startswith(SECRETS):
            return "secret"
        if path in self.release.programs:
            return "program"
        return "link" if now.kind == "link" else "file"

    def _record(self) -> None:
        """A lost record is written anew, though nothing else may have to change."""
        if self.observed.lost:
            self._add("exporters", Change("change", "record", RECORD, _OWN, detail="it is lost, and written anew"))
        elif self.observed.release and self.desired.kept is not None and not self.changes:
            self._lines_alone()

    def _lines_alone(self) -> None:
        """A line that somebody else put or took is noted, so that it goes with the file that it names."""
        known = {each for each in self.release.lines if self._asked(each.bundle)}
        if known != {each for each in self.desired.kept or () if self._asked(each.bundle)}:
            detail = "it says which lines files of others hold"
            self._add("exporters", Change("change", "record", RECORD, _OWN, detail=detail))

    def _units(self) -> None:
        done = {impact for _, change in self.changes for impact in change.impacts}
        for stage, change in unit_changes(self.desired, self.observed, done):
            if self._asked(change.bundle):
                self._add(stage, change)


def same(now: Entry, wanted: Entry) -> bool:
    """Whether what stands there is what is wanted; attributes that a host cannot tell, as in a folder, do not count."""
    if now.kind != wanted.kind or now.content != wanted.content:
        return False
    pairs = ((now.mode, wanted.mode), (now.owner, wanted.owner), (now.group, wanted.group))
    return now.kind == "link" or all(have in {"", want} for have, want in pairs)


def _edited(now: Entry, kept: Kept | None) -> bool:
    """Whether what stands there is not what the host's own release put there."""
    if kept is None:
        return False
    if now.kind == kept.entry.kind == "file" and not now.content:
        kept = Kept(_hidden(kept.entry), kept.bundle)
    return not same(now, kept.entry)


def _hidden(entry: Entry) -> Entry:
    return replace(entry, content="")
