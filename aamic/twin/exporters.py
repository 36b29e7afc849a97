"""One server, in a thread of its own, that answers for every synthetic exporter of the twin."""

from __future__ import annotations

import asyncio
import resource
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from aamic.catalog.base import Fault
from aamic.errors import OutsideError

Sample = Callable[[tuple[Fault, ...], float], str]
"""From the faults of a node and the seconds since start to an exposition text."""

_NODE_DOWN = "down"
_REST = 4
"""An answer is kept for so many times the time that all answers take to make, which leaves most of a CPU to others."""
_FILES_A_PAGE = 5
_OTHER_FILES = 256
_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Page:
    """What one exporter of one node answers at one URL."""

    node: str
    address: str
    port: int
    path: str
    sample: Sample


@dataclass(frozen=True, slots=True)
class _Made:
    """An answer, what it was made for, when (seconds since start) and how long that took."""

    faults: tuple[Fault, ...]
    response: bytes
    since: float
    cost: float


class SyntheticExporters:
    """Serves pages from entering the block until leaving it; `faults` may change meanwhile.

    A node with the fault `down` closes every connection without an answer, as a host that just lost its exporters.

    Raises:
        OutsideError: A port is taken, or this user may not open as many files as that takes.
    """

    def __init__(self, pages: Iterable[Page]) -> None:
        self.faults: dict[str, tuple[Fault, ...]] = {}
        self._pages = tuple(pages)
        _allow_files(_OTHER_FILES + _FILES_A_PAGE * len(self._pages))
        self._since = time.monotonic()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="exporters", daemon=True)
        self._servers: list[asyncio.Server] = []
        self._made: dict[Page, _Made] = {}
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    def __enter__(self) -> Self:
        self._since = time.monotonic()
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        except OSError as error:
            self._end()
            raise OutsideError(f"cannot listen for a synthetic exporter: {error}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> None:
        for page in self._pages:
            self._servers.append(await asyncio.start_server(self._handler(page), page.address, page.port))

    async def _close(self) -> None:
        # A server that closes while asyncio accepts a connection for it loses the connection, still open.
        while accepting := asyncio.all_tasks() - self._connections.keys() - {asyncio.current_task()}:
            await asyncio.wait(accepting)
        for server in self._servers:
            server.close()
        for writer in self._connections.values():
            writer.transport.abort()
        await asyncio.gather(*self._connections)

    def _handler(self, page: Page) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]:
        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = self._loop.create_task(self._serve(page, reader, writer))
            self._connections[task] = writer
            task.add_done_callback(self._connections.pop)

        return connected

    async def _serve(self, page: Page, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer requests on one connection until the other side ends it."""
        try:
            with suppress(asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
                while request := await reader.readuntil(b"\r\n\r\n"):
                    faults = self.faults.get(page.node, ())
                    if any(fault.kind == _NODE_DOWN for fault in faults):
                        return
                    writer.write(self._answer(page, faults) if _asks_for(page, request) else _not_found(page))
                    await writer.drain()
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    def _answer(self, page: Page, faults: tuple[Fault, ...]) -> bytes:
        """Return the page, made again if the last one is old or was made for other faults."""
        now = time.monotonic() - self._since
        made = self._made.get(page)
        if made is None or made.faults != faults or now - made.since > self._lifetime():
            response = _page(page, faults, now)
            made = _Made(faults, response, now, time.monotonic() - self._since - now)
            self._made[page] = made
        return made.response

    def _lifetime(self) -> float:
        return _REST * sum(made.cost for made in self._made.values())


def _allow_files(wanted: int) -> None:
    """Raise the limit of open files, as far as this user may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise OutsideError(f"the twin needs {wanted:,} open files, and the limit is {hard:,}", "use fewer `--nodes`")
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _asks_for(page: Page, request: bytes) -> bool:
    method, target = request.decode("latin-1").split(" ", 2)[:2]
    return method == "GET" and target.partition("?")[0] == page.path


def _not_found(page: Page) -> bytes:
    return _response("404 Not Found", f"only GET {page.path}\n")


def _page(page: Page, faults: tuple[Fault, ...], seconds: float) -> bytes:
    try:
        return _response("200 OK", page.sample(faults, seconds))
    except Exception as error:  # noqa: BLE001  # it shows as a target that is down, with this text beside it
        return _response("500 Internal Server Error", f"{type(error).__name__}: {error}\n")


def _response(status: str, text: str) -> bytes:
    body = text.encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: {_CONTENT_TYPE}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body
