"""What deploy and ops need from the outside world, as protocols. A leaf: clients implement it, commands choose one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Answer:
    """What a program on a host left behind: its exit status and both outputs."""

    status: int
    output: bytes
    errors: bytes


@dataclass(frozen=True, slots=True)
class Sample:
    """One series of an instant query and its value."""

    labels: Mapping[str, str]
    value: float


class Hosts(Protocol):
    """Managed hosts, by the names of the site. Safe to use from many threads, one call a host at a time."""

    def run(self, host: str, command: Sequence[str], payload: Sequence[bytes], timeout: float) -> Answer:
        """Run one program on a host as root, with `payload` on its standard input, to its end.

        Connecting is tried again as often as the site says; the program is started at most once.

        Raises:
            HostError: The host was not reached, did not let us in, or went away; or `timeout` seconds passed.
        """

    def close(self) -> None:
        """Close every connection."""


class Metrics(Protocol):
    """A server that answers PromQL."""

    def query(self, expr: str) -> Sequence[Sample]:
        """Return the series of an instant query that gives a vector.

        Raises:
            OutsideError: It does not answer, or refuses the query.
        """
