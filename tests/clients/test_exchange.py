"""One deadline for a whole exchange, whatever the other side does, and connections that are kept."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from aamic.errors import RemoteError
from tests.clients.peers import PING, Answer, cluster, drips, failure, http, opened, peer, sends

SLOW: dict[str, tuple[Answer, str]] = {
    "no answer": (sends(), "did not answer within 0.3 s"),
    "headers": (drips(b"HTTP/1.1 200 OK\r\nX-A: ", b"a"), "did not answer within 0.3 s"),
    "interim answers": (drips(b"", b"HTTP/1.1 102 Processing\r\n\r\n"), "did not answer within 0.3 s"),
    "body": (
        drips(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{", b" "),
        "did not end its answer within 0.3 s",
    ),
    "chunks": (
        drips(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"
        ),
        "did not end its answer within 0.3 s",
    ),
    "body of an error": (drips(b"HTTP/1.1 503 no\r\n\r\n", b"a"), "did not end its answer within 0.3 s"),
}


@pytest.mark.parametrize("case", SLOW)
def test_an_answer_has_one_deadline_from_first_to_last_byte(case: str) -> None:
    answer, told = SLOW[case]
    start = time.monotonic()

    found = failure(answer, 0.3)

    assert (found.state, told in str(found)) == ("slow", True)
    assert time.monotonic() - start < 3


def test_a_port_on_which_nobody_listens_refuses() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    with opened(cluster(url)) as remote, pytest.raises(RemoteError) as caught:
        remote.ping()

    assert (caught.value.state, str(caught.value)) == ("refused", f"`{url}` refuses connections")


def test_an_address_that_answers_nothing_is_slow() -> None:
    with socket.socket() as full, socket.socket() as first:
        full.bind(("127.0.0.1", 0))
        full.listen(0)  # one connection waits, and the next gets no answer
        first.connect(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}"
        with opened(cluster(url, 0.3)) as remote, pytest.raises(RemoteError) as caught:
            remote.ping()

    assert (caught.value.state, str(caught.value)) == ("slow", f"`{url}` let nobody connect within 0.3 s")


@pytest.mark.parametrize("name", ["a..b", f"{'a' * 64}.example", ".".join(["a" * 60] * 5)])
def test_a_name_that_can_be_none_is_unreachable(name: str) -> None:
    with opened(cluster(f"https://{name}")) as remote, pytest.raises(RemoteError) as caught:
        remote.ping()

    assert caught.value.state == "unreachable"
    assert f"`https://{name}` has a name that is not known: " in str(caught.value)


MAPPED = () if os.geteuid() == 0 else ("--map-root-user",)
APART = ("unshare", *MAPPED, "--mount", "--net", "sh", "-ec")
SILENT = 'ip link set lo up; mount --bind "$0" /etc/resolv.conf; exec "$@"'


def can_stand_apart() -> bool:
    """Whether there may be a network with a name server of our own."""
    with suppress(FileNotFoundError):
        return subprocess.run([*APART, "ip link set lo up"], capture_output=True, check=False).returncode == 0
    return False


@pytest.mark.skipif(not can_stand_apart(), reason="needs root, or namespaces of users")
def test_a_name_server_that_never_answers_costs_no_more_than_the_timeout(tmp_path: Path) -> None:
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1\n")
    program = [sys.executable, "-m", "tests.clients.silentdns"]
    done = subprocess.run(
        [*APART, SILENT, tmp_path / "resolv.conf", *program], capture_output=True, text=True, check=True
    )

    told = "`https://busan.example` has a name that is not known: no name server answers in time"
    assert done.stdout == f"unreachable | {told} | True\n"


def test_an_address_without_a_way_there_is_unreachable() -> None:
    with opened(cluster("http://255.255.255.255:9443", 2.0)) as remote, pytest.raises(RemoteError) as caught:
        remote.ping()

    assert caught.value.state == "unreachable"
    assert "is not reached: " in str(caught.value)


def test_no_proxy_stands_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")

    with peer(sends(http(200, PING))) as there, opened(cluster(there.url)) as remote:
        assert remote.ping().cluster == "busan"


def test_a_kept_connection_that_was_closed_costs_no_answer() -> None:
    """A server closes a connection that it kept, at the moment at which it is used again."""

    def answer(connected: socket.socket) -> None:
        if len(there.requests) != 2:
            connected.sendall(http(200, PING))
        else:
            connected.close()

    with peer(answer) as there, opened(cluster(there.url)) as remote:
        assert [remote.ping().cluster for _ in range(2)] == ["busan"] * 2

    assert len(there.requests) == 3


def test_what_is_answered_is_not_asked_twice() -> None:
    with peer(sends(http(500, b""))) as there, opened(cluster(there.url)) as remote:
        with suppress(RemoteError):
            remote.ping()

        assert len(there.requests) == 1


def test_many_threads_may_ask_at_once() -> None:
    def answer(connected: socket.socket) -> None:
        time.sleep(0.02)
        connected.sendall(http(200, PING))

    with peer(answer) as there, opened(cluster(there.url)) as remote, ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: remote.ping().cluster, range(64)))

    assert found == ["busan"] * 64
    assert there.connections <= 16
