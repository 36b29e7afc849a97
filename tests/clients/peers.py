"""Servers on loopback that answer as they are told to, with TLS or without, and end with their test."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from aamic.clients.cluster import AamiCluster, open_aami
from aamic.errors import RemoteError
from aamic.model.fleet import RemoteCluster

Answer = Callable[[socket.socket], None]
PING = b'{"ok":true,"cluster":"busan"}'


@dataclass
class Peer:
    """A server: its URL, how many connections it took, and what was sent to it."""

    url: str
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)
    _open: list[socket.socket] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)

    def serve(self, listening: socket.socket, answer: Answer, tls: ssl.SSLContext | None) -> None:
        with suppress(OSError):
            while True:
                connected, _ = listening.accept()
                self.connections += 1
                self._open.append(connected)
                thread = threading.Thread(target=self._serve_one, args=(connected, answer, tls))
                self._threads.append(thread)
                thread.start()

    def _serve_one(self, connected: socket.socket, answer: Answer, tls: ssl.SSLContext | None) -> None:
        with suppress(OSError), connected:
            secured = tls.wrap_socket(connected, server_side=True) if tls else connected
            with secured:
                self._open.append(secured)
                while request := secured.recv(65536):
                    self.requests.append(request)
                    answer(secured)

    def end(self) -> None:
        for each in self._open:
            with suppress(OSError):
                socket.socket.shutdown(each, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()


@contextmanager
def peer(
    answer: Answer, tls: ssl.SSLContext | None = None, name: str = "127.0.0.1", family: int = socket.AF_INET
) -> Iterator[Peer]:
    """A server that does this for each request; with `tls` it is reached as `name`."""
    where = "::1" if family == socket.AF_INET6 else "127.0.0.1"
    with socket.create_server((where, 0), family=family) as listening:
        port = listening.getsockname()[1]
        found = Peer(f"{'https' if tls else 'http'}://{name}:{port}")
        thread = threading.Thread(target=found.serve, args=(listening, answer, tls))
        thread.start()
        try:
            yield found
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()
            found.end()


def sends(*pieces: bytes, then_close: bool = False) -> Answer:
    """What sends these bytes, and closes the connection or lets it be."""

    def answer(connected: socket.socket) -> None:
        for piece in pieces:
            connected.sendall(piece)
        if then_close:
            socket.socket.shutdown(connected, socket.SHUT_RDWR)

    return answer


def drips(start: bytes, more: bytes) -> Answer:
    """What sends a beginning, and then the same again and again for as long as somebody listens."""

    def answer(connected: socket.socket) -> None:
        connected.sendall(start)
        while True:
            connected.sendall(more)
            time.sleep(0.02)

    return answer


def http(status: int, body: bytes, kind: str = "application/json", headers: Mapping[str, str] | None = None) -> bytes:
    """An answer with its length, and with further headers."""
    lines = {"Content-Type": kind, "Content-Length": str(len(body))} | dict(headers or {})
    head = f"HTTP/1.1 {status} Whatever\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return head.encode("latin-1") + b"\r\n" + body


def cluster(url: str, timeout: float = 5.0) -> RemoteCluster:
    """What a site says of a cluster, without any credentials."""
    return RemoteCluster("busan", url, "aami", None, None, None, None, {}, timeout, federate=False)


@contextmanager
def opened(remote: RemoteCluster, folder: Path = Path("/nonexistent")) -> Iterator[AamiCluster]:
    """The client of a cluster, closed in the end."""
    found = open_aami(remote, folder)
    try:
        yield found
    finally:
        found.close()


def failure(answer: Answer, timeout: float = 5.0) -> RemoteError:
    """What is raised where a server answers so; it names the server."""
    with peer(answer) as there, opened(cluster(there.url, timeout)) as remote, pytest.raises(RemoteError) as caught:
        remote.ping()
    assert f"`{there.url}" in str(caught.value)
    return caught.value


def server_tls(pair: trustme.LeafCert, clients: trustme.CA | None = None) -> ssl.SSLContext:
    """What a server with this certificate uses; with `clients` it lets in those with a certificate from there."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pair.configure_cert(context)
    if clients is not None:
        clients.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def pem_of(authority: trustme.CA) -> bytes:
    """The certificate of an authority."""
    return authority.cert_pem.bytes()


def chain_of(pair: trustme.LeafCert) -> bytes:
    """A certificate with those that lead to its authority."""
    return b"".join(blob.bytes() for blob in pair.cert_chain_pems)


def days_from_now(days: int) -> datetime:
    return datetime.now(UTC) + timedelta(days=days)
