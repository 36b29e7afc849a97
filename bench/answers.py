"""What hosts in memory answer to a plan: nearly all that nothing differs; what that costs is counted apart."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from aamic.clients.base import Answer
from aamic.deploy.desired import Desired
from aamic.errors import HostError

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.deploy.fakehosts import FakeHost, FakeHosts, synced  # found beside the package only

LOST_EVERY: Final = 100
"""One in so many hosts is not reached."""
EDITED_EVERY: Final = 200
"""One in so many hosts has a file that was edited by hand, each in its own way."""


class Answers:
    """Implements `clients.base.Hosts`. `own` are the seconds of processor time that the answers cost.

    Hosts that should have the same and do answer the same, so that is made once.
    """

    def __init__(self, desired: Mapping[str, Desired]) -> None:
        self._desired = desired
        self._number = {host: number for number, host in enumerate(desired)}
        self._same: dict[int, Answer] = {}
        self._lock = threading.Lock()
        self.own = 0.0
        lost = sum(1 for number in self._number.values() if number % LOST_EVERY == 0)
        edited = sum(1 for number in self._number.values() if number % EDITED_EVERY == 1)
        self.expected = (lost, edited)

    def run(self, host: str, command: Sequence[str], payload: Sequence[bytes], timeout: float) -> Answer:
        number = self._number[host]
        if number % LOST_EVERY == 0:
            raise HostError("unreachable", f"`{host}`: timed out")
        edited = number % EDITED_EVERY == 1
        with self._lock:
            start = time.thread_time()
            try:
                if edited:
                    return self._made(host, f"# {host}\n".encode(), command, payload, timeout)
                key = id(self._desired[host])
                if key not in self._same:
                    self._same[key] = self._made(host, b"", command, payload, timeout)
                return self._same[key]
            finally:
                self.own += time.thread_time() - start

    def _made(
        self, host: str, added: bytes, command: Sequence[str], payload: Sequence[bytes], timeout: float
    ) -> Answer:
        one = _edited(synced(self._desired[host]), added)
        return FakeHosts({host: one}).run(host, command, payload, timeout)

    def close(self) -> None:
        """There is nothing to close."""


def _edited(host: FakeHost, added: bytes) -> FakeHost:
    """The host, with something added to the first of its files."""
    path = next(path for path, thing in host.things.items() if thing.kind == "file")
    thing = host.things[path]
    things = host.things | {path: replace(thing, content=thing.content + added)}
    return replace(host, things=things, clock=int(time.time()))
