"""Hosts on which an earlier change was cut off: they are brought back to what they were."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from aamic.compile.hostlist import fold
from aamic.deploy.calls import Caller
from aamic.deploy.fanout import fan_out
from aamic.deploy.observe import Seen
from aamic.errors import HostError
from aamic.model.host import Observation, Pending
from aamic.model.report import HostReport


def interrupted_hosts(seen: Mapping[str, Seen]) -> tuple[str, ...]:
    """Hosts with a change that nobody will end: of a controller that died, or before a power cut."""
    return tuple(host for host, each in seen.items() if isinstance(each, Observation) and _interrupted(each.pending))


def recover(hosts: Sequence[str], caller: Caller, parallel: int) -> tuple[str, ...]:
    """Undo those changes, and return what people should know of it. The hosts must then be looked at again."""
    return tuple(_notes(fan_out(hosts, caller.recover, parallel).values()))


def _interrupted(pending: Pending | None) -> bool:
    """Whether a change was cut off and nobody is at it; the host judges again, under its lock."""
    if pending is None or pending.state == "running":
        return False
    return pending.state != "unconfirmed" or pending.seconds <= 0


def _notes(reports: Iterable[HostReport | HostError]) -> Iterator[str]:
    known = [report for report in reports if isinstance(report, HostReport)]
    if ended := [report.host for report in known if report.state == "done"]:
        yield f"an interrupted change was undone: {fold(ended)}"
    for report in known:
        if report.state != "done":
            yield f"{report.host}: an interrupted change could not be undone: {report.message}"
        yield from (f"{report.host}: {note}" for note in report.notes)
