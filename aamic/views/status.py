"""How hosts stand, for a terminal and for a machine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from aamic.model.host import LastApply
from aamic.model.status import STATES, HostStatus
from aamic.views.hosts import Fold, collapsed
from aamic.views.report import counted
from aamic.views.terminal import safe, wrapped

_SHOWN: Final = 5


def text(statuses: Sequence[HostStatus], fold: Fold, *, width: int = 100) -> str:
    """What needs a look first, each thing once with its hosts; then how many hosts are in which state."""
    lines: list[tuple[int, str]] = []
    for state in STATES:
        lines += _state(state, [each for each in statuses if each.state == state], fold)
    lines += [(0, line) for line in _clocks(statuses, fold)]
    lines.append((0, _summary(statuses)))
    pieces = (wrapped(safe(line), width, " " * indent, " " * (indent + 2)) for indent, line in lines)
    return "".join(f"{piece}\n" for those in pieces for piece in those)


def to_json(statuses: Iterable[HostStatus]) -> dict[str, Any]:
    """Every host as a value for JSON."""
    return {
        "version": 1,
        "hosts": {
            each.host: {
                "state": each.state,
                "release": each.release or None,
                "details": list(each.details),
                "last": _last_json(each.last) if each.last else None,
                "clock_skew_seconds": each.skew,
            }
            for each in statuses
        },
    }


def _last_json(last: LastApply) -> dict[str, Any]:
    return {
        "release": last.release,
        "at": datetime.fromtimestamp(last.at, UTC).isoformat(),
        "who": last.who,
        "revision": last.revision,
        "result": last.result,
    }


def _state(state: str, those: Sequence[HostStatus], fold: Fold) -> Iterator[tuple[int, str]]:
    told = ((each.host, "\n".join((*_details(each), _last(each)))) for each in those)
    for message, hosts in collapsed(told):
        yield 0, f"{state} · {counted(len(hosts))} · {fold(hosts)}"
        yield from ((2, line) for line in message.split("\n") if line)


def _details(status: HostStatus) -> tuple[str, ...]:
    more = len(status.details) - _SHOWN
    return (*map(safe, status.details[:_SHOWN]), *([f"and {more} more"] if more > 0 else []))


def _last(status: HostStatus) -> str:
    """The release that a host carries, and what was done last, where that was with another one."""
    last, carried = status.last, status.release
    if last is None:
        return safe(f"release {carried}") if carried else ""
    revision = f" at {last.revision[:12]}" if last.revision.strip("-") else ""
    told = f"release {last.release} of {last.who}{revision}: {last.result}"
    return safe(f"release {carried}; last, {told}" if carried and carried != last.release else told)


def _clocks(statuses: Iterable[HostStatus], fold: Fold) -> Iterator[str]:
    for way, hosts in (
        ("ahead", [each for each in statuses if each.skew > 0]),
        ("behind", [each for each in statuses if each.skew < 0]),
    ):
        if hosts:
            worst = max(abs(each.skew) for each in hosts)
            yield f"clock {way} by up to {worst:,} s · {counted(len(hosts))} · {fold(each.host for each in hosts)}"


def _summary(statuses: Sequence[HostStatus]) -> str:
    counts = [(sum(1 for each in statuses if each.state == state), state) for state in reversed(STATES)]
    return f"{counted(len(statuses))}: " + ", ".join(f"{count:,} {state}" for count, state in counts if count)
