"""The same work on many hosts at once: on threads, or on threads of several processes."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, Protocol, TypeVar

from aamic.errors import HostError

T = TypeVar("T")
Progress = Callable[[str, Any], None]
"""Is told of each host as it is done, with its result, in the caller's thread."""


class Closable(Protocol):
    """What `spread` needs of a client: it is closed when its work is done."""

    def close(self) -> None:
        """Let go of everything."""


C = TypeVar("C", bound=Closable)


@dataclass(frozen=True)
class _Fault:
    """An exception that is no result: a bug, which ends everything."""

    error: BaseException


def fan_out(
    hosts: Sequence[str], work: Callable[[str], T], parallel: int, on_done: Progress | None = None
) -> dict[str, T | HostError]:
    """Do the work for each host, at most `parallel` at once; a HostError is that host's result.

    Any other exception, and an interrupt, ends it at once: what has not begun never does, and what has begun is left
    to threads that do not keep the process alive.

    Returns:
        The result of each host, in the order of `hosts`.
    """
    todo: queue.SimpleQueue[str] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[str, T | HostError | _Fault]] = queue.SimpleQueue()
    for host in hosts:
        todo.put(host)
    for _ in range(min(parallel, len(hosts))):
        threading.Thread(target=_work_off, args=(todo, done, work), daemon=True).start()
    results: dict[str, T | HostError] = {}
    try:
        while len(results) < len(hosts):
            host, result = done.get()
            _take(results, host, result, on_done)
    finally:
        _drop(todo)
    return {host: results[host] for host in hosts}


def spread(  # noqa: PLR0913  # those of fan_out, how to make a client, and in how many processes
    hosts: Sequence[str],
    make_client: Callable[[], C],
    work: Callable[[C, str], T],
    parallel: int,
    processes: int,
    *,
    on_done: Progress | None = None,
) -> dict[str, T | HostError]:
    """Do the work for each host in several processes, each with a client of its own.

    Processes are started anew, not forked, as a fork of a process with threads may hang: `make_client`, `work` and
    results are pickled. `parallel` is that of all processes together. A process that dies is lost with its hosts.

    Returns:
        The result of each host, in the order of `hosts`.
    """
    shares = [hosts[number::processes] for number in range(min(processes, len(hosts)))]
    if len(shares) <= 1:
        return _alone(hosts, make_client, work, parallel, on_done)
    each = -(-parallel // len(shares))
    children = [_start(share, make_client, work, each) for share in shares]
    results: dict[str, T | HostError] = {}
    try:
        while waiting := [child for child in children if child.is_open]:
            for ready in wait([child.pipe for child in waiting]):
                child = next(child for child in waiting if child.pipe is ready)
                for host, result in child.read():
                    _take(results, host, result, on_done)
    finally:
        for child in children:
            child.end()
    return {host: results[host] for host in hosts}


@dataclass
class _Child(Generic[T]):
    """A process, the end of the pipe that its results come from, and the hosts that have none yet."""

    process: multiprocessing.process.BaseProcess
    pipe: Connection
    missing: list[str]
    is_open: bool = True

    def read(self) -> list[tuple[str, T | HostError | _Fault]]:
        """What it has done since; when it is gone, its other hosts are lost."""
        try:
            host, result = self.pipe.recv()
        except (EOFError, OSError):
            self.is_open = False
            return [(host, _orphaned(host)) for host in self.missing]
        if not isinstance(result, _Fault):
            self.missing.remove(host)
            self.is_open = bool(self.missing)
        return [(host, result)]

    def end(self) -> None:
        self.pipe.close()
        if self.missing:
            self.process.kill()
        self.process.join()


def _orphaned(host: str) -> HostError:
    return HostError("lost", f"the outcome on `{host}` is unknown: the process that worked on it died")


def _work_off(
    todo: queue.SimpleQueue[str],
    done: queue.SimpleQueue[tuple[str, T | HostError | _Fault]],
    work: Callable[[str], T],
) -> None:
    while True:
        try:
            host = todo.get_nowait()
        except queue.Empty:
            return
        try:
            done.put((host, work(host)))
        except HostError as error:
            done.put((host, error))
        except BaseException as error:  # noqa: BLE001  # raised again by the caller's thread
            _drop(todo)
            done.put((host, _Fault(error)))


def _take(
    results: dict[str, T | HostError], host: str, result: T | HostError | _Fault, on_done: Progress | None
) -> None:
    if isinstance(result, _Fault):
        raise result.error
    results[host] = result
    if on_done is not None:
        on_done(host, result)


def _drop(todo: queue.SimpleQueue[str]) -> None:
    while True:
        try:
            todo.get_nowait()
        except queue.Empty:
            return


def _alone(
    hosts: Sequence[str],
    make_client: Callable[[], C],
    work: Callable[[C, str], T],
    parallel: int,
    on_done: Progress | None,
) -> dict[str, T | HostError]:
    client = make_client()
    try:
        return fan_out(hosts, lambda host: work(client, host), parallel, on_done)
    finally:
        client.close()


def _start(share: Sequence[str], make_client: Callable[[], C], work: Callable[[C, str], T], parallel: int) -> _Child[T]:
    context = multiprocessing.get_context("spawn")
    pipe, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(theirs, share, make_client, work, parallel), daemon=True)
    with _without_interrupts():
        process.start()
    theirs.close()
    return _Child(process, pipe, list(share))


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """What is started here is not interrupted before it has said how it takes that: its imports take a while."""
    resource_tracker.ensure_running()  # it would unblock the signal when the first process starts it
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _child(
    pipe: Connection,
    share: Sequence[str],
    make_client: Callable[[], C],
    work: Callable[[C, str], T],
    parallel: int,
) -> None:
    """What a process does; an interrupt of the terminal is its parent's affair, and it does not outlive that."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        _alone(share, make_client, work, parallel, lambda host, result: pipe.send((host, result)))
    except BaseException as error:  # noqa: BLE001  # raised again by the parent
        pipe.send((share[0], _Fault(error)))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
