"""Back to what was before a release: on every host that carries it, some at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from aamic.deploy.admission import told
from aamic.deploy.apply import ENDED_EARLY, Keep, Onlooker, forget
from aamic.deploy.calls import Caller
from aamic.deploy.fanout import fan_out
from aamic.deploy.observe import Seen
from aamic.deploy.rollout import Wave, WaveStage
from aamic.deploy.status import drifted_paths
from aamic.deploy.wave import Means
from aamic.model.host import LastApply, Observation, Unobserved
from aamic.model.report import GOOD, HostReport, Report, WaveReport

STAGE: Final[WaveStage] = "rollback"


@dataclass(frozen=True, slots=True)
class Carried:
    """A release that hosts carry; `last` is what one of their journals says of it, None if another came after."""

    name: str
    hosts: tuple[str, ...]
    last: LastApply | None


@dataclass(frozen=True, slots=True)
class Choice:
    """What a rollback would do: `back` is the release that is undone, None where no host carries any.

    `others` stay as they are; `settled` are hosts that could not be looked at, or must be left alone. `first` and
    `last` go back before all others and after them: a controller of Slurm, which must not name scripts that nodes lack.
    """

    back: Carried | None
    others: tuple[Carried, ...]
    settled: tuple[HostReport, ...]
    first: str = ""
    last: str = ""


def choose(seen: Mapping[str, Seen], release: str = "", controller: str = "") -> Choice:
    """The newest release that a host carries, or the one named; names of releases begin with their time.

    `controller` is the host of slurmctld, or ''.
    """
    carried = sorted(_carried(seen), key=lambda each: each.name, reverse=True)
    wanted = [each for each in carried if each.name == release] if release else carried[:1]
    back = wanted[0] if wanted else None
    hosts = back.hosts if back else ()
    others = tuple(each for each in carried if each is not back)
    choice = Choice(back, others, tuple(_settled(seen, hosts)))
    if controller not in hosts:
        return choice
    if _names_hooks(seen[controller]):
        return replace(choice, first=controller)
    return replace(choice, last=controller)


def _names_hooks(seen: Seen) -> bool:
    """Whether the release has Slurm name hooks: to go back from it then takes them away, and else may bring them."""
    return isinstance(seen, Observation) and seen.release is not None and bool(seen.release.lines)


def _carried(seen: Mapping[str, Seen]) -> Iterator[Carried]:
    hosts: dict[str, list[Observation]] = {}
    for each in seen.values():
        if isinstance(each, Observation) and each.release and not each.pending:
            hosts.setdefault(each.release.name, []).append(each)
    for name, those in hosts.items():
        last = next((each.last for each in those if each.last and each.last.release == name), None)
        yield Carried(name, tuple(each.host for each in those), last)


def _settled(seen: Mapping[str, Seen], hosts: Iterable[str]) -> Iterator[HostReport]:
    """Hosts that may carry the release, and cannot be asked or touched."""
    known = set(hosts)
    for host, each in seen.items():
        if isinstance(each, Unobserved):
            yield HostReport(host, "not reached", told(each.message, each.hint))
        elif each.pending and host not in known:
            yield HostReport(host, "refused", f"a change of `{each.pending.who}` is not settled ({each.pending.state})")


def edited(seen: Mapping[str, Seen], hosts: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Paths that somebody changed since the release put them there, with the hosts where that is so."""
    found: dict[str, list[str]] = {}
    for host in hosts:
        each = seen[host]
        if isinstance(each, Observation) and each.release:
            for path in drifted_paths(each, each.release):
                found.setdefault(path, []).append(host)
    return {path: tuple(those) for path, those in found.items()}


def roll_back(
    choice: Choice, means: Means, onlooker: Onlooker, stopped: Callable[[], bool], keep: Keep = forget
) -> Report:
    """Undo the chosen release. A host that fails keeps no other from going back; a stop is heeded between waves.

    `keep` gets the report however this ends.
    """
    hosts = choice.back.hosts if choice.back else ()
    groups = list(_groups(hosts, choice, means.parallel))
    done: dict[str, HostReport] = {}
    waves: list[WaveReport] = []
    try:
        _waves(choice, groups, done, waves, (means, onlooker, stopped))
    finally:
        reports = (done.get(host) or HostReport(host, "not started") for host in hosts)
        ended = len(waves) == len(groups)
        report = Report(
            "rollback", means.caller.origin, (*reports, *choice.settled), tuple(waves), interrupted=not ended
        )
        keep(report)
    return report


def _groups(hosts: tuple[str, ...], choice: Choice, size: int) -> Iterator[tuple[str, ...]]:
    rest = tuple(host for host in hosts if host not in {choice.first, choice.last})
    yield from ((host,) for host in (choice.first,) if host)
    yield from (rest[start : start + size] for start in range(0, len(rest), size))
    yield from ((host,) for host in (choice.last,) if host)


def _waves(
    choice: Choice,
    groups: Sequence[tuple[str, ...]],
    done: dict[str, HostReport],
    waves: list[WaveReport],
    by: tuple[Means, Onlooker, Callable[[], bool]],
) -> None:
    means, onlooker, stopped = by
    for number, members in enumerate(groups, 1):
        if stopped():
            break
        onlooker.begins(number, len(groups), Wave(STAGE, canary=False, hosts=members))
        since = means.clock()
        release = choice.back.name if choice.back else ""
        done |= {host: HostReport(host, "unknown", ENDED_EARLY) for host in members}
        done |= _wave(members, release, means.caller, onlooker)
        failed = sum(1 for host in members if done[host].state not in GOOD)
        waves.append(
            WaveReport(STAGE, canary=False, hosts=members, failed=failed, seconds=means.clock() - since, gate="")
        )
        onlooker.ended(waves[-1])


def _wave(members: tuple[str, ...], release: str, caller: Caller, onlooker: Onlooker) -> dict[str, HostReport]:
    ended = fan_out(members, lambda host: caller.roll_back(host, release), len(members))
    reports = {
        host: report if isinstance(report, HostReport) else HostReport(host, "unknown", str(report))
        for host, report in ended.items()
    }
    for report in reports.values():
        onlooker.host(report)
    return reports
