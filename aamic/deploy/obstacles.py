"""What stands against changing a host now: a change under way, things in the way, too little space. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from aamic.deploy.desired import Desired
from aamic.deploy.diff import Outcome
from aamic.deploy.observe import STATE, area
from aamic.model.host import Observation, Pending
from aamic.model.plan import Blocked

_Reason = tuple[str, str | None]


def blocked(observed: Observation, outcome: Outcome, *, adopt: bool) -> Blocked | None:
    """Why a host must be left alone, all reasons in one; None where nothing stands against it."""
    reasons = [*_foreign(outcome, adopt=adopt), *_in_the_way(outcome), *_space(observed, outcome)]
    return _blocked(observed.host, reasons) if reasons else None


def unsettled(host: str, pending: Pending) -> Blocked:
    """Why a host with a change that is not settled must be left alone; what it has may differ in a second."""
    who = f" of `{pending.who}`" if pending.who.strip("-") else ""
    left = f"{pending.seconds} seconds" if pending.seconds > 0 else ""
    restores = f"the host restores itself in {left}" if left else "the next apply lets the host restore itself"
    if pending.state == "running":
        return Blocked(host, f"a change{who} is being made right now", "wait until it is done, and plan again")
    if pending.state == "restoring":
        return Blocked(host, f"the state before a change{who} is being restored", restores)
    if pending.state == "unconfirmed":
        until = f"; it is undone in {left}" if left else ""
        return Blocked(host, f"a change{who} is not confirmed yet{until}", "wait until it is confirmed or undone")
    return Blocked(host, f"a change{who} was cut off before its end", restores)


def taken_ports(desired: Desired, observed: Observation, outcome: Outcome) -> tuple[tuple[str, int], ...]:
    """Units that will start, with ports that somebody listens on already, and that nothing in this plan sets free."""
    starting = {each.unit for change in outcome.changes for each in change.impacts if each.effect == "start"}
    if any(each.effect == "stop" for change in outcome.changes for each in change.impacts):
        return ()
    return tuple(
        (unit, port)
        for unit in sorted(starting.intersection(desired.units))
        if unit in observed.units
        for port in desired.units[unit].ports
        if port in observed.ports
    )


def _blocked(host: str, reasons: list[_Reason]) -> Blocked:
    hints = [hint for _, hint in reasons if hint]
    return Blocked(host, "; ".join(message for message, _ in reasons), "; ".join(hints) or None)


def _foreign(outcome: Outcome, *, adopt: bool) -> Iterator[_Reason]:
    names = [change.name for change in outcome.changes if change.foreign]
    if names and not adopt:
        yield f"{_some(names)} {_are(names)} not put there by aamic", "`--adopt` takes over what stands there"


def _in_the_way(outcome: Outcome) -> Iterator[_Reason]:
    if names := outcome.obstacles:
        yield f"{_some(names)} {_are(names)} neither a file nor a link", "move away what stands there"


def _space(observed: Observation, outcome: Outcome) -> Iterator[_Reason]:
    for free, (folders, need) in _needs(observed.free, outcome.writes).items():
        if need > free:
            yield (
                f"{need:,} bytes are to be written to {_some(sorted(folders))}, and {free:,} are free there",
                ("make room on the host"),
            )


def _needs(free: Mapping[str, int], writes: Mapping[str, int]) -> dict[int, tuple[set[str], int]]:
    """Bytes to be written for each amount of free space, which tells file systems apart well enough.

    Everything is written twice: to the tool's own folder, and from there beside its place.
    """
    needs: defaultdict[int, tuple[set[str], int]] = defaultdict(lambda: (set(), 0))
    for path, size in writes.items():
        for folder in (STATE, area(path)):
            if folder in free:
                folders, total = needs[free[folder]]
                needs[free[folder]] = ({*folders, folder}, total + size)
    return needs


def _some(names: tuple[str, ...] | list[str]) -> str:
    first = f"`{names[0]}`"
    return first if len(names) == 1 else f"{first} and {len(names) - 1} more"


def _are(names: tuple[str, ...] | list[str]) -> str:
    return "is" if len(names) == 1 else "are"
