"""Ports that are free on every loopback address of a twin, and stay its own."""

from __future__ import annotations

import socket
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress

from aamic.errors import OutsideError

FIRST, LAST = 21_000, 32_000
"""Below Linux's default range for outgoing connections, which begins at 32768."""
_RESERVING = "127.0.0.1"


@contextmanager
def reserved_ports(count: int, addresses: Collection[str]) -> Iterator[tuple[int, ...]]:
    """Yield `count` ports that nothing listens on at any of the addresses, the first such ones from 21000.

    Each is held at 127.0.0.1, which is no node's address, so that another twin takes others until the block ends.

    Raises:
        OutsideError: There are not so many.
    """
    with ExitStack() as held:
        ports: list[int] = []
        for port in range(FIRST, LAST):
            if len(ports) == count:
                break
            with suppress(OSError):
                _reserve(port, addresses, held)
                ports.append(port)
        if len(ports) < count:
            raise OutsideError(f"only {len(ports)} of {count} ports between {FIRST} and {LAST} are free")
        yield tuple(ports)


def _reserve(port: int, addresses: Collection[str], held: ExitStack) -> None:
    with ExitStack() as mine:
        mine.enter_context(_bound(_RESERVING, port))
        for address in addresses:
            with _bound(address, port):
                pass
        held.push(mine.pop_all())


@contextmanager
def _bound(address: str, port: int) -> Iterator[None]:
    """Bind without SO_REUSEADDR: it fails if anything listens there, or on all addresses."""
    with socket.socket() as probe:
        probe.bind((address, port))
        yield
