"""Ports of each host: who listens where, and a free one for all that has none of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from typing import Final

from aamic.compile.findings import Findings, Path
from aamic.compile.hostlist import fold
from aamic.compile.text import shown
from aamic.compile.topology import Plan
from aamic.errors import InputError, Problem
from aamic.model.fleet import Node
from aamic.model.site import Site

FIRST_OPEN_PORT: Final = 1024
"""Below it, Linux lets only root listen."""
LAST_PORT: Final = 65_535
SLURM_PORTS: Final = {"slurmctld": 6817, "slurmd": 6818, "slurmdbd": 6819, "slurmrestd": 6820}
PROMETHEUS: Final = "servers of Prometheus"
_ROOM_HINT: Final = "list fewer `reserved_ports`"


@dataclass(frozen=True, slots=True)
class Listener:
    """A program that listens on one port of some hosts; `origin` is the path in site.yaml that sets the port.

    `unprivileged`: it is known to run as another user than root.
    """

    what: str
    port: int
    hosts: tuple[str, ...]
    origin: Path
    unprivileged: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """A program that needs a port of one host: `port` if the site sets it, else the first free one from `base`.

    `origin` is the path in site.yaml that sets either; `kind` says of which programs it is one.
    """

    what: str
    kind: str
    host: str
    base: int
    origin: Path
    port: int | None = None


class NoPortLeftError(InputError):
    """Some hosts have no free port for a program; `kinds` are those that lack one, by host."""

    def __init__(self, kinds: Mapping[str, str]) -> None:
        self.kinds = dict(kinds)
        super().__init__([Problem(_no_room(host, kind), None, _ROOM_HINT) for host, kind in self.kinds.items()])


def server_claims(plans: Iterable[Plan], base: int) -> list[Claim]:
    """The port that each server of Prometheus needs."""
    return [
        Claim(f"Prometheus `{plan.name}`", PROMETHEUS, plan.host, base, plan.port_origin, plan.port)
        if plan.port is not None
        else Claim("Prometheus", PROMETHEUS, plan.host, base, ("prometheus", "port"))
        for plan in plans
    ]


def assign_ports(
    site: Site,
    claims: Sequence[Claim],
    listeners: Sequence[Listener],
    nodes: Mapping[str, Node],
    findings: Findings,
) -> tuple[int, ...]:
    """The port of each claim. Report every port that two programs want, that only root may have, or that is missing."""
    asked = [*listeners, *fixed(claims)]
    check_listeners([*slurm_listeners(site, nodes), *asked], nodes, findings)
    _check_privileges([*asked, *_open(claims)], findings)
    try:
        return allocate(claims, listeners, nodes)
    except NoPortLeftError as error:
        for host, kind in error.kinds.items():
            findings.error(_no_room(host, kind), findings.place("nodes", host, "reserved_ports"), _ROOM_HINT)
        return (LAST_PORT,) * len(claims)


def slurm_listeners(site: Site, nodes: Mapping[str, Node]) -> list[Listener]:
    """Slurm's daemons on the ports that they have by default: slurmd on each node but the controller."""
    if site.slurm is None or not site.slurm.enabled:
        return []
    controller = (site.slurm.controller,)
    others = tuple(name for name in nodes if name not in controller)
    return [
        Listener(f"Slurm's {daemon}", port, others, ("slurm",))
        if daemon == "slurmd"
        else Listener(f"Slurm's {daemon}", port, controller, ("slurm", "controller"))
        for daemon, port in SLURM_PORTS.items()
    ]


def check_listeners(listeners: Sequence[Listener], nodes: Mapping[str, Node], findings: Findings) -> None:
    """Report every port of a host that two programs want."""
    reserved = _reserved(nodes)
    by_port: dict[int, list[Listener]] = {}
    for listener in listeners:
        by_port.setdefault(listener.port, []).append(listener)
    for port, sharing in by_port.items():
        for listener in sharing:
            common = reserved.get(port, set()).intersection(listener.hosts)
            if common:
                origin = ("nodes", min(common), "reserved_ports")
                other = Listener("other software (`reserved_ports`)", port, tuple(common), origin)
                _report(other, listener, common, findings)
        for first, second in combinations(sharing, 2):
            common = set(first.hosts).intersection(second.hosts)
            if common and first.origin != second.origin:
                _report(first, second, common, findings)


def _report(first: Listener, second: Listener, hosts: Iterable[str], findings: Findings) -> None:
    """The places are those that the site says; a port that is a default has none."""
    origins = [listener.origin for listener in (second, first) if findings.is_written(*listener.origin)]
    place, *others = dict.fromkeys(findings.place(*origin) for origin in origins or [()])
    findings.error(
        f"port {second.port} on {shown(fold(hosts))} is taken twice: by {first.what} and by {second.what}",
        place,
        "give one of them another port",
        tuple(others),
    )


def _check_privileges(listeners: Iterable[Listener], findings: Findings) -> None:
    for listener in listeners:
        if listener.unprivileged and listener.port < FIRST_OPEN_PORT:
            findings.error(
                f"port {listener.port} needs root, which {listener.what} does not run as",
                findings.place(*listener.origin),
                f"use {FIRST_OPEN_PORT} or above",
            )


def _no_room(host: str, kind: str) -> str:
    return f"no port is free on {shown(host)} for all {kind}"


def _reserved(nodes: Mapping[str, Node]) -> dict[int, set[str]]:
    """The hosts on which other software is said to listen, of each port."""
    hosts: dict[int, set[str]] = {}
    for node in nodes.values():
        for port in node.reserved_ports:
            hosts.setdefault(port, set()).add(node.name)
    return hosts


def allocate(claims: Sequence[Claim], listeners: Sequence[Listener], nodes: Mapping[str, Node]) -> tuple[int, ...]:
    """The port of each claim: the one asked for, else the first free one from its base on its host.

    Ports of every other program of the site are passed over on all hosts, so that moving a program to another host
    later does not meet a server that took its port. Earlier claims choose first, whatever comes after them.

    Raises:
        NoPortLeftError: Hosts have fewer free ports than claims.
    """
    avoid = {listener.port for listener in listeners} | set(SLURM_PORTS.values())
    used = {claim.host: set(nodes[claim.host].reserved_ports) for claim in claims}
    for claim in claims:
        used[claim.host].update({claim.port} if claim.port is not None else ())
    ports: list[int] = []
    full: dict[str, str] = {}
    for claim in claims:
        port = claim.port
        if port is None:
            taken = used[claim.host]
            port = next((port for port in _upwards(claim.base) if port not in avoid and port not in taken), None)
        if port is None:
            full.setdefault(claim.host, claim.kind)
        else:
            used[claim.host].add(port)
            ports.append(port)
    if full:
        raise NoPortLeftError(full)
    return tuple(ports)


def _upwards(base: int) -> Iterable[int]:
    return chain(range(base, LAST_PORT + 1), range(FIRST_OPEN_PORT, base))


def fixed(claims: Iterable[Claim]) -> list[Listener]:
    """Claims whose port the site sets, as listeners."""
    return [
        Listener(claim.what, claim.port, (claim.host,), claim.origin, unprivileged=True)
        for claim in claims
        if claim.port is not None
    ]


def _open(claims: Iterable[Claim]) -> list[Listener]:
    """The first ports that are tried for the others, once for each key that sets one."""
    bases = {claim.origin: claim for claim in claims if claim.port is None}
    return [Listener(claim.what, claim.base, (), origin, unprivileged=True) for origin, claim in bases.items()]
