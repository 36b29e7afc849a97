"""What should be, what was seen -> the Plan. Pure.

Hosts that should have the same and were seen to have the same share the work and the changes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from aamic.compile.hostlist import expand, fold
from aamic.deploy.desired import Desired
from aamic.deploy.diff import Outcome, Policy, diff
from aamic.deploy.lines import unedited_notes
from aamic.deploy.observe import Seen
from aamic.deploy.obstacles import blocked, taken_ports, unsettled
from aamic.model.host import Observation, Unobserved
from aamic.model.plan import Blocked, Change, Group, Plan


@dataclass(frozen=True, slots=True)
class Basis:
    """What a plan is made for: the cluster, the commit of the site, the digest of the tree, and the limit as given."""

    cluster: str
    tree: str
    revision: str = ""
    dirty: bool = False
    limit: str = ""


def make_plan(
    basis: Basis,
    desired: Mapping[str, Desired],
    seen: Mapping[str, Seen],
    policy: Policy,
    notes: Sequence[str] = (),
) -> Plan:
    """The plan for these hosts. Differences, and what is kept, are told later: that may need another look at hosts."""
    planner = _Planner(desired, policy)
    order = _natural(seen)
    for host in order:
        planner.take(host, seen[host])
    return Plan(
        cluster=basis.cluster,
        revision=basis.revision,
        dirty=basis.dirty,
        tree=basis.tree,
        limit=basis.limit,
        adopt=policy.adopt,
        hosts=len(seen),
        digests=planner.digests,
        groups=planner.groups(),
        unobserved=tuple(planner.unobserved),
        blocked=tuple(planner.blocked),
        undecided=tuple(sorted(planner.undecided)),
        held=_held(desired, policy),
        notes=(*notes, *planner.port_notes(), *unedited_notes(desired)),
    )


def _held(desired: Mapping[str, Desired], policy: Policy) -> tuple[str, ...]:
    """Bundles that were asked for of which nothing is done, or which wait for a person to do something."""
    different = {id(each): each for each in desired.values()}.values()
    waiting = {left.bundle for each in different for left in each.unedited if left.todo}
    held = waiting.union(*(policy.held.intersection(each.bundles) for each in different))
    return tuple(sorted(held.intersection({policy.bundle}) if policy.bundle else held))


def _natural(hosts: Collection[str]) -> tuple[str, ...]:
    """Host names with their numbers in order."""
    return expand(fold(hosts), len(hosts)) if hosts else ()


class _Planner:
    """Takes in one host after the other."""

    def __init__(self, desired: Mapping[str, Desired], policy: Policy) -> None:
        self._desired, self._policy = desired, policy
        self._known: dict[object, Outcome] = {}
        self._grouped: dict[int, tuple[tuple[Change, ...], list[str]]] = {}
        self._taken: dict[tuple[str, int], list[str]] = {}
        self.digests: dict[str, str] = {}
        self.unobserved: list[Unobserved] = []
        self.blocked: list[Blocked] = []
        self.undecided: set[str] = set()

    def take(self, host: str, seen: Seen) -> None:
        if isinstance(seen, Unobserved):
            self.unobserved.append(seen)
            return
        self.digests[host] = seen.digest
        if seen.pending:
            self.blocked.append(unsettled(host, seen.pending))
            return
        if seen.lost and self._policy.bundle:
            self.blocked.append(Blocked(host, "its own record is lost", "apply to it once without `bundle:`"))
            return
        outcome = self._outcome(self._desired[host], seen)
        if outcome.obstacles or outcome.changes:
            self._needs_change(host, seen, outcome)
        self.undecided.update(outcome.undecided)

    def _outcome(self, desired: Desired, seen: Observation) -> Outcome:
        # The digest tells whether units are up; a plan also tells in which state those are that are not.
        key = (id(desired), seen.digest, frozenset(seen.units.items()), frozenset(seen.secrets.items()), seen.lost)
        if key not in self._known:
            self._known[key] = diff(desired, seen, self._policy)
        return self._known[key]

    def _needs_change(self, host: str, seen: Observation, outcome: Outcome) -> None:
        if reason := blocked(seen, outcome, adopt=self._policy.adopt):
            self.blocked.append(reason)
        for taken in taken_ports(self._desired[host], seen, outcome):
            self._taken.setdefault(taken, []).append(host)
        if outcome.changes:
            self._grouped.setdefault(id(outcome.changes), (outcome.changes, []))[1].append(host)

    def groups(self) -> tuple[Group, ...]:
        """Hosts with equal changes together, in the order of their first hosts."""
        merged: dict[tuple[Change, ...], list[str]] = {}
        for changes, hosts in self._grouped.values():
            merged.setdefault(changes, []).extend(hosts)
        position = {host: number for number, host in enumerate(self.digests)}
        groups = [Group(tuple(sorted(hosts, key=position.__getitem__)), changes) for changes, hosts in merged.items()]
        return tuple(sorted(groups, key=lambda group: position[group.hosts[0]]))

    def port_notes(self) -> Iterator[str]:
        for (unit, port), hosts in sorted(self._taken.items()):
            yield f"`{unit}` needs port {port}, which somebody listens on already: {fold(hosts)}"
