"""In which order hosts are changed: stage by stage, a few canaries first, then batches. Pure.

What is scraped comes first, then what scrapes, then what reads those, and at the end hosts that only lose something: by
then nobody asks them for it any more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from aamic.deploy.desired import Desired
from aamic.deploy.slurmconf import CONTROLLER, HOOKS
from aamic.model.plan import Change
from aamic.model.tree import Stage

WaveStage = Literal["exporters", "shards", "central", "slurm", "removals", "rollback"]
"""The controller of a Slurm cluster has a stage of its own, when every node has its hooks and before any loses them."""
ORDER: Final[tuple[WaveStage, ...]] = ("exporters", "shards", "central", "slurm", "removals")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A host that is to be changed: its changed bundles, and when its turn is."""

    host: str
    bundles: frozenset[str]
    stage: WaveStage
    rack: str = ""


@dataclass(frozen=True, slots=True)
class Wave:
    """Hosts that are changed at the same time."""

    stage: WaveStage
    canary: bool
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast: canaries of each bundle, hosts in a batch (a number, or a percentage of the stage), and at once."""

    canary: int
    batch: int | str
    max_parallel: int


def stage_of(changes: Iterable[Change], desired: Desired, stages: Mapping[str, Stage]) -> WaveStage:
    """When a host is changed: with the latest of its changed bundles that it keeps."""
    changes = tuple(changes)
    if any(change.bundle == CONTROLLER for change in changes):
        return "slurm"
    kept = {stages[change.bundle] for change in changes if change.bundle in desired.bundles}
    return max(kept, key=ORDER.index, default="removals")


def touches_hooks(changes: Iterable[Change]) -> bool:
    """Whether these change what Slurm runs for jobs."""
    return any(
        change.bundle in HOOKS or any(impact.effect == "reconfigure" for impact in change.impacts) for change in changes
    )


def plan_waves(candidates: Sequence[Candidate], pace: Pace) -> tuple[Wave, ...]:
    """Every host in exactly one wave, in the order given within its stage.

    No wave is larger than what is worked on at the same time, so that its first host does not wait for its last.
    """
    return tuple(wave for stage in ORDER for wave in _stage([each for each in candidates if each.stage == stage], pace))


def batch_size(batch: int | str, hosts: int) -> int:
    """Hosts in a batch of a stage of so many.

    >>> batch_size("20%", 512), batch_size("20%", 3), batch_size(8, 512)
    (102, 1, 8)
    """
    size = hosts * int(batch[:-1]) // 100 if isinstance(batch, str) else batch
    return max(1, size)


def _stage(members: Sequence[Candidate], pace: Pace) -> Iterator[Wave]:
    canaries = _canaries(members, pace.canary)
    first = [each.host for each in members if each.host in canaries]
    others = [each.host for each in members if each.host not in canaries]
    size = min(batch_size(pace.batch, len(members)), pace.max_parallel)
    for hosts in _batches(first, pace.max_parallel):
        yield Wave(members[0].stage, canary=True, hosts=hosts)
    for hosts in _batches(others, size):
        yield Wave(members[0].stage, canary=False, hosts=hosts)


def _batches(hosts: Sequence[str], size: int) -> Iterator[tuple[str, ...]]:
    return (tuple(hosts[start : start + size]) for start in range(0, len(hosts), size))


def _canaries(members: Sequence[Candidate], count: int) -> set[str]:
    """So many hosts of each bundle that several hosts of the stage share, in different racks where it can be.

    A bundle of one host proves nothing for others, and the servers of a pair must not change at the same time; where
    no bundle is shared, the first hosts are the canaries.
    """
    chosen: dict[str, Candidate] = {}
    having = _having(members)
    shared = [hosts for hosts in having.values() if len(hosts) > 1]
    for hosts in shared or [list(members)]:
        missing = count - sum(1 for each in hosts if each.host in chosen)
        racks = {each.rack for each in chosen.values()}
        for each in _spread([each for each in hosts if each.host not in chosen], racks)[: max(missing, 0)]:
            chosen[each.host] = each
    return set(chosen)


def _having(members: Iterable[Candidate]) -> dict[str, list[Candidate]]:
    """The hosts that change each bundle, by name of the bundle."""
    having: dict[str, list[Candidate]] = {}
    for each in members:
        for bundle in each.bundles:
            having.setdefault(bundle, []).append(each)
    return dict(sorted(having.items()))


def _spread(members: Iterable[Candidate], used: Collection[str]) -> list[Candidate]:
    """Those of new racks first, one of each."""
    seen = set(used)
    fresh: list[Candidate] = []
    others: list[Candidate] = []
    for each in members:
        (others if each.rack in seen else fresh).append(each)
        seen.add(each.rack)
    return fresh + others
