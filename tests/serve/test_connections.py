"""Connections that are slow, silent, broken or too many, over real sockets."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Lock, Thread
from time import monotonic, sleep

import pytest

from aamic.ops.clusterview import View
from aamic.serve.door import Crowd
from aamic.serve.server import Terms
from tests.serve.server import KEY, Setup, running, view
from tests.serve.test_app import client_of

HEAD = f"GET /api/v1/nodes HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\n".encode()
PATIENCE = 0.6


def opened(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def closed_after(port: int, first: bytes, then: bytes = b"") -> float:
    """Seconds until the server ends a connection on which these bytes come, then one more every 50 ms."""
    began = monotonic()
    with opened(port) as connection:
        connection.sendall(first)
        connection.settimeout(0.05)
        while monotonic() - began < 10:
            try:
                if connection.recv(65536) == b"":
                    return monotonic() - began
            except TimeoutError:
                if then:
                    connection.sendall(then)
            except OSError:
                return monotonic() - began
    raise AssertionError("it stays open")


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (b"", b""),
        (b"GET /", b""),
        (b"GET /", b"a"),
        (HEAD, b"X-A: 1\r\n"),
        (HEAD + b"Content-Length: 100000\r\n\r\n", b"x"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n", b""),
    ],
)
def test_slow_requests_end(first: bytes, then: bytes) -> None:
    with running(Setup(terms=Terms(patience=PATIENCE))) as port:
        assert closed_after(port, first, then) < PATIENCE + 3


def test_an_answer_that_nobody_reads_ends() -> None:
    large = View(view().status, view().health, view().nodes * 40, (), ())
    terms = Terms(patience=PATIENCE, crowd=Crowd(address=1))
    with running(Setup(look=lambda: large, terms=terms)) as port, opened(port) as unread:
        unread.settimeout(1)
        with suppress(OSError):
            unread.sendall((HEAD + b"\r\n") * 400)
        sleep(PATIENCE * 3)
        with client_of(port) as client:
            assert client.get("/api/v1/ping").status_code == 200


def test_a_patient_client_keeps_its_connection() -> None:
    with running(Setup(terms=Terms(patience=PATIENCE))) as port, opened(port) as connection:
        for _ in range(4):
            sleep(PATIENCE / 2)
            connection.sendall(HEAD + b"\r\n")
            answer = b""
            while not answer.endswith(b'"offset":0}'):
                answer += connection.recv(1 << 20)
            assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nA: b\rc\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 20_000, b"431"),
        (b"GET /" + b"x" * 20_000, b"431"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", b"401"),
    ],
)
def test_what_is_not_http_is_refused_as_json(sent: bytes, status: bytes) -> None:
    with running(Setup()) as port, opened(port) as connection:
        connection.sendall(sent)
        answer = connection.recv(65536)

    assert answer.startswith(b"HTTP/1.1 " + status)
    assert b"\r\ncontent-type: application/json\r\n" in answer.lower()


def test_nonsense_after_a_request_breaks_nothing() -> None:
    with running(Setup()) as port:
        with opened(port) as connection:
            connection.sendall(HEAD + b"\r\n\x00\x01\x02\r\n\r\n")
            while connection.recv(1 << 20):
                pass
        with client_of(port) as client:
            assert client.get("/api/v1/ping").status_code == 200


def test_there_are_only_so_many_connections() -> None:
    terms = Terms(patience=5.0, crowd=Crowd(total=10, address=4))
    with running(Setup(terms=terms)) as port:
        held = [opened(port) for _ in range(4)]
        sleep(0.2)
        with opened(port) as fifth:
            turned_away = fifth.recv(1)
        for each in held:
            each.close()
        sleep(0.2)
        with client_of(port) as client:
            assert (turned_away, client.get("/api/v1/ping").status_code) == (b"", 200)


class Counted:
    """A look that counts how often it was asked for, and takes a while."""

    def __init__(self, seconds: float) -> None:
        self.times = 0
        self._seconds = seconds
        self._lock = Lock()

    def __call__(self) -> View:
        with self._lock:
            self.times += 1
        sleep(self._seconds)
        return view()


def statuses(port: int, readers: int, path: str) -> list[int]:
    found: list[int] = []
    go = Event()

    def read() -> None:
        with client_of(port) as client:
            go.wait(20)
            found.append(client.get(path, timeout=60).status_code)

    threads = [Thread(target=read) for _ in range(readers)]
    for thread in threads:
        thread.start()
    go.set()
    for thread in threads:
        thread.join(60)
    return found


def test_many_readers_share_one_look() -> None:
    look = Counted(0.5)
    with running(Setup(look=look)) as port:
        assert statuses(port, 200, "/api/v1/status") == [200] * 200
    assert look.times <= 2  # a slow machine may need longer than a look counts


def hanging(until: Event) -> Callable[[], View]:
    def look() -> View:
        until.wait(30)
        return view()

    return look


def test_a_look_that_hangs_is_told_in_time_and_holds_up_nothing_else() -> None:
    until = Event()
    with running(Setup(look=hanging(until), timeout=0.5)) as port, client_of(port) as client:
        began = monotonic()
        first = statuses(port, 20, "/api/v1/status")
        spent = monotonic() - began
        again = monotonic()
        at_once = client.get("/api/v1/nodes")
        spent_again = monotonic() - again
        others = [client.get(f"/api/v1/{name}").status_code for name in ("ping", "version", "openapi.json")]
        until.set()

    assert (first, at_once.status_code, others) == ([503] * 20, 503, [200] * 3)
    assert spent < 5
    assert spent_again < 0.4
    assert at_once.json()["error"] == "this cluster's Prometheus gave no whole answer in 0.5 s"
