"""Ask every host what stands there: one read-only call each, and an answer or a reason for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from aamic.clients.base import Answer, Hosts
from aamic.deploy import wire
from aamic.deploy.desired import Desired
from aamic.deploy.fanout import fan_out, spread
from aamic.errors import HostError
from aamic.model.host import Observation, Unobserved

STATE: Final = "/var/lib/aamic"
"""Where a host keeps its record, and what it needs to undo a change."""
Seen = Observation | Unobserved


@dataclass(frozen=True, slots=True)
class Asking:
    """How hosts are asked: seconds that each may take, how many at once, and what salts the digests of secrets.

    With `processes` above one, as many processes share the hosts, and `make_hosts` gives each a client of its own.
    """

    timeout: float
    parallel: int
    salt: str = ""
    processes: int = 1
    make_hosts: Callable[[], Hosts] | None = None


def observe(
    hosts: Hosts,
    desired: Mapping[str, Desired],
    asking: Asking,
    on_done: Callable[[str, Seen], None] | None = None,
) -> dict[str, Seen]:
    """What was seen of each host, in the order of `desired`. No host that fails keeps another from being asked."""
    numbers = {each: number for number, each in enumerate({id(each): None for each in desired.values()})}
    requests = [request_for(each, asking.salt) for each in {id(each): each for each in desired.values()}.values()]
    readers = [wire.Observations(request) for request in requests]
    seen: dict[str, Seen] = {}

    def take(host: str, answer: Answer | HostError) -> None:
        seen[host] = _read(host, answer, readers[numbers[id(desired[host])]])
        if on_done is not None:
            on_done(host, seen[host])

    call = _Call(
        tuple(request.encode() for request in requests),
        {host: numbers[id(each)] for host, each in desired.items()},
        asking.timeout,
    )
    if asking.processes > 1 and asking.make_hosts is not None:
        spread(tuple(desired), asking.make_hosts, call, asking.parallel, asking.processes, on_done=take)
    else:
        fan_out(tuple(desired), lambda host: call(hosts, host), asking.parallel, take)
    return {host: seen[host] for host in desired}


@dataclass(frozen=True)
class _Call:
    """Asks one host; other processes get it as a whole, so hosts share their requests by number."""

    requests: tuple[bytes, ...]
    numbers: Mapping[str, int]
    timeout: float

    def __call__(self, hosts: Hosts, host: str) -> Answer:
        payload = (wire.program("observe"), self.requests[self.numbers[host]])
        return hosts.run(host, wire.command("observe"), payload, self.timeout)


def _read(host: str, answer: Answer | HostError, reader: wire.Observations) -> Seen:
    if isinstance(answer, HostError):
        return _unobserved(host, answer)
    try:
        return reader.read(host, answer)
    except HostError as error:
        return _unobserved(host, error)


def _unobserved(host: str, error: HostError) -> Unobserved:
    return Unobserved(host, error.kind, str(error), error.hint)


def request_for(desired: Desired, salt: str = "") -> wire.Request:
    """What to look at on a host that should have this; the host adds what its own release put there."""
    paths = (*desired.entries, *desired.programs, *desired.secrets)
    return wire.Request(
        paths=paths,
        units=tuple(dict.fromkeys((*desired.units, *desired.masked, *rereading(desired)))),
        packages=tuple(desired.packages),
        folders=tuple(sorted({STATE, *map(area, (*paths, *(line.path for line in desired.lines)))})),
        secrets=tuple(desired.secrets),
        salt=salt,
        edits=tuple(dict.fromkeys(line.path for line in desired.lines)),
    )


def rereading(desired: Desired) -> tuple[str, ...]:
    """Units of somebody else that read their configuration again where it changes."""
    asked = {each.on_change for each in desired.entries.values()} | {each.on_change for each in desired.lines}
    return tuple(sorted(each.unit for each in asked if each.action == "reconfigure"))


def area(path: str) -> str:
    """The folder whose free space stands for a path's: the first three names of its own, such as `/var/lib/aami`."""
    return "/".join(path.split("/")[:-1][:4]) or "/"
