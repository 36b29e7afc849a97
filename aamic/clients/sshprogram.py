"""One program on a host, over a connection that is open: input streamed, both outputs kept apart, its status."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from typing import Final

from paramiko import Channel, SSHException, Transport

from aamic.clients.base import Answer
from aamic.clients.sshfaults import Target, lost, no_programs, timed_out, too_much

_PIECE: Final = 1 << 18
_PACKET: Final = 32_000
"""Bytes that fit into one packet of SSH."""
_POLL: Final = 0.002
"""Seconds between two looks at whether the host takes more input: paramiko tells of output only."""
_MOST: Final = 256 * 1024**2
"""Bytes of output that are taken from a host; none of our programs prints as much."""
_GRACE: Final = 0.3
"""Seconds in which a connection that broke is seen to be broken."""


class NotStartedError(Exception):
    """The connection was of no use before the program was asked for; another one may be tried."""


class _LateError(Exception):
    """Nothing came in time; a TimeoutError would be that of a connection that broke."""


class _Bell(threading.Event):
    """Rings when something has come; paramiko's buffers clear it when one of them is empty, which says little."""

    def clear(self) -> None:
        """Stay as it is; only `silence` silences it."""

    def silence(self) -> None:
        super().clear()


class _Deadline(threading.Event):
    """An event that is waited for with an end: paramiko waits for the answer to a request for ever."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002  # the signature of an event
        if not super().wait(self._seconds):
            raise _LateError
        return True


class _Run:
    """A channel with a program at its end."""

    def __init__(self, channel: Channel, target: Target, payload: Sequence[bytes]) -> None:
        self._channel = channel
        self._target = target
        self._pieces: Iterator[memoryview] | None = _pieces(payload)
        self._piece = memoryview(b"")
        self._output, self._errors = bytearray(), bytearray()
        self._bell = _Bell()
        channel.in_buffer.set_event(self._bell)
        channel.in_stderr_buffer.set_event(self._bell)
        channel.status_event = self._bell

    def to_its_end(self, until: float, seconds: float) -> Answer:
        while True:
            self._bell.silence()
            self._drain()
            self._feed()
            if self._ended():
                self._drain()
                return Answer(self._status(), bytes(self._output), bytes(self._errors))
            left = until - time.monotonic()
            if left <= 0:
                raise timed_out(self._target, seconds)
            self._bell.wait(min(left, _POLL) if self._pieces else left)

    def _ended(self) -> bool:
        channel = self._channel
        return bool(channel.closed or (channel.eof_received and channel.exit_status >= 0))

    def _drain(self) -> None:
        channel = self._channel
        while channel.recv_ready():
            self._output += channel.recv(_PIECE)
        while channel.recv_stderr_ready():
            self._errors += channel.recv_stderr(_PIECE)
        if len(self._output) + len(self._errors) > _MOST:
            raise too_much(self._target, _MOST)

    def _feed(self) -> None:
        """Send what the host takes now; a program may end without having read everything."""
        try:
            while self._pieces and self._channel.send_ready():
                if not self._piece:
                    self._next()
                else:
                    self._piece = self._piece[self._channel.send(self._piece) :]
        except OSError:
            self._pieces = None

    def _next(self) -> None:
        piece = next(self._pieces, None) if self._pieces else None
        if piece is None:
            self._channel.shutdown_write()
            self._pieces = None
        else:
            self._piece = piece

    def _status(self) -> int:
        status: int = self._channel.exit_status
        if status < 0:
            raise lost(self._target, why_no_status(self._channel.get_transport()))
        return status


def why_no_status(transport: Transport) -> str:
    """Why a program's end was not told: its connection broke, or it was killed, for which paramiko keeps no signal."""
    transport.join(_GRACE)
    if transport.is_alive():
        return "the program was killed by a signal"
    error = transport.get_exception()
    detail = str(getattr(error, "strerror", None) or error or "").lower()
    return "the connection broke while the program ran" + (f" ({detail})" if detail else "")


def open_channel(transport: Transport | None, seconds: float) -> Channel:
    """Open a channel for a program.

    Raises:
        NotStartedError: The connection is dead, or the host opens no channel.
    """
    try:
        if transport is None:
            raise NotStartedError("the connection is closed")
        return transport.open_session(timeout=seconds)
    except (SSHException, EOFError, OSError) as error:
        raise NotStartedError(str(error) or "the connection broke") from error


def run_program(channel: Channel, target: Target, command: str, payload: Sequence[bytes], seconds: float) -> Answer:
    """Run one command line of the user's shell, with `payload` on its standard input, to its end.

    Raises:
        HostError: It did not end within `seconds`, its end was not seen, or the host runs no programs.
    """
    until = time.monotonic() + seconds
    run = _Run(channel, target, payload)
    channel.event = _Deadline(seconds)
    try:
        channel.exec_command(command)
    except _LateError:
        raise timed_out(target, seconds) from None
    except (SSHException, EOFError, OSError) as error:
        why = why_no_status(channel.get_transport())
        raise (no_programs(target) if channel.get_transport().is_alive() else lost(target, why)) from error
    return run.to_its_end(until, seconds)


def _pieces(payload: Sequence[bytes]) -> Iterator[memoryview]:
    """The payload, small parts of it together: each of them would be a packet. Large ones are not copied."""
    small = bytearray()
    for part in payload:
        if small and len(small) + len(part) > _PACKET:
            yield memoryview(small)
            small = bytearray()
        if len(part) > _PACKET:
            yield memoryview(part)
        else:
            small += part
    if small:
        yield memoryview(small)
