"""TLS handshakes that tell a client why they failed.

asyncio closes a connection whose handshake fails without sending the alert that OpenSSL has ready, so a client that
lacks a certificate would only learn that the server went away.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from typing import Any


class _Telling(ssl.SSLObject):
    """TLS of one connection; `alert` is where its last words go."""

    alert: tuple[socket.socket, ssl.MemoryBIO] | None = None

    def do_handshake(self) -> None:
        """Go on with the handshake, and send the alert if it fails."""
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError:
            if self.alert is not None:
                client, outgoing = self.alert
                with suppress(OSError):
                    client.send(outgoing.read())
            raise


class Telling:
    """A TLS context for one socket, of which asyncio needs `wrap_bio` alone."""

    def __init__(self, context: ssl.SSLContext, client: socket.socket) -> None:
        context.sslobject_class = _Telling
        self._context = context
        self._client = client

    def wrap_bio(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, **options: Any) -> ssl.SSLObject:
        """The TLS of the socket's connection."""
        made = self._context.wrap_bio(incoming, outgoing, **options)
        if isinstance(made, _Telling):
            made.alert = self._client, outgoing
        return made
