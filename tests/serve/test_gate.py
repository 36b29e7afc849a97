"""Who is let in, how often, with how much, and what the log says of it."""

from __future__ import annotations

import logging
import re
from base64 import b64encode

import httpx
import pytest

from aamic.model.api import Fault
from tests.serve.server import KEY, Setup, keys, running
from tests.serve.test_app import client_of

OTHER = "another-key-9876543210"
LINE = re.compile(
    r'key="(?P<key>[^"]*)" address="(?P<address>[^"]*)" method="(?P<method>[^"]*)" path="(?P<path>[^"]*)" '
    r"status=(?P<status>\d+) ms=\d+\.\d"
)


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "aamic.serve")
    return caplog


def lines(logged: pytest.LogCaptureFixture) -> list[dict[str, str]]:
    found = [LINE.fullmatch(message) for message in logged.messages]
    return [match.groupdict() for match in found if match]


def basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def test_each_key_is_known_by_its_name(logged: pytest.LogCaptureFixture) -> None:
    with running(Setup(keys=tuple(keys(busan=KEY, daegu=OTHER)))) as port:
        for sent in (f"Bearer {KEY}", f"bearer  {OTHER}", basic("anybody", KEY), basic("", OTHER)):
            assert httpx.get(f"http://127.0.0.1:{port}/api/v1/ping", headers={"Authorization": sent}).status_code == 200

    assert [line["key"] for line in lines(logged)] == ["busan", "daegu", "busan", "daegu"]


@pytest.mark.parametrize(
    "sent",
    [
        None,
        "Bearer",
        "Bearer wrong",
        f"Bearer {KEY}x",
        f"Bearer {KEY[:-1]}",
        KEY,
        f"Token {KEY}",
        "Basic",
        "Basic !",
        basic("anybody", "wrong"),
        basic(KEY, ""),
        "Bearer ÿ",
    ],
)
def test_nobody_else_learns_even_which_paths_there_are(sent: str | None) -> None:
    headers = {} if sent is None else {b"Authorization": sent.encode("latin-1")}
    with running(Setup()) as port:
        paths = ("/", "/api/v1/ping", "/api/v1/metrics", "/openapi.json", "/nothing")
        answers = [httpx.get(f"http://127.0.0.1:{port}{path}", headers=headers) for path in paths]

    assert {401} == {answer.status_code for answer in answers}
    assert {'Bearer realm="aamic", Basic realm="aamic", charset="UTF-8"'} == {
        answer.headers["www-authenticate"] for answer in answers
    }
    assert len({Fault.model_validate_json(answer.content).error for answer in answers}) == 1


def test_two_keys_at_once_are_none() -> None:
    headers = [("Authorization", f"Bearer {KEY}"), ("Authorization", f"Bearer {KEY}")]
    with running(Setup()) as port:
        assert httpx.get(f"http://127.0.0.1:{port}/", headers=headers).status_code == 401


def test_rate_is_counted_for_each_key_and_for_those_without() -> None:
    setup = Setup(keys=tuple(keys(busan=KEY, daegu=OTHER)), rate=3)
    with running(setup) as port:
        got = {}
        for key in (KEY, OTHER, None):
            with client_of(port, key) as client:
                answers = [client.get("/api/v1/ping") for _ in range(4)]
            got[key] = [answer.status_code for answer in answers]
            assert 1 <= int(answers[3].headers["retry-after"]) <= 60
            assert Fault.model_validate_json(answers[3].content).error == "too many requests"

    assert got == {KEY: [200] * 3 + [429], OTHER: [200] * 3 + [429], None: [401] * 3 + [429]}


def test_wrong_keys_are_counted_apart_and_lock_no_neighbour_out() -> None:
    with running(Setup()) as port:
        with client_of(port, "wrong") as client:
            statuses = [client.get("/api/v1/ping").status_code for _ in range(12)]
        with client_of(port) as client:
            right = client.get("/api/v1/ping").status_code

    assert (statuses, right) == ([401] * 10 + [429] * 2, 200)


@pytest.mark.parametrize(
    ("method", "path", "headers", "content", "status"),
    [
        ("GET", "/api/v1/ping?" + "x" * 2049, {}, b"", 414),
        ("GET", "/" + "x" * 2049, {}, b"", 414),
        ("GET", "/api/v1/ping", {"X-Large": "x" * 8192}, b"", 431),
        ("GET", "/api/v1/ping", {"X-Larger": "x" * 40_000}, b"", 431),
        ("GET", "/api/v1/ping", {f"X-{number}": "1" for number in range(64)}, b"", 431),
        ("GET", "/api/v1/ping", {}, b"body", 413),
        ("HEAD", "/api/v1/ping", {"Transfer-Encoding": "chunked"}, b"0\r\n\r\n", 413),
        ("POST", "/api/v1/ping", {}, b"x" * 1_000_000, 405),
    ],
)
def test_too_much_is_refused_and_its_connection_ends(
    method: str, path: str, headers: dict[str, str], content: bytes, status: int
) -> None:
    with running(Setup()) as port, client_of(port) as client:
        answer = client.request(method, path, headers=headers, content=content)

    assert (status, "close") == (answer.status_code, answer.headers["connection"])
    assert method == "HEAD" or Fault.model_validate_json(answer.content).error


def test_a_foreign_page_cannot_ask_a_server_without_keys() -> None:
    with running(Setup(keys=(), open=True)) as port:
        hosts = ("localhost", "127.0.0.1:9443", "[::1]:9443", "evil.example", "127.0.0.1.evil.example", "")
        got = [httpx.get(f"http://127.0.0.1:{port}/api/v1/ping", headers={"Host": host}).status_code for host in hosts]

    assert got == [200, 200, 200, 403, 403, 403]


def test_log_has_neither_keys_nor_lines_of_the_client(logged: pytest.LogCaptureFixture) -> None:
    forged = "%0akey=%22root%22%0d%1b[1m"
    with running(Setup()) as port, client_of(port) as client:
        client.get(f"/api/v1/ping?key={KEY}")
        client.get(f"/{KEY}")
        client.get(f"/{forged}")
        client.request("SECRET-" + KEY, "/api/v1/ping")
        httpx.get(f"http://127.0.0.1:{port}/", headers={"Authorization": "Bearer not-" + KEY})

    told = "\n".join(logged.messages)
    assert KEY not in told
    assert [(line["key"], line["method"], line["path"], line["status"]) for line in lines(logged)] == [
        ("busan", "GET", "/api/v1/ping", "422"),
        ("busan", "GET", "(other)", "404"),
        ("busan", "GET", "(other)", "404"),
        ("busan", "(other)", "/api/v1/ping", "405"),
        ("-", "GET", "/", "401"),
    ]
    assert len(logged.messages) == 5
