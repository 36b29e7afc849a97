"""Answers that say why there is no other answer: a status, and a `Fault` as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from starlette.responses import Response

from aamic.model.api import Fault

CHALLENGE: Final = 'Bearer realm="aamic", Basic realm="aamic", charset="UTF-8"'
AGAIN: Final = 2
"""Seconds after which it makes sense to ask again, where Prometheus did not answer."""
_LONGEST: Final = 4096


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request gets no other answer; `close` ends its connection, where more of it may follow."""

    status: int
    error: str
    hint: str | None = None
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    close: bool = False

    def response(self) -> Response:
        """The answer."""
        headers = {**self.headers, **({"Connection": "close"} if self.close else {})}
        document = Fault(error=self.error[:_LONGEST], hint=self.hint and self.hint[:_LONGEST])
        return Response(document.model_dump_json(), self.status, headers, "application/json")


def no_key() -> Refusal:
    """The request shows no key."""
    hint = "send `Authorization: Bearer KEY`; `aamic keys create` makes a key"
    return Refusal(401, "a key is needed", hint, {"WWW-Authenticate": CHALLENGE})


def wrong_key() -> Refusal:
    """The request shows a key that nobody has."""
    hint = "it may have been revoked, or is not applied yet"
    return Refusal(401, "this key is not known", hint, {"WWW-Authenticate": CHALLENGE})


def too_many(seconds: int) -> Refusal:
    """There were too many requests."""
    return Refusal(429, "too many requests", f"ask again in {seconds} s", {"Retry-After": str(seconds)})


def unavailable(reason: str, hint: str | None) -> Refusal:
    """What must be asked did not answer."""
    return Refusal(503, reason, hint, {"Retry-After": str(AGAIN)})


def broken() -> Refusal:
    """Something happened that must not."""
    return Refusal(500, "aamic has a bug", "its log has the traceback")
