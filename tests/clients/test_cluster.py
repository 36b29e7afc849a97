"""Every answer of another cluster that does not count is a state of its own, with words that help."""

from __future__ import annotations

import gzip
import logging
import re
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aamic.clients.cluster import open_aami
from aamic.errors import RemoteError, RemoteState
from aamic.model import api
from aamic.model.secret import SecretFile
from tests.clients.peers import PING, Answer, cluster, drips, http, opened, peer, sends

KEY = "k3y-of-ours-0123456789"
HTML = b"<!DOCTYPE html><title>Log in</title>"
CASES: dict[str, tuple[Answer, RemoteState, str, str]] = {
    "401": (sends(http(401, b"{}")), "unauthorized", "answered 401, it does not know our key", "api_key"),
    "403": (sends(http(403, b"{}")), "forbidden", "answered 403, we have no right", "ask there"),
    "404": (sends(http(404, HTML, "text/html")), "not found", "answered 404, there is no such page", "endpoint"),
    "429": (
        sends(http(429, b'{"error":"600 a minute"}', headers={"Retry-After": "17"})),
        "limited",
        "answered 429, we ask too often: 600 a minute",
        "Retry-After: 17",
    ),
    "429 without a time": (sends(http(429, b"")), "limited", "we ask too often", "ask again later"),
    "503": (
        sends(http(503, b'{"error":"Prometheus does not answer"}')),
        "unavailable",
        "answered 503, it cannot answer now: Prometheus does not answer",
        "later",
    ),
    "503 that steers terminals": (
        sends(http(503, b"\x1b[2J\x9bgone\n" + b"x" * 70_000, "text/plain")),
        "unavailable",
        r"it cannot answer now: \x1b[2J" + "�gone xxx",
        "later",
    ),
    "503 without an end": (drips(b"HTTP/1.1 503 no\r\n\r\n", b"a" * 65536), "unavailable", "cannot answer", "later"),
    "500": (sends(http(500, b"oops", "text/plain")), "failing", "answered 500, it fails: oops", "its log"),
    "502": (sends(http(502, HTML, "text/html")), "failing", "answered 502, it fails", "its log"),
    "418": (sends(http(418, b"tea", "text/plain")), "foreign", "answered 418, which is no answer", "`endpoint`"),
    "204": (sends(b"HTTP/1.1 204 none\r\n\r\n"), "foreign", "answered 204, which is no answer", "`endpoint`"),
    "101": (sends(b"HTTP/1.1 101 Up\r\nUpgrade: x\r\n\r\n"), "foreign", "not by the rules of HTTP", "another service"),
    "redirect": (
        sends(http(302, b"", headers={"Location": "https://sso.example/\x07?from=aami"})),
        "foreign",
        r"a redirect to `https://sso.example/\x07?from=aami`, which is not followed",
        "right `endpoint`",
    ),
    "redirect to nothing": (sends(http(308, b"")), "foreign", "a redirect to `nowhere`", "right `endpoint`"),
    "page for people": (sends(http(200, HTML, "text/html; charset=utf-8")), "foreign", "a page for people", "log in"),
    "text": (sends(http(200, b"up 1", "text/plain")), "foreign", "answers with `text/plain`, not with JSON", "`kind`"),
    "no type": (sends(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"), "foreign", "does not name", "`kind`"),
    "another document": (sends(http(200, b'{"status":"ok"}')), "foreign", "cluster: Field required", "another program"),
    "wrong value": (
        sends(http(200, b'{"ok":false,"cluster":"busan"}')),
        "foreign",
        "ok: Input should be True",
        "another program",
    ),
    "no JSON": (sends(http(200, HTML)), "foreign", "the document: Invalid JSON", "another program"),
    "no text": (sends(http(200, b"\xff\xfe")), "foreign", "the document: Invalid JSON", "another program"),
    "deep": (sends(http(200, b"[" * 100_000)), "foreign", "the document: Invalid JSON", "another program"),
    "cut off": (
        sends(http(200, PING)[:-3], then_close=True),
        "foreign",
        f"broke off its answer after {len(PING) - 3} bytes",
        "cut it off",
    ),
    "cut off between chunks": (
        sends(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
            then_close=True,
        ),
        "foreign",
        "broke off its answer after 1 bytes",
        "cut it off",
    ),
    "no HTTP": (
        sends(b"SSH-2.0-OpenSSH_9.2\r\nInvalid SSH identification string.\r\n", then_close=True),
        "foreign",
        "not by the rules of HTTP",
        "another service",
    ),
    "endless header": (
        drips(b"HTTP/1.1 200 OK\r\nX: ", b"x" * 65536),
        "foreign",
        "not by the rules of HTTP",
        "another service",
    ),
    "compressed": (
        sends(http(200, gzip.compress(PING), headers={"Content-Encoding": "gzip"})),
        "foreign",
        "answers compressed, though it was asked not to",
        "proxy",
    ),
    "too large": (
        sends(http(200, b" " * (api.MAX_BYTES + 1))),
        "foreign",
        "answers with more than 16 MiB",
        "ask for less",
    ),
    "without end": (
        drips(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n", b" " * (1 << 20)),
        "foreign",
        "answers with more than 16 MiB",
        "ask for less",
    ),
    "closed": (sends(then_close=True), "unreachable", "closes the connection without an answer", "tried twice"),
}


def failure(answer: Answer, timeout: float = 5.0) -> RemoteError:
    with peer(answer) as there, opened(cluster(there.url, timeout)) as remote, pytest.raises(RemoteError) as caught:
        remote.ping()
    assert f"`{there.url}" in str(caught.value)
    return caught.value


@pytest.mark.parametrize("case", CASES)
def test_each_way_to_fail_is_told_apart(case: str) -> None:
    answer, state, told, hint = CASES[case]

    found = failure(answer)

    assert state == found.state
    assert told in str(found)
    assert hint in str(found.hint)
    assert str(found).isprintable()
    assert len(str(found)) < 400


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


APART = ("unshare", "--map-root-user", "--mount", "--net", "sh", "-ec")
SILENT = 'ip link set lo up; mount --bind "$0" /etc/resolv.conf; exec "$@"'


def can_stand_apart() -> bool:
    """Whether there may be a network with a name server of our own."""
    with suppress(FileNotFoundError):
        return subprocess.run([*APART, "ip link set lo up"], capture_output=True, check=False).returncode == 0
    return False


@pytest.mark.skipif(not can_stand_apart(), reason="needs namespaces of users")
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


def test_documents_come_as_they_are() -> None:
    asked: list[str] = []
    bodies = {
        "ping": PING,
        "version": b'{"aamic":"0.1.0","cluster":"busan","new":1}',
        "alerts": b'{"cluster":"busan","at":1,"alerts":[],"total":0}',
        "nodes": b'{"cluster":"busan","at":1,"nodes":[],"total":0}',
        "health": b'{"cluster":"busan","at":1,"overall":"ok","score":null,"nodes":{},"racks":[]}',
        "status": b'{"cluster":"busan","at":1,"verdict":"ok","nodes":{"total":null,"up":1,"down":0},"verdicts":null,'
        b'"score":null,"gpus":[],"alerts":null,"shards":[],"clusters":[]}',
    }

    def answer(connected: socket.socket) -> None:
        path = there.requests[-1].split()[1].decode()
        asked.append(path)
        connected.sendall(http(200, bodies[re.split("[/?]", path)[3 + path.count("/site")]]))

    with peer(answer) as there, opened(cluster(f"{there.url}/site/")) as remote:
        found = (remote.ping(), remote.version(), remote.status(), remote.health())
        alerts = remote.alerts("critical", 7)
        nodes = remote.nodes(1000, 2000)
        remote.alerts(None, 1)

    assert [each.cluster for each in (*found, alerts, nodes)] == ["busan"] * 6
    assert asked == [
        "/site/api/v1/ping",
        "/site/api/v1/version",
        "/site/api/v1/status",
        "/site/api/v1/health",
        "/site/api/v1/alerts?severity=critical&limit=7",
        "/site/api/v1/nodes?limit=1000&offset=2000",
        "/site/api/v1/alerts?limit=1",
    ]
    assert there.connections == 1


def test_a_request_says_who_asks_and_with_which_key(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{KEY}\n")
    with peer(sends(http(200, PING, headers={"Set-Cookie": "a=b"}))) as there:
        remote = replace(cluster(there.url), api_key=SecretFile(file="key"))
        with opened(remote, tmp_path) as found:
            found.ping()
            found.ping()

    assert there.requests[1].decode().splitlines() == [
        "GET /api/v1/ping HTTP/1.1",
        f"Host: {there.url.removeprefix('http://')}",
        "Accept: application/json",
        "Accept-Encoding: identity",
        "User-Agent: aamic",
        f"Authorization: Bearer {KEY}",
        "",
    ]


def chain(error: BaseException | None) -> list[str]:
    """Everything that an error and those behind it say."""
    shown = []
    while error is not None:
        shown += [str(error), repr(error), str(getattr(error, "hint", ""))]
        error = error.__cause__ or error.__context__
    return shown


@pytest.mark.parametrize(
    "answer",
    [
        sends(http(401, f'{{"error":"unknown key {KEY}"}}'.encode())),
        sends(http(503, b"x" * 190 + KEY.encode(), "text/plain")),
        sends(http(302, b"", headers={"Location": f"https://elsewhere/{KEY}"})),
        sends(http(429, b"", headers={"Retry-After": KEY})),
        sends(http(200, b"", KEY)),
        sends(http(200, f'{{"ok":"{KEY}"}}'.encode())),
        sends(KEY.encode(), then_close=True),
    ],
)
def test_no_message_holds_the_key_though_the_server_repeats_it(answer: Answer, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY)
    with peer(answer) as there:
        remote = replace(cluster(there.url), api_key=SecretFile(file="key"))
        with opened(remote, tmp_path) as found, pytest.raises(RemoteError) as caught:
            found.ping()

    assert [text for text in chain(caught.value) if KEY[:8] in text] == []
    assert KEY.encode() in there.requests[0]


@pytest.mark.parametrize("answer", [sends(http(200, PING)), sends(then_close=True), sends()])
def test_no_log_and_no_object_shows_the_key(answer: Answer, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "key").write_text(KEY)
    caplog.set_level(logging.DEBUG)
    with peer(answer) as there:
        remote = replace(cluster(there.url, 0.3), api_key=SecretFile(file="key"))
        with opened(remote, tmp_path) as found, suppress(RemoteError):
            found.ping()

    assert "send_request_headers" in caplog.text
    assert [text for text in (caplog.text, repr(remote), repr(found), repr(vars(found))) if KEY in text] == []


@pytest.mark.parametrize("value", ["two words", "line\nX-Evil: 1", "\r\nX-Evil: 1", "schlüssel", "\x00"])
def test_a_key_that_is_more_than_a_word_is_none(value: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(value.encode())
    remote = replace(cluster("http://127.0.0.1:1"), api_key=SecretFile(file="key"))

    with pytest.raises(RemoteError) as caught:
        open_aami(remote, tmp_path)

    assert caught.value.state == "no credentials"
    assert "`http://127.0.0.1:1` is not asked: the secret of the file `key` is no key" in str(caught.value)
    assert value not in str(caught.value)


def test_a_key_that_is_not_there_is_none(tmp_path: Path) -> None:
    remote = replace(cluster("http://127.0.0.1:1"), api_key=SecretFile(file="key"))

    with pytest.raises(RemoteError, match="the secret of the file `key` cannot be read: No such file") as caught:
        open_aami(remote, tmp_path)

    assert caught.value.state == "no credentials"


@pytest.mark.parametrize("host", ["198.18.0.1", "localhost.example", "127.0.0.1.example"])
def test_a_key_does_not_leave_this_machine_in_plain_text(host: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY)
    remote = replace(cluster(f"http://{host}:9"), api_key=SecretFile(file="key"))

    with pytest.raises(RemoteError, match="is not asked: `api_key` would be seen") as caught:
        open_aami(remote, tmp_path)

    assert caught.value.state == "no credentials"


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


def test_every_state_is_explained() -> None:
    page = (Path(__file__).parents[2] / "docs/clusters.md").read_text()
    table = page.split("\n## States\n")[1].split("\n## ")[0]

    assert re.findall(r"^\| `(.*?)` \|", table, re.MULTILINE) == ["connected", *get_args(RemoteState)]


STATUSES = st.one_of(
    st.binary(max_size=20), st.sampled_from([b"200 OK", b"302 no", b"401", b"503 x", b"999 y", b"000"])
)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            [b"Content-Type", b"Content-Length", b"Content-Encoding", b"Location", b"Set-Cookie", b"Retry-After"]
        ),
        st.one_of(st.binary(max_size=20), st.sampled_from([b"application/json", b"0", b"99", b"gzip", b"text/html"])),
    ),
    max_size=4,
)


@given(STATUSES, HEADERS, st.one_of(st.binary(), st.just(PING)))
@example(b"302 no", [(b"Location", b"http://[")], b"")
@example(b"200 OK", [(b"Content-Type", b"application/json")], PING)
def test_whatever_is_answered_is_a_document_or_a_state(
    status: bytes, headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
    answer = sends(b"HTTP/1.1 " + status + b"\r\n" + lines + b"\r\n" + body, then_close=True)
    with peer(answer) as there, opened(cluster(there.url)) as remote:
        try:
            assert remote.ping().ok
        except RemoteError as error:
            assert str(error).isprintable()  # noqa: PT017  # both are right
