"""HTTP with a deadline for a whole exchange: a socket's own timeout begins anew with each byte."""

from __future__ import annotations

import socket
from contextlib import suppress
from functools import partial
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from threading import Lock, Timer
from typing import Any
from urllib.request import (
    AbstractHTTPHandler,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    build_opener,
)


class Stay(HTTPRedirectHandler):
    """Follows no redirect: whoever answers does not choose what else this machine asks."""

    def redirect_request(self, *_: object) -> None:
        """Say that there is nothing to ask instead."""


class Deadline:
    """Cuts off, as a context, every connection of its `opener` after so many seconds; it raises TimeoutError then."""

    def __init__(self, seconds: float) -> None:
        self._late = False
        self._lock = Lock()
        self._sockets: list[socket.socket] = []
        self._timer = Timer(seconds, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> OpenerDirector:
        """Start the clock, and return what opens URLs until it ends; without proxies, and following no redirect."""
        self._timer.start()
        return build_opener(ProxyHandler({}), Stay(), _Plain(self), _Secure(self))

    def __exit__(self, *_: object) -> None:
        """Stop the clock.

        Raises:
            TimeoutError: It had ended, whatever seems to have come of the exchange.
        """
        self._timer.cancel()
        if self._late:
            raise TimeoutError("timed out")

    def hold(self, connected: socket.socket) -> None:
        """Cut this connection off as well."""
        with self._lock:
            self._sockets.append(connected)
        if self._late:
            _shut(connected)

    def _cut(self) -> None:
        with self._lock:
            self._late = True
            for each in self._sockets:
                _shut(each)


def _shut(connected: socket.socket) -> None:
    with suppress(OSError):
        socket.socket.shutdown(connected, socket.SHUT_RDWR)  # that of TLS would pull it from under its reader


class _Connection(HTTPConnection):
    def __init__(self, deadline: Deadline, host: str, **given: Any) -> None:
        super().__init__(host, **given)
        self._deadline = deadline

    def connect(self) -> None:
        super().connect()
        self._deadline.hold(self.sock)


class _SecureConnection(HTTPSConnection):
    def __init__(self, deadline: Deadline, host: str, **given: Any) -> None:
        super().__init__(host, **given)
        self._deadline = deadline

    def connect(self) -> None:
        super().connect()
        self._deadline.hold(self.sock)


class _Plain(HTTPHandler):
    def __init__(self, deadline: Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def http_open(self, req: Request) -> HTTPResponse:
        return self.do_open(partial(_Connection, self._deadline), req)


class _Secure(HTTPSHandler):
    def __init__(self, deadline: Deadline) -> None:
        AbstractHTTPHandler.__init__(self)  # its own reads all certificates, also where none is needed
        self._deadline = deadline

    def https_open(self, req: Request) -> HTTPResponse:
        return self.do_open(partial(_SecureConnection, self._deadline), req)
