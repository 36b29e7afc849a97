"""Asking exporters, from here and on a host."""

from __future__ import annotations

import http.server
import shutil
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from aamic.clients import pages
from aamic.clients.base import Answer
from aamic.clients.local import LocalHost
from aamic.clients.pages import NoAnswerError, read_on_host, read_page
from aamic.errors import OutsideError

Handler = Callable[[http.server.BaseHTTPRequestHandler], None]


@contextmanager
def serving(answer: Handler) -> Iterator[str]:
    """A server that answers so; its URL."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/metrics"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def text(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(b"x_total 1\n")


def status(code: int, **headers: str) -> Handler:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()

    return answer


def dripping(handler: http.server.BaseHTTPRequestHandler) -> None:
    """A byte every tenth of a second, which a timeout of single reads never ends."""
    handler.send_response(200)
    handler.end_headers()
    for _ in range(30):
        try:
            handler.wfile.write(b"x")
        except OSError:
            return
        time.sleep(0.1)


def closed() -> str:
    """A URL where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/metrics"


def test_a_page_and_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with serving(text) as url:
        assert read_page(url, 5) == b"x_total 1\n"
        assert read_on_host(LocalHost(), "here", url, 5, 10) == b"x_total 1\n"


def test_nobody_listens() -> None:
    url = closed()
    with pytest.raises(NoAnswerError) as caught:
        read_page(url, 5)

    assert str(caught.value) == f"`{url}`: connection refused"
    assert caught.value.hint == "is it up, and does a firewall let this machine and Prometheus through?"


@pytest.mark.parametrize("answer", [dripping, lambda _: time.sleep(1)], ids=["dripping", "silent"])
def test_too_slow(answer: Handler) -> None:
    with serving(answer) as url, pytest.raises(NoAnswerError) as caught:
        read_page(url, 0.3)

    assert str(caught.value) == f"`{url}`: no answer within 0.3 seconds"


def test_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_LARGEST", 8)
    with serving(text) as url, pytest.raises(OutsideError, match="answers with more than 0 MiB"):
        read_page(url, 5)


@pytest.mark.parametrize("code", [500, 404, 302])
def test_a_status_is_an_answer_and_redirects_are_not_followed(code: int) -> None:
    with (
        serving(text) as elsewhere,
        serving(status(code, Location=elsewhere)) as url,
        pytest.raises(OutsideError) as caught,
    ):
        read_page(url, 5)

    assert str(caught.value) == f"`{url}` answered with status {code}"
    assert not isinstance(caught.value, NoAnswerError)


def test_something_else_than_http() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"SSH-2.0-x\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/metrics"
        with pytest.raises(NoAnswerError) as caught:
            read_page(url, 5)
        thread.join()

    assert str(caught.value).startswith(f"`{url}`: ")


def test_a_host_that_gets_no_answer() -> None:
    url = closed()
    with pytest.raises(OutsideError) as caught:
        read_on_host(LocalHost(), "here", url, 5, 10)

    assert str(caught.value).startswith(f"`here` itself gets no answer from `{url}`: ")


class Bare:
    """A host without any of the programs."""

    def run(self, *_: object) -> Answer:
        return Answer(127, b"", b"")

    def close(self) -> None:
        """There is nothing to close."""


def test_a_host_without_a_program_to_ask_with() -> None:
    with pytest.raises(OutsideError, match="`here` has no curl, wget or python3 to ask with"):
        read_on_host(Bare(), "here", "http://127.0.0.1:1/", 5, 10)


class With(LocalHost):
    """This machine with nothing but these programs on its PATH."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def run(self, host: str, command: Sequence[str], payload: Sequence[bytes], timeout: float) -> Answer:
        return super().run(host, ["/usr/bin/env", f"PATH={self._folder}", "/bin/sh", *command[1:]], payload, timeout)


@pytest.mark.parametrize("name", ["curl", "wget", "python3"])
def test_whichever_program_the_host_has(name: str, tmp_path: Path) -> None:
    found = sys.executable if name == "python3" else shutil.which(name)
    if found is None:
        pytest.skip(f"this machine has no {name}")
    (tmp_path / name).write_text(f'#!/bin/sh\nexec {found} "$@"\n')
    (tmp_path / name).chmod(0o755)

    with serving(text) as url:
        assert read_on_host(With(tmp_path), "here", url, 5, 10) == b"x_total 1\n"
