"""Who and what is let in: every request passes here before anything else looks at it, and is logged on its way out."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from ipaddress import ip_address
from time import perf_counter
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aamic.serve import log, refusal
from aamic.serve.keyring import Keyring, key_of
from aamic.serve.limiting import Limiter
from aamic.serve.refusal import Refusal

LONGEST_URL: Final = 2048
LARGEST_HEADERS: Final = 8192
MOST_HEADERS: Final = 64
"""More than any client of ours sends, and less than what costs memory (our policy)."""
READING: Final = ("GET", "HEAD")
_ALWAYS: Final = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)


@dataclass(frozen=True, slots=True)
class Guard:
    """Decides about requests; without keys everybody who has a connection is let in."""

    keys: Keyring
    limiter: Limiter
    open: bool
    """Whether neither key nor certificate is asked for, which only loopback may do."""

    def judge(self, scope: Scope) -> tuple[str | None, Refusal | None]:
        """Return the name of the key and why the request is refused, where it is."""
        if refused := _too_large(scope):
            return None, refused
        name, refused = self._owner(scope) if self.keys.digests else (None, None)
        if refused is None and (seconds := self.limiter.request(name, address_of(scope))):
            refused = refusal.too_many(seconds)
        return name, refused or self._strange(scope) or _body(scope)

    def _owner(self, scope: Scope) -> tuple[str | None, Refusal | None]:
        key = key_of(scope["headers"])
        if key is None:
            seconds = self.limiter.request(None, address_of(scope))
            return None, refusal.too_many(seconds) if seconds else refusal.no_key()
        if (name := self.keys.owner(key)) is not None:
            return name, None
        seconds = self.limiter.wrong_key(address_of(scope))
        return None, refusal.too_many(seconds) if seconds else refusal.wrong_key()

    def _strange(self, scope: Scope) -> Refusal | None:
        """Refuse what a browser sends for a foreign page whose name leads to loopback."""
        if not self.open or all(_is_here(value) for name, value in scope["headers"] if name == b"host"):
            return None
        return Refusal(403, "this server is asked by a name that is not that of loopback", "ask for `localhost`")


def address_of(scope: Scope) -> str:
    """The address that a request comes from."""
    return log.address(scope.get("client"))


def _too_large(scope: Scope) -> Refusal | None:
    if len(scope["raw_path"]) + len(scope["query_string"]) > LONGEST_URL:
        return Refusal(414, f"the URL is longer than {LONGEST_URL} bytes", close=True)
    headers = scope["headers"]
    if len(headers) > MOST_HEADERS or sum(len(name) + len(value) for name, value in headers) > LARGEST_HEADERS:
        return Refusal(431, f"the headers are more than {MOST_HEADERS}, or {LARGEST_HEADERS} bytes", close=True)
    return None


def has_body(scope: Scope) -> bool:
    """Whether a body comes with a request."""
    headers = dict(scope["headers"])
    return headers.get(b"content-length", b"0").strip(b"0 ") != b"" or b"transfer-encoding" in headers


def _body(scope: Scope) -> Refusal | None:
    if scope["method"] in READING and has_body(scope):
        return Refusal(413, "a request here has no body", close=True)
    return None


def _is_here(host: bytes) -> bool:
    name = host.decode("latin-1").lower()
    bare = name[1 : name.find("]")] if name.startswith("[") else name.partition(":")[0]
    try:
        return ip_address(bare).is_loopback
    except ValueError:
        return bare == "localhost"


@dataclass(slots=True)
class _Exit:
    """What is sent back: with the headers that every answer has, and without a body where only its head is wanted."""

    send: Send
    head: bool
    close: bool
    status: int = 0
    started: bool = field(default=False)

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.started = message["status"], True
            message = {**message, "headers": self._headers(list(message.get("headers", ())))}
        elif self.head and message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await self.send(message)

    def _headers(self, own: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        names = {name.lower() for name, _ in own}
        closing = ((b"connection", b"close"),) if self.close and b"connection" not in names else ()
        return [*own, *(each for each in _ALWAYS if each[0] not in names), *closing]


class Gate:
    """An application behind a guard. `paths` are those that exist; others are not logged by name."""

    def __init__(self, app: ASGIApp, guard: Guard, paths: Collection[str]) -> None:
        self._app = app
        self._guard = guard
        self._paths = frozenset(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever becomes of it, and log it."""
        if scope["type"] != "http":
            return
        began, out = perf_counter(), _Exit(send, scope["method"] == "HEAD", has_body(scope))
        name, refused = self._guard.judge(scope)
        try:
            await self._answer(refused, scope, receive, out)
        except Exception:  # noqa: BLE001  # the client is told of any bug, the log has the rest
            log.LOGGER.exception("aamic has a bug")
            if not out.started:
                await refusal.broken().response()(scope, receive, out)
        finally:
            path = scope["path"] if scope["path"] in self._paths else log.OTHER
            spent = perf_counter() - began
            owner = scope.get("state", {}).get(log.OWNER)
            log.access(log.Entry(name, address_of(scope), scope["method"], path, out.status, spent, owner))

    async def _answer(self, refused: Refusal | None, scope: Scope, receive: Receive, out: _Exit) -> None:
        if refused is not None:
            await refused.response()(scope, receive, out)
        else:
            await self._app({**scope, "method": "GET"} if out.head else scope, receive, out)
