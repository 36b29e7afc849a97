"""Which hosts of a plan may be changed, and what is already known of the others. Pure.

A saved plan is held against one that was made this moment, in the same way: only where both rest on the same
observation, and want the same, is the host changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from aamic.compile.hostlist import fold
from aamic.errors import InputError, Problem
from aamic.model.plan import Change, Plan
from aamic.model.report import HostReport

_SHOWN = 3
_PLAN_AGAIN = "make a new plan"


@dataclass(frozen=True, slots=True)
class Admission:
    """`changes` has those of each host that may be changed; `settled` reports of the others; `notes` are told."""

    changes: Mapping[str, tuple[Change, ...]]
    settled: tuple[HostReport, ...]
    notes: tuple[str, ...] = ()


def admit(fresh: Plan, saved: Plan | None = None) -> Admission:
    """Sort the hosts of a plan.

    Raises:
        InputError: The saved plan is for another tree or cluster, or was made offline.
    """
    if saved is None:
        return _fresh(fresh)
    check_same(fresh, saved)
    return _saved(fresh, saved)


def _changes(plan: Plan) -> dict[str, tuple[Change, ...]]:
    return {host: group.changes for group in plan.groups for host in group.hosts}


def _obstacles(plan: Plan) -> dict[str, HostReport]:
    """Hosts that cannot be changed now, with what that means for each."""
    unseen = [HostReport(each.host, "not reached", told(each.message, each.hint)) for each in plan.unobserved]
    held = [HostReport(each.host, "refused", told(each.message, each.hint)) for each in plan.blocked]
    return {report.host: report for report in (*unseen, *held)}


def told(message: str, hint: str | None) -> str:
    """What is told of a host, with what may help."""
    return f"{message} ({hint})" if hint else message


def _fresh(plan: Plan) -> Admission:
    obstacles = _obstacles(plan)
    return Admission(
        {host: changes for host, changes in _changes(plan).items() if host not in obstacles}, tuple(obstacles.values())
    )


def check_same(fresh: Plan, saved: Plan) -> None:
    """Return if the saved plan is for this cluster and these files.

    Raises:
        InputError: It is not, or hosts were not looked at for it.
    """
    if not saved.digests and not saved.unobserved and saved.hosts:
        message = "the plan was made with `--offline`: no host was looked at"
        raise InputError([Problem(message, hint="make it with `aamic plan --out`, without `--offline`")])
    if fresh.cluster != saved.cluster:
        message = f"the plan is for cluster `{saved.cluster}`, and this site is `{fresh.cluster}`"
    elif fresh.tree != saved.tree:
        message = "the plan was made from other files than this site compiles to"
    else:
        return
    raise InputError([Problem(message, hint=f"check out the commit that was planned{_at(saved)}, or {_PLAN_AGAIN}")])


def _at(plan: Plan) -> str:
    return f" ({plan.revision[:12]}{', with changes of its own' if plan.dirty else ''})" if plan.revision else ""


def _saved(fresh: Plan, saved: Plan) -> Admission:
    judge = _Judge(fresh, saved)
    hosts = dict.fromkeys((*judge.planned, *_obstacles(saved), *judge.left_undecided()))
    verdicts = {host: judge.report(host) for host in hosts}
    return Admission(
        {host: judge.now[host] for host, report in verdicts.items() if report is None},
        tuple(report for report in verdicts.values() if report is not None),
        (*_revision_note(fresh, saved), *_beyond_note(fresh, hosts)),
    )


def _revision_note(fresh: Plan, saved: Plan) -> tuple[str, ...]:
    if fresh.revision == saved.revision:
        return ()
    return (f"the plan was made at {saved.revision[:12] or 'no commit'}; the files are the same",)


def _beyond_note(fresh: Plan, hosts: Iterable[str]) -> tuple[str, ...]:
    beyond = set(_changes(fresh)).difference(hosts)
    return (f"not in the plan, and left alone although they differ: {fold(beyond)}",) if beyond else ()


class _Judge:
    """Holds the hosts of a saved plan against the fresh one."""

    def __init__(self, fresh: Plan, saved: Plan) -> None:
        self.fresh, self.saved = fresh, saved
        self.now, self.planned = _changes(fresh), _changes(saved)
        self._obstacles, self._earlier = _obstacles(fresh), _obstacles(saved)
        self._known: dict[tuple[int, int], list[Change]] = {}

    def report(self, host: str) -> HostReport | None:
        """What is known of a host; None where it may be changed."""
        if host in self._obstacles:
            return self._obstacles[host]
        if host not in self.fresh.digests:
            return HostReport(host, "refused", f"this site no longer has it ({_PLAN_AGAIN})")
        if host not in self.now:
            return HostReport(host, "already")
        if host in self._earlier:
            earlier = self._earlier[host].message
            return HostReport(host, "refused", f"it could not be planned for: {earlier} ({_PLAN_AGAIN})")
        beyond = self._beyond(host)
        if beyond or self.fresh.digests[host] != self.saved.digests.get(host):
            return HostReport(host, "refused", self._moved(host, beyond))
        return None

    def left_undecided(self) -> Iterator[str]:
        """Hosts on which nothing differs but secrets that the plan left undecided: it did not know that they would."""
        for host, changes in self.now.items():
            if host not in self.planned and host in self.saved.digests and all(map(self._undecided, changes)):
                yield host

    def _beyond(self, host: str) -> list[Change]:
        """Changes that the plan does not have, but for secrets that it left undecided; hosts of a group share them."""
        now, planned = self.now[host], self.planned.get(host, ())
        key = (id(now), id(planned))
        if key not in self._known:
            known = set(map(_without_detail, planned))
            self._known[key] = [
                change for change in now if _without_detail(change) not in known and not self._undecided(change)
            ]
        return self._known[key]

    def _undecided(self, change: Change) -> bool:
        return change.what == "secret" and change.name in self.saved.undecided

    def _moved(self, host: str, beyond: Sequence[Change]) -> str:
        now = {_without_detail(change) for change in self.now[host]}
        gone = [change for change in self.planned.get(host, ()) if _without_detail(change) not in now]
        names = list(dict.fromkeys(change.name for change in (*beyond, *gone)))
        what = ", ".join(self._how(host, name) for name in names[:_SHOWN])
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        why = f": {what}{more}" if names else ": a unit, a package or its own record is not as it was"
        return f"it has changed since the plan was made{why} ({_PLAN_AGAIN})"

    def _how(self, host: str, name: str) -> str:
        planned = next((change for change in self.planned.get(host, ()) if change.name == name), None)
        now = next((change for change in self.now[host] if change.name == name), None)
        return f"`{name}`: planned {_said(planned)}, now {_said(now)}"


def _without_detail(change: Change) -> Change:
    return replace(change, detail="")


def _said(change: Change | None) -> str:
    """What a change does, and from where it starts.

    >>> _said(None)
    'no change'
    """
    if change is None:
        return "no change"
    start = f" of {change.before.content[:12]}" if change.before and change.before.content else ""
    return f"{change.action}{start}"
