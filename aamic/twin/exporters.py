"""One server, in a thread of its own, that answers for every synthetic exporter of the twin."""

from __future__ import annotations

import asyncio
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
_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Page:
    """What one exporter of one node answers at one URL."""

    node: str
    address: str
    port: int
    path: str
    sample: Sample


class SyntheticExporters:
    """Serves pages from entering the block until leaving it; `faults` may change meanwhile.

    A node with the fault `down` closes every connection without an answer, as a host that just lost its exporters.
    """

    def __init__(self, pages: Iterable[Page]) -> None:
        self.faults: dict[str, tuple[Fault, ...]] = {}
        self._pages = tuple(pages)
        self._since = time.monotonic()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="exporters", daemon=True)
        self._servers: list[asyncio.Server] = []
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
                    writer.write(_answer(page, request, faults, time.monotonic() - self._since))
                    await writer.drain()
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


def _answer(page: Page, request: bytes, faults: tuple[Fault, ...], seconds: float) -> bytes:
    method, target = request.decode("latin-1").split(" ", 2)[:2]
    if method != "GET" or target.partition("?")[0] != page.path:
        return _response("404 Not Found", f"only GET {page.path}\n")
    try:
        return _response("200 OK", page.sample(faults, seconds))
    except Exception as error:  # noqa: BLE001  # it shows as a target that is down, with this text beside it
        return _response("500 Internal Server Error", f"{type(error).__name__}: {error}\n")


def _response(status: str, text: str) -> bytes:
    body = text.encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: {_CONTENT_TYPE}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body
