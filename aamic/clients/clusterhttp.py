"""Asking another cluster over HTTP: verified, within a time and a size, without proxies, redirects and cookies."""

from __future__ import annotations

import ssl
import time
from contextlib import closing
from pathlib import Path
from typing import Final

import httpcore
import httpx
from pydantic import ValidationError

from aamic.clients.base import Shown
from aamic.clients.clustercredentials import bearer_key, tls_context
from aamic.clients.clusterfaults import answered, cause, harmless, unanswered
from aamic.clients.exchange import Transport
from aamic.errors import RemoteError
from aamic.model.api import MAX_BYTES, Fault
from aamic.model.fleet import RemoteCluster

_MOST_OF_A_FAULT: Final = 1 << 16
_HEADERS: Final = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "aamic"}
"""Compressed answers are not asked for, nor taken: a small one may become as large as it likes."""


class ClusterHttp:
    """A cluster's endpoint; safe to use from many threads.

    A question is asked again, once, where the connection breaks before any answer: a server may close one that it kept
    just when we use it. Nothing else is tried twice.
    """

    def __init__(self, cluster: RemoteCluster, folder: Path) -> None:
        self.url = cluster.endpoint.rstrip("/")
        self._seconds = cluster.timeout
        self._key = bearer_key(cluster, folder)
        self._transport = Transport(tls_context(cluster, folder) if self.url.startswith("https:") else None)

    def get(self, path: str) -> bytes:
        """Return the JSON text that answers a path.

        Raises:
            RemoteError: It does not answer in time, or not so.
        """
        url, until = f"{self.url}{path}", time.monotonic() + self._seconds
        try:
            return self._asked(url, until)
        except httpcore.NetworkError as error:
            if not _may_pass(error):
                raise unanswered(self.url, self._seconds, error) from error
        try:
            return self._asked(url, until)
        except httpcore.NetworkError as error:
            raise unanswered(self.url, self._seconds, error) from error

    @property
    def certificate(self) -> Shown | None:
        """What the server showed when it last answered; None before that, and for plain HTTP."""
        return self._transport.shown

    def close(self) -> None:
        """Close every connection."""
        self._transport.close()

    def _asked(self, url: str, until: float) -> bytes:
        left = until - time.monotonic()
        try:
            timeout = {"timeout": httpx.Timeout(left).as_dict()}
            request = httpx.Request("GET", url, headers=self._headers(), extensions=timeout)
            answer = self._transport.handle_request(request)
        except (httpcore.TimeoutException, httpcore.ProtocolError) as error:
            raise unanswered(self.url, self._seconds, error) from error
        except httpx.InvalidURL as error:
            raise RemoteError("unreachable", f"`{url}` is no URL: {error}", "see `endpoint`") from None
        with closing(answer):
            return self._understood(url.partition("?")[0], answer)

    def _headers(self) -> dict[str, str]:
        return _HEADERS if self._key is None else _HEADERS | {"Authorization": f"Bearer {self._key}"}

    def _understood(self, url: str, answer: httpx.Response) -> bytes:
        headers = {name: self._without_key(value) for name, value in answer.headers.items()}
        if answer.status_code != httpx.codes.OK:
            body = self._body(url, answer, _MOST_OF_A_FAULT)[:_MOST_OF_A_FAULT]
            raise answered(
                url, answer.status_code, self.shown(_reason(headers, body)), headers, keyed=self._key is not None
            )
        _check_form(url, headers)
        body = self._body(url, answer, MAX_BYTES)
        if len(body) > MAX_BYTES:
            raise RemoteError(
                "foreign", f"`{url}` answers with more than {MAX_BYTES >> 20} MiB", "ask for less at once"
            )
        return body

    def _body(self, url: str, answer: httpx.Response, most: int) -> bytes:
        """What it sends, up to a little more than `most` bytes."""
        body = bytearray()
        try:
            for piece in answer.iter_raw():
                body += piece
                if len(body) > most:
                    break
        except httpcore.TimeoutException as error:
            told = f"`{url}` did not end its answer within {self._seconds:g} s"
            raise RemoteError("slow", told, "a longer `timeout` may help") from error
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            told = f"`{url}` broke off its answer after {len(body):,} bytes"
            raise RemoteError("foreign", told, "does it restart, or does something between cut it off?") from error
        return bytes(body)

    def shown(self, text: str, longest: int = 200) -> str:
        """Return text of the server as a message may quote it, without our key, which it may repeat."""
        return harmless(self._without_key(text), longest)

    def _without_key(self, text: str) -> str:
        return text if self._key is None else text.replace(self._key, "***")


def _may_pass(error: httpcore.NetworkError) -> bool:
    """Whether a connection broke, so that another may not."""
    found = cause(error)
    ended = isinstance(found, ConnectionError | ssl.SSLEOFError | ssl.SSLZeroReturnError)  # of TLS: by its version
    return found is None or (ended and not isinstance(found, ConnectionRefusedError))


def _check_form(url: str, headers: dict[str, str]) -> None:
    kind = _kind(headers)
    if "html" in kind:
        hint = "does something between ask people to log in? is it the right `endpoint`?"
        raise RemoteError("foreign", f"`{url}` answers with a page for people", hint)
    if kind != "application/json":
        told = f"`{url}` answers with `{harmless(kind) or 'what it does not name'}`, not with JSON"
        raise RemoteError("foreign", told, "are `endpoint`, with its path, and `kind` right?")
    if headers.get("content-encoding", "identity").lower() != "identity":
        told = f"`{url}` answers compressed, though it was asked not to"
        raise RemoteError("foreign", told, "is there a proxy between that compresses?")


def _kind(headers: dict[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _reason(headers: dict[str, str], body: bytes) -> str:
    """What an error says for people: `error` of a document, as `aamic serve` and Prometheus have it, or plain text."""
    if _kind(headers) == "text/plain":
        return body.decode(errors="replace")
    try:
        return Fault.model_validate_json(body).error
    except ValidationError:
        return ""
