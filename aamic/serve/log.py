"""The log of the server on standard error: one line for each request, and none that a request could forge."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from dataclasses import dataclass
from typing import Final

LOGGER: Final = logging.getLogger("aamic.serve")
LEVELS: Final = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_PRIORITIES: Final = {logging.INFO: "<6>", logging.WARNING: "<4>", logging.ERROR: "<3>"}
_METHODS: Final = {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"}
_OURS: Final = ("aamic.serve", "uvicorn.error", "asyncio")
OWNER: Final = "certificate"
"""Where the state of a connection has whose certificate it showed."""
OTHER: Final = "(other)"
"""In place of a path or method that the server does not know: it could hold a key."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A request and what came of it."""

    key: str | None
    address: str
    method: str
    path: str
    status: int
    seconds: float
    certificate: str | None = None
    """Whose certificate it showed; told where there is no key."""


def address(client: tuple[str, int] | None) -> str:
    """The address of a client, in the form that people know: of IPv4 also where it comes to a socket of IPv6.

    >>> address(("::ffff:192.0.2.1", 1)), address(None)
    ('192.0.2.1', '-')
    """
    return client[0].removeprefix("::ffff:") if client else "-"


def access(entry: Entry) -> None:
    """Tell of a request; what went wrong for us is an error, what was refused a warning."""
    refused = entry.status in (400, 401, 403, 413, 414, 429, 431)
    level = logging.ERROR if entry.status >= 500 else logging.WARNING if refused else logging.INFO  # noqa: PLR2004  # of HTTP
    LOGGER.log(level, "%s", line(entry))


def line(entry: Entry) -> str:
    """A request as words; no query is among them, since a key may stand in it by mistake.

    >>> line(Entry("busan", "::1", "GET", "/api/v1/status", 200, 0.0123))
    'key="busan" address="::1" method="GET" path="/api/v1/status" status=200 ms=12.3'
    """
    method = entry.method if entry.method in _METHODS else OTHER
    shown = {"certificate": entry.certificate} if entry.certificate and not entry.key else {}
    words = {"key": entry.key or "-", **shown, "address": entry.address, "method": method, "path": entry.path}
    told = " ".join(f"{name}={json.dumps(value)}" for name, value in words.items())
    return f"{told} status={entry.status} ms={entry.seconds * 1000:.1f}"


class _Lines(logging.Formatter):
    """Lines that begin with a time, or a priority and a time where the journal reads them."""

    def __init__(self, *, priorities: bool) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%SZ")
        self.converter = time.gmtime
        self._priorities = priorities

    def format(self, record: logging.LogRecord) -> str:
        """The record, with every line but its first marked as one that goes on."""
        first, *rest = super().format(record).split("\n")
        priority = _PRIORITIES.get(record.levelno, "<3>") if self._priorities else ""
        return "\n".join(priority + printable(each) for each in (first, *(f"  | {more}" for more in rest)))


def printable(text: str) -> str:
    r"""The text with everything escaped that could steer a terminal or end a line.

    >>> printable("a\x1b[1m\r")
    'a\\x1b[1m\\r'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def start(level: str) -> None:
    """Log to standard error from this level on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines(priorities="JOURNAL_STREAM" in os.environ))
    for name in _OURS:
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(LEVELS[level] if name == LOGGER.name else logging.ERROR)
