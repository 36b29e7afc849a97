"""Thanos in a twin: each of its processes on free ports, where this machine has the program."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from aamic.clients.processes import find_program
from aamic.errors import OutsideError
from aamic.model.fleet import Fleet, Thanos, ThanosComponent

PORTS_EACH = 2


def thanos_ports(fleet: Fleet) -> int:
    """How many free ports its processes take."""
    return PORTS_EACH * len(fleet.thanos.components) if fleet.thanos else 0


def on_ports(thanos: Thanos, ports: Iterable[int]) -> Thanos:
    """The same on these ports, which are free everywhere, two for each process; Query's for people is the site's."""
    free = iter(ports)
    return replace(thanos, components=tuple(_moved(each, next(free), next(free)) for each in thanos.components))


def _moved(each: ThanosComponent, http: int, grpc: int) -> ThanosComponent:
    http_port = each.http_port if each.kind == "query" else http
    return replace(each, http_port=http_port, grpc_port=None if each.grpc_port is None else grpc)


def is_here(fleet: Fleet) -> bool:
    """Whether a site has Thanos, and this machine the program."""
    if fleet.thanos is None:
        return False
    try:
        find_program(fleet.thanos.program)
    except OutsideError:
        return False
    return True
