"""What was observed of one server -> what is not as it should be there. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from aamic.compile.hostlist import fold
from aamic.compile.vectors import REMOTE_JOB
from aamic.model.federation import (
    Expected,
    Group,
    Level,
    Observed,
    Reading,
    Reason,
    Scrape,
    Tally,
    Unknown,
    total,
)

MISSED: Final = 3
"""Scrape intervals after which a target that is up should have been read again; our policy, as in `health`."""
OFF: Final = 0.2
"""The share by which series may differ from the prediction before that is noted: new servers fill for a while, and
jobs, labels and firmware differ. It is a note, as a prediction that is wrong is no fault of a server."""
SKEW: Final = 5.0
"""Seconds by which a clock may differ from those of the others: less is within what a busy server takes to answer, and
no rule of aamic looks at less than two scrapes."""
BUSY: Final = 10.0
"""Seconds that a read may come late in any case: a server that is busy is not one that hangs."""
HALF: Final = 0.5
"""The share of its interval that a read of a shard may take, as in the alert FederationSlow."""
_SHOWN: Final = 3
"""Rules or jobs that a reason names one by one."""


class Skew(NamedTuple):
    """How many seconds a clock is ahead, and of whose."""

    seconds: float
    whose: str


def reasons_of(
    expected: Expected, observed: Observed, reading: Reading | None, jobs: Mapping[str, Tally] | None, skew: Skew | None
) -> Iterator[Reason]:
    """Everything that is not as it should be with one server; `skew` is that of its clock, if that is known."""
    yield from _unknowns(observed)
    if skew is not None and abs(skew.seconds) > SKEW + observed.vague:
        way = "ahead of" if skew.seconds > 0 else "behind"
        yield Reason("warning", f"its clock is {abs(skew.seconds):,.0f} s {way} {skew.whose}")
    if jobs is not None:
        yield from _of_targets(jobs)
    if not isinstance(observed.scrapes, Unknown):
        yield from _of_cluster(expected, observed.scrapes)
        yield from _of_others(observed.scrapes)
    if not isinstance(observed.scrapes, Unknown) and not isinstance(observed.clock, Unknown):
        yield from _of_ages(observed.scrapes, observed.clock)
    if not isinstance(observed.groups, Unknown):
        yield from _of_rules(expected, observed.groups)
    if observed.reloaded is False:
        yield Reason("failing", "it refused its configuration when it read it last, and runs with an older one")
    if not isinstance(observed.series, Unknown):
        yield from _of_series(expected, observed.series)
    if reading is not None:
        yield from _of_reading(reading, expected.stale)


def _unknowns(observed: Observed) -> Iterator[Reason]:
    """Each cause for which something is not known, once, with what that is."""
    asked: dict[str, object] = {
        "whether it is ready": observed.ready,
        "its time": observed.clock,
        "its version": observed.version,
        "its targets": observed.scrapes,
        "its series": observed.series,
        "its rules": observed.groups,
        "whether it took its configuration": observed.reloaded,
        "its oldest sample": observed.oldest,
        "what it has of the shards": observed.ages,
    }
    causes: dict[str, list[str]] = {}
    for what, value in asked.items():
        if isinstance(value, Unknown):
            causes.setdefault(value.why, []).append(what)
    for why, whats in causes.items():
        whole = isinstance(observed.ready, Unknown) and observed.ready.why == why
        yield Reason("unknown", why if whole else f"not known: {_listed(whats)}: {why}")


def _of_targets(jobs: Mapping[str, Tally]) -> Iterator[Reason]:
    whole = total(jobs)
    if whole.total and not whole.up:
        yield Reason("failing", f"none of its {whole.total:,} targets is known to be up")
    elif whole.down:
        down = _listed([f"{each.down:,} of {name}" for name, each in jobs.items() if each.down])
        yield Reason("warning", f"{whole.down:,} of {whole.total:,} targets {_verb(whole.down)} down: {down}")
    if whole.unknown:
        yield Reason("unknown", f"{counted(whole.unknown, 'target')} not read yet")
    yield from _of_missing(jobs)
    for name, each in jobs.items():
        if each.extra:
            yield Reason("warning", f"it reads `{name}` of {', '.join(each.extra[:_SHOWN])}{_more(each.extra)}, "
                         "which the site does not give it")  # fmt: skip


def _of_missing(jobs: Mapping[str, Tally]) -> Iterator[Reason]:
    """Nodes that are not read, those once that miss in several jobs."""
    by_nodes: dict[tuple[str, ...], list[str]] = {}
    for name, each in jobs.items():
        if each.missing:
            by_nodes.setdefault(each.missing, []).append(f"`{name}`")
    for nodes, names in by_nodes.items():
        yield Reason("warning", f"the site gives it {_listed(names)} of {fold(nodes)}, and it does not read that")


def _of_cluster(expected: Expected, scrapes: Iterable[Scrape]) -> Iterator[Reason]:
    """Another cluster's server at the address: whatever is well there says nothing of this one."""
    found = {name for each in scrapes if each.job != REMOTE_JOB and (name := each.labels.get("cluster"))}
    if found and expected.cluster not in found:
        named = _listed([f"`{name}`" for name in sorted(found)])
        yield Reason("failing", f"it is a server of another cluster: its targets are of {named}")


def _of_others(scrapes: Iterable[Scrape]) -> Iterator[Reason]:
    """Other clusters that cannot be read: no fault of this one, whose alerts tell of them."""
    others = [each for each in scrapes if each.job == REMOTE_JOB]
    down = sorted(each.labels.get("cluster", each.address) for each in others if each.health == "down")
    if down:
        yield Reason("note", f"of {len(others):,} other clusters, {len(down):,} cannot be read: {_listed(down)}")


def _of_ages(scrapes: Iterable[Scrape], clock: float) -> Iterator[Reason]:
    """Targets that are up, and were not read for too long: a server that hangs still calls them up."""
    late = [(each, clock - each.at) for each in scrapes if each.health == "up" and each.at is not None]
    overdue = [(each, age) for each, age in late if age > MISSED * each.interval + BUSY]
    if overdue:
        level: Level = "failing" if len(overdue) == len(late) else "warning"
        oldest = max(age for _, age in overdue)
        noun = "target" if len(overdue) == 1 else "targets"
        yield Reason(level, f"{len(overdue):,} {noun} that it calls up, last read up to {oldest:,.0f} s ago")


def _of_rules(expected: Expected, groups: Sequence[Group]) -> Iterator[Reason]:
    rules, failing = sum(each.rules for each in groups), [each for group in groups for each in group.failing]
    if failing:
        named = "; ".join(f"`{name}`: {error}" for name, error in failing[:_SHOWN])
        level: Level = "failing" if len(failing) == rules else "warning"
        yield Reason(
            level, f"{len(failing):,} of {rules:,} rules {_verb(len(failing))} failing: {named}{_more(failing)}"
        )
    if waiting := sum(each.waiting for each in groups):
        yield Reason("unknown", f"{counted(waiting, 'rule')} not evaluated yet")
    slow = [f"`{each.name}` takes {each.seconds:.1f} of {each.interval:g} s" for each in groups if _is_slow(each)]
    if slow:
        yield Reason("warning", f"rule groups are slower than their interval: {_listed(slow)}")
    loaded: dict[str, int] = {}
    for each in groups:
        loaded[each.name] = loaded.get(each.name, 0) + each.rules
    if differing := sorted(name for name in loaded.keys() | expected.groups.keys()
                           if loaded.get(name) != expected.groups.get(name)):  # fmt: skip
        level = "failing" if expected.groups and not loaded.keys() & expected.groups.keys() else "warning"
        yield Reason(level, f"its rule groups are not those of the site: {_listed(differing)}")


def _is_slow(group: Group) -> bool:
    return group.seconds > group.interval


def _of_series(expected: Expected, series: int) -> Iterator[Reason]:
    if expected.series and abs(series / expected.series - 1) > OFF:
        share = f"{100 * series / expected.series:,.0f} %"
        yield Reason("note", f"{series:,} series in memory, {share} of the {expected.series:,} predicted")


def _of_reading(reading: Reading, stale: float) -> Iterator[Reason]:
    if isinstance(reading.health, Unknown):
        yield Reason("unknown", f"what central has of it is not known: {reading.health.why}")
        return
    if reading.health == "unknown":
        yield Reason("unknown", "central has not read it yet")
    if reading.health == "down":
        yield Reason("failing", f"central cannot read it: {reading.error or 'no reason is given'}")
    slow = reading.seconds is not None and reading.interval and reading.seconds > HALF * reading.interval
    if slow:
        yield Reason("warning", f"central needs {reading.seconds:.1f} s of {reading.interval:g} s to read it")
    yield from _of_newest(reading, stale)


def _of_newest(reading: Reading, stale: float) -> Iterator[Reason]:
    age = reading.age
    if isinstance(age, Unknown):
        yield Reason("unknown", f"how old what central has of it is, is not known: {age.why}")
    elif age is None and reading.told:
        yield Reason("failing", "central has no sample of it of the last hour")
    elif age is None:
        yield Reason("note", "the site's `federation.match` does not let central say how old its samples are")
    elif age > stale:
        yield Reason("warning", f"the newest sample that central has of it is {age:,.0f} s old")
    elif age < -SKEW:
        yield Reason("warning", f"the newest sample that central has of it is {-age:,.0f} s in the future")


def _verb(count: int) -> str:
    return "is" if count == 1 else "are"


def counted(count: int, noun: str) -> str:
    """A number with its noun and its verb: `1 target is`."""
    return f"{count:,} {noun} is" if count == 1 else f"{count:,} {noun}s are"


def _listed(some: Sequence[str]) -> str:
    return f"{', '.join(some[:_SHOWN])}{_more(some)}"


def _more(some: Sequence[object]) -> str:
    return f" and {len(some) - _SHOWN:,} more" if len(some) > _SHOWN else ""
