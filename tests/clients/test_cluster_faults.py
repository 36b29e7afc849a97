"""Every answer of another cluster that does not count is a state of its own, with words that help."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aamic.errors import RemoteError, RemoteState
from aamic.model import api
from tests.clients.peers import PING, Answer, cluster, drips, failure, http, opened, peer, sends

HTML = b"<!DOCTYPE html><title>Log in</title>"
CASES: dict[str, tuple[Answer, RemoteState, str, str]] = {
    "401": (sends(http(401, b"{}")), "unauthorized", "answered 401, it wants a key, and none is configured", "api_key"),
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


@pytest.mark.parametrize("case", CASES)
def test_each_way_to_fail_is_told_apart(case: str) -> None:
    answer, state, told, hint = CASES[case]

    found = failure(answer)

    assert state == found.state
    assert told in str(found)
    assert hint in str(found.hint)
    assert str(found).isprintable()
    assert len(str(found)) < 400


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
