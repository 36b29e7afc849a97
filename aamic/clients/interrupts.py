"""Signals as a value that is looked at, so that none of them cuts a start or a cleanup in two."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Remembers the first signal that asks this process to end, while the block runs; later ones change nothing.

    `answer` is what is said on standard error at once when it comes.
    """

    def __init__(self, answer: str = "") -> None:
        self._answer = answer
        self.received: int | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._remember) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _remember(self, number: int, _: FrameType | None) -> None:
        if self.received is None and self._answer:
            with suppress(OSError):  # a terminal that is gone is no reason to stop in the middle
                os.write(2, f"{self._answer}\n".encode())  # what is buffered may be half written just now
        self.received = self.received or number

    def check(self) -> None:
        """Return if no signal came.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed.
            SystemExit: Another signal came; the exit code is the one that shells give it.
        """
        if self.received == signal.SIGINT:
            raise KeyboardInterrupt
        if self.received is not None:
            raise SystemExit(128 + self.received)
