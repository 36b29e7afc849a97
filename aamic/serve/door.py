"""Where connections come in: so many at once, so many from one address, and with a TLS handshake that ends in time."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, cast

from aamic.serve import log
from aamic.serve.handshake import Telling
from aamic.serve.limiting import source

HANDSHAKE: Final = 5.0
"""Seconds for a TLS handshake, and for the end of one (our policy)."""
_PAUSE: Final = 0.2
"""Seconds to wait where the system has no more sockets."""

Protocols = Callable[[Callable[[], None]], asyncio.Protocol]
"""Makes what speaks on a connection, from what it calls when that ends."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """How many connections there may be; those above are closed at once."""

    total: int = 800
    address: int = 300


class Door:
    """Listening sockets and the connections that came in through them."""

    def __init__(self, sockets: Sequence[socket.socket], tls: ssl.SSLContext | None, crowd: Crowd) -> None:
        self._sockets = sockets
        self._tls = tls
        self._crowd = crowd
        self._inside: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self, protocols: Protocols) -> None:
        """Let connections in from now on."""
        for each in self._sockets:
            each.setblocking(False)
            each.listen(1024)
            self._begin(self._accept(each, protocols))

    def close(self) -> None:
        """Let no further connection in."""
        for task in self._tasks:
            task.cancel()
        for each in self._sockets:
            each.close()

    def _begin(self, work: asyncio.Future[None] | object) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(work)  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, listening: socket.socket, protocols: Protocols) -> None:
        while True:
            try:
                client, address = await asyncio.get_running_loop().sock_accept(listening)
            except OSError as error:
                log.LOGGER.error("no connection can be accepted: %s", error.strerror)
                await asyncio.sleep(_PAUSE)
                continue
            if release := self._admit(source(str(address[0]))):
                self._begin(self._greet(client, protocols, release))
            else:
                client.close()

    def _admit(self, address: str) -> Callable[[], None] | None:
        """Count a connection, and return what is called at its end; None where there are enough."""
        if self._inside.total() >= self._crowd.total or self._inside[address] >= self._crowd.address:
            log.LOGGER.warning("turned a connection away: there are %d", self._inside.total())
            return None
        self._inside[address] += 1
        return lambda: self._release(address)

    def _release(self, address: str) -> None:
        self._inside[address] -= 1
        if not self._inside[address]:
            del self._inside[address]

    async def _greet(self, client: socket.socket, protocols: Protocols, release: Callable[[], None]) -> None:
        """Bring a connection to the point where HTTP begins."""
        limit = HANDSHAKE if self._tls else None
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: protocols(release),
                client,
                ssl=cast("ssl.SSLContext", Telling(self._tls, client)) if self._tls else None,
                ssl_handshake_timeout=limit,
                ssl_shutdown_timeout=limit,
            )
        except (OSError, asyncio.CancelledError):
            release()
            with suppress(OSError):
                client.close()
