"""What can go wrong, as values.

A `Problem` is one fault of the user's input. Compiling collects problems and raises them all at once.

    AamicError          anything the user is told about without a traceback; exit code 1
    ├── InputError      the site or the command line is wrong; carries every problem found
    └── OutsideError    a tool, host or file system failed; names it and what was tried
        ├── SilentError a server gave no answer in time, or none at all; asking again costs as long
        ├── RemoteError another cluster gave no answer that counts; a result for it, while others go on
        └── HostError   one managed host failed; a result for that host, while others go on
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FailureKind = Literal["unreachable", "unknown-key", "wrong-key", "refused", "no-right", "timeout", "lost", "broken"]
"""Why a host could not be used: not reached; its key is not known, or another; it did not let us in; sudo refuses; too
slow; the connection broke while a program ran, so that its outcome is unknown; its answer makes no sense."""

RemoteState = Literal[
    "unauthorized",
    "forbidden",
    "not found",
    "limited",
    "unavailable",
    "failing",
    "foreign",
    "slow",
    "refused",
    "unreachable",
    "bad certificate",
    "certificate refused",
    "no credentials",
]
"""Why another cluster is not connected: 401; 403; 404; 429; 503, with its reason; any other 5xx; an answer that is not
what the API gives, such as a login page; no whole answer in time; nobody listens; no way there, no such name, or a
connection that ends without an answer; its certificate is expired, for another name or from an unknown authority; it
refuses ours, or wants one; our own key, certificate or authorities cannot be read."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A position in a file: line and column count from 1, as editors show them."""

    path: str
    line: int
    column: int = 1

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault: what, where, and what to do about it.

    `also` names further places that belong to the same fault, such as the first of two equal keys.
    """

    message: str
    place: Place | None = None
    hint: str | None = None
    also: tuple[Place, ...] = ()
    severity: Literal["error", "warning"] = "error"


class AamicError(Exception):
    """A failure that is explained to the user in plain words, never by a traceback."""


class InputError(AamicError):
    """The user's input is wrong; `problems` holds everything that was found, in order of place."""

    def __init__(self, problems: tuple[Problem, ...] | list[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problem.message for problem in self.problems))


class OutsideError(AamicError):
    """A tool, host, URL or file system did not do its part; `hint` says what may help."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        self.hint = hint
        super().__init__(message)


class SilentError(OutsideError):
    """A server gave no answer in time, or none at all; asking it again would take as long."""


class RemoteError(OutsideError):
    """Another cluster did not answer as it should; `state` tells callers how, the message tells people."""

    def __init__(self, state: RemoteState, message: str, hint: str | None = None) -> None:
        self.state = state
        super().__init__(message, hint)


class HostError(OutsideError):
    """A managed host did not do its part; `kind` tells callers what happened, the message tells people."""

    def __init__(self, kind: FailureKind, message: str, hint: str | None = None) -> None:
        self.kind = kind
        super().__init__(message, hint)

    def __reduce__(self) -> tuple[type[HostError], tuple[FailureKind, str, str | None]]:
        """Let it be a result that another process sends; an exception's own way knows the message only."""
        return type(self), (self.kind, str(self), self.hint)
