"""The client of Prometheus against servers that answer, refuse, stall, and talk nonsense."""

from __future__ import annotations

import json
import math
import socket
import time
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aamic.agent.health.promquery import NoAnswer, Sample, ask, fetch, parse, query
from tests.agent.health.servers import closed, http, raw


def vector(*series: tuple[dict[str, str], str]) -> bytes:
    result = [{"metric": labels, "value": [1_790_000_000.123, value]} for labels, value in series]
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}).encode()


def test_a_vector_is_read_and_the_query_is_posted_whole() -> None:
    asked = []

    def answer(path: str, body: bytes) -> tuple[int, bytes]:
        asked.append((path, parse_qs(body.decode())))
        return 200, vector(({"node": "gpu-001"}, "1"), ({"node": "gpu-002"}, "NaN"))

    with http(answer) as base:
        found = query(base + "/", 'up{node=~"a|b"} + 1 & 2')

    assert found[0] == Sample({"node": "gpu-001"}, 1.0)
    assert math.isnan(found[1].value)
    assert asked == [("/api/v1/query", {"query": ['up{node=~"a|b"} + 1 & 2']})]


SERIES = b'{"status":"success","data":{"resultType":"vector","result":[%s]}}'


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (503, b"starting\nup", "status 503: starting up"),
        (302, b"", "status 302"),
        (200, b"<html>", "not an answer of Prometheus"),
        (200, b"[" * 100_000, "not an answer of Prometheus"),
        (200, b'{"status":"error","error":"bad \\u001b[31m query"}', "bad ?[31m query"),
        (200, b'{"status":"success","warnings":["remote read failed"]}', "remote read failed"),
        (200, b'{"status":"success","data":{"resultType":"matrix","result":[]}}', "no vector"),
        (200, SERIES % b'{"metric":{"a":1},"value":[1,"1"]}', "no texts"),
        (200, SERIES % b'{"metric":{},"value":[1]}', "not an answer"),
        (200, b'{"status":"success","data":[]}', "not an answer"),
        (200, b"null", "not an answer"),
    ],
)  # fmt: skip
def test_anything_else_is_no_answer_and_says_where(status: int, body: bytes, told: str) -> None:
    with http(lambda *_: (status, body)) as base, pytest.raises(NoAnswer, match=r"http://127[.]0[.]0[.]1:") as caught:
        query(base, "up")

    assert told in str(caught.value)
    assert str(caught.value).isprintable()


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=5) | st.dictionaries(
    st.sampled_from(["status", "data", "warnings", "error"]), st.none() | st.just("success") | st.dictionaries(
        st.sampled_from(["resultType", "result"]), st.just("vector") | st.lists(st.none() | st.dictionaries(
            st.sampled_from(["metric", "value"]), st.dictionaries(st.text(), st.text()) | st.lists(st.text())))),
))  # fmt: skip
def test_no_document_makes_the_reader_fail(document: Any) -> None:
    body = json.dumps(document).encode()
    read = _read(body)

    assert read is None or all(isinstance(one.value, float) for one in read)


def _read(body: bytes) -> list[Sample] | None:
    try:
        return parse(body)
    except NoAnswer:
        return None


def test_a_server_that_drips_is_cut_off_in_time() -> None:
    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        for _ in range(100):
            connection.sendall(b"X-More: 1\r\n")
            time.sleep(0.05)

    started = time.monotonic()
    with raw(drip) as base, pytest.raises(NoAnswer, match=r"no whole answer within 0\.3 s"):
        fetch(base, timeout=0.3)

    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", "lacks its last 95 bytes"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nshort", "IncompleteRead"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n", "http"),
        (b"SSH-2.0-OpenSSH\r\n", "SSH-2.0-OpenSSH"),
        (b"", "http"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 3000, "more than 1000 bytes"),
    ],
)
def test_an_answer_that_is_cut_short_or_too_long_is_none(said: bytes, told: str) -> None:
    with raw(lambda connection: connection.sendall(said)) as base, pytest.raises(NoAnswer) as caught:
        fetch(base, limit=1000)

    assert told in str(caught.value)


@pytest.mark.parametrize(
    "url", ["https://x/", "file:///etc/passwd", "http://", "http://x:port/", "http://a b/\r\nX:", ""]
)
def test_only_plain_http_is_spoken(url: str) -> None:
    with pytest.raises(NoAnswer):
        fetch(url)


def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", closed())

    with http(lambda *_: (200, b"here")) as base:
        assert fetch(base) == b"here"


def test_the_first_server_that_answers_counts() -> None:
    with http(lambda *_: (200, vector(({}, "7")))) as base:
        assert ask([closed(), base], "up") == [Sample({}, 7.0)]


def test_all_reasons_are_told_when_none_answers() -> None:
    first, second = closed(), closed()

    with pytest.raises(NoAnswer) as caught:
        ask([first, second], "up")
    with pytest.raises(NoAnswer, match="no server is named"):
        ask([], "up")

    assert first in str(caught.value)
    assert second in str(caught.value)
