"""Our key goes to those alone who may have it, and into no message."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from aamic.clients.cluster import open_aami
from aamic.errors import RemoteError
from aamic.model.secret import SecretFile
from tests.clients.peers import PING, Answer, cluster, http, opened, peer, sends

KEY = "k3y-of-ours-0123456789"


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
