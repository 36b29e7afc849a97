"""HTTP on one connection: uvicorn's, which ends when a request or the reading of its answer takes too long.

uvicorn has a limit only for the time between requests, so a client that sends a byte now and then would keep its
connection for ever.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any, Final

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from aamic.serve import log
from aamic.serve.refusal import Refusal
from aamic.serve.tls import owner

LARGEST_HEAD: Final = 16 * 1024
"""Bytes of a request before its body; more are not even collected."""


class PunctualProtocol(H11Protocol):
    """A connection that completes an answer every `patience` seconds, or is cut; `ended` is called at its end."""

    def __init__(self, config: Config, state: ServerState, patience: float, ended: Callable[[], None]) -> None:
        super().__init__(config, state, {})
        self._patience = patience
        self._ended = ended
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Begin to wait for the first answer."""
        super().connection_made(transport)
        self.app_state[log.OWNER] = owner(transport.get_extra_info("peercert"))
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        super().connection_lost(exc)
        self._stop()
        self._ended()

    def on_response_complete(self) -> None:
        """Begin to wait for the next answer, and for this one to be read."""
        self._wait()
        super().on_response_complete()

    def _wait(self) -> None:
        self._stop()
        self._timer = self.loop.call_later(self._patience, self._cut)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _cut(self) -> None:
        log.LOGGER.info("cut a connection that took longer than %g s", self._patience)
        self.transport.abort()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # uvicorn's text
        """Refuse what is not HTTP, or too much of it, as everything else is refused."""
        status = 431 if getattr(sys.exception(), "error_status_hint", 400) == 431 else 400  # noqa: PLR2004  # of HTTP
        log.access(log.Entry(None, log.address(self.client), log.OTHER, log.OTHER, status, 0.0))
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            told = "the headers are too large" if status == 431 else "this is not HTTP"  # noqa: PLR2004  # of HTTP
            self._refuse(Refusal(status, told))
        self.transport.close()

    def _refuse(self, refused: Refusal) -> None:
        answer = refused.response()
        headers: list[Any] = [*answer.raw_headers, (b"connection", b"close"), (b"cache-control", b"no-store")]
        reason = b"Bad Request" if refused.status == 400 else b"Request Header Fields Too Large"  # noqa: PLR2004
        events = (
            h11.Response(status_code=refused.status, headers=headers, reason=reason),
            h11.Data(data=bytes(answer.body)),
            h11.EndOfMessage(),
        )
        for event in events:
            self.transport.write(self.conn.send(event) or b"")
