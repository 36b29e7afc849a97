"""The running server: uvicorn with sockets, TLS and a door of our own."""

from __future__ import annotations

import signal
import socket
import ssl
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from aamic.serve.door import Crowd, Door
from aamic.serve.protocol import LARGEST_HEAD, PunctualProtocol

PATIENCE: Final = 10.0
"""Seconds for sending a request and for reading its answer, on top of what making it takes (our policy)."""
IDLE: Final = 5
"""Seconds that a connection may wait for its next request."""
_FAREWELL: Final = 3
"""Seconds for answers that are under way when the server is asked to end."""


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms connections are had."""

    patience: float = PATIENCE
    crowd: Crowd = field(default_factory=Crowd)


class Server(uvicorn.Server):
    """Answers on listening sockets until it gets SIGTERM or SIGINT; `interrupted` says that one was the latter."""

    def __init__(
        self, app: ASGIApp, sockets: Sequence[socket.socket], tls: ssl.SSLContext | None, terms: Terms
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="asyncio",
                http=PunctualProtocol,
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                log_level="error",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=IDLE,
                timeout_graceful_shutdown=_FAREWELL,
                h11_max_incomplete_event_size=LARGEST_HEAD,
            )
        )
        self._door = Door(sockets, tls, terms.crowd)
        self._patience = terms.patience
        self.interrupted = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002  # ours are known
        """Open the door."""
        await super().startup([])
        self._door.open(lambda ended: PunctualProtocol(self.config, self.server_state, self._patience, ended))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the door, and let answers that are under way end."""
        self._door.close()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Take signals as the wish to end; unlike uvicorn's own, do not die of them afterwards."""
        with super().capture_signals():
            yield
            self.interrupted = signal.SIGINT in self._captured_signals
            self._captured_signals.clear()
