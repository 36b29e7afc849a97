"""A transport of httpx by which a timeout is for a whole exchange: from the name's look-up to the answer's last byte.

Elsewhere a timeout begins anew with each address, each byte and each step. Within, one is the moment at which it ends,
by `time.monotonic()`.
"""

from __future__ import annotations

import ipaddress
import queue
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from typing import Any

import httpcore
import httpx

from aamic.clients.base import Shown


class HandshakeTimeoutError(httpcore.ConnectTimeout):
    """A connection was made, and TLS was not agreed on in time."""


class Transport(httpx.BaseTransport):
    """Connections to one server, kept for its next request; safe to use from many threads.

    `shown` is the certificate of the server that answered last, None without TLS.
    """

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self.shown: Shown | None = None
        self._pool = httpcore.ConnectionPool(context, network_backend=_Network())

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return an answer whose body has not come yet.

        Raises:
            httpcore.TimeoutException: The request's time is over.
            httpcore.NetworkError: The connection failed; an OSError, where there is one, is its argument.
            httpcore.ProtocolError: It is no HTTP.
        """
        until = time.monotonic() + request.extensions["timeout"]["read"]
        where = request.url
        url = httpcore.URL(scheme=where.raw_scheme, host=where.raw_host, port=where.port, target=where.raw_path)
        timeout = {"connect": until, "read": until, "write": until, "pool": request.extensions["timeout"]["pool"]}
        asked = httpcore.Request(request.method, url, headers=request.headers.raw, extensions={"timeout": timeout})
        answer = self._pool.handle_request(asked)
        self.shown = _shown(answer.extensions["network_stream"].get_extra_info("socket"))
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer))

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()


def _shown(connected: socket.socket) -> Shown | None:
    found: Any = connected.getpeercert() if isinstance(connected, ssl.SSLSocket) else None
    if not found:
        return None
    others = ", ".join(name for _, name in found.get("subjectAltName", ()))
    subject, issuer = _name(found["subject"]) or others, _name(found["issuer"])
    return Shown(subject, issuer, ssl.cert_time_to_seconds(found["notAfter"]))


def _name(distinguished: Iterable[Iterable[tuple[str, str]]]) -> str:
    """The common name, or everything else where there is none."""
    parts = dict(pair for part in distinguished for pair in part)
    return parts.get("commonName") or ", ".join(parts.values())


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        return self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


class _Network(httpcore.NetworkBackend):
    def __init__(self) -> None:
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address of a name that answers, each within its share of the time that is left."""
        addresses = _addresses(host, port, timeout)
        for others, address in zip(range(len(addresses) - 1, -1, -1), addresses, strict=True):
            share = _left(timeout) / (others + 1)
            try:
                return _Stream(self._sockets.connect_tcp(address, port, share, local_address, socket_options))
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if not others:
                    raise
        raise httpcore.ConnectError("no address")


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner
        self._heard = False

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what comes; a connection that ends before any answer is none, unlike one that ends a body."""
        found = self._inner.read(max_bytes, _left(timeout))
        if not found and not self._heard:
            raise httpcore.ReadError("closed")
        self._heard = True
        return found

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send a part of a request."""
        self._heard = False
        self._inner.write(buffer, _left(timeout))

    def close(self) -> None:
        """Close the connection."""
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Return the same connection, secured."""
        with ExitStack() as undo:
            undo.callback(self.close)
            try:
                secured = _Stream(self._inner.start_tls(ssl_context, server_hostname, _left(timeout)))
            except httpcore.TimeoutException as error:
                raise HandshakeTimeoutError from error
            undo.pop_all()
            return secured

    def get_extra_info(self, info: str) -> Any:
        """Return what the socket is, such as whether there is something to read."""
        return self._inner.get_extra_info(info)


def _left(until: float | None) -> float:
    left = (until or 0.0) - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("timed out")
    return left


def _addresses(host: str, port: int, until: float | None) -> list[str]:
    """The addresses of a name. The resolver knows no timeout, so it is left behind where it takes too long."""
    with suppress(ValueError):
        return [str(ipaddress.ip_address(host))]
    found: queue.SimpleQueue[list[str] | OSError | UnicodeError] = queue.SimpleQueue()
    threading.Thread(target=lambda: found.put(_resolved(host, port)), daemon=True).start()
    answer: list[str] | OSError | UnicodeError
    try:
        answer = found.get(timeout=_left(until))
    except queue.Empty:
        answer = socket.gaierror(socket.EAI_AGAIN, "no name server answers in time")
    if isinstance(answer, Exception):
        raise httpcore.ConnectError(answer) from answer
    return answer


def _resolved(host: str, port: int) -> list[str] | OSError | UnicodeError:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:  # the latter of a name with an empty or too long part
        return error
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
