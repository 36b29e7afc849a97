"""The HTTP APIs of Prometheus and Alertmanager, as far as aamic reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any, Final, Literal, Protocol
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import OpenerDirector

import orjson

from aamic.clients.alertdocuments import of_alertmanager, of_prometheus
from aamic.clients.base import Sample, Track
from aamic.clients.deadline import Deadline
from aamic.clients.tracks import CHUNK, Tracks
from aamic.errors import OutsideError, SilentError
from aamic.model.api import Alert as AlertDocument

Health = Literal["up", "down", "unknown"]
_ABOUT_PROMQL: Final = "PromQL "
_LARGEST: Final = 256 * 1024 * 1024
"""Bytes of an answer that are read; what is larger is refused rather than held in memory."""


@dataclass(frozen=True, slots=True)
class Target:
    """A target as Prometheus sees it; `labels` are those after relabelling, `error` says why it is not up."""

    labels: Mapping[str, str]
    url: str
    health: Health
    error: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A loaded rule; `health` is `unknown` before its first evaluation, `error` is what the last one failed with."""

    name: str
    health: Literal["ok", "err", "unknown"]
    error: str


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert; `state` is `pending` or `firing` in Prometheus, `active` or `suppressed` in Alertmanager."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    state: str
    since: str


class PartError(OutsideError):
    """An answer leaves something out, and says so."""


class Read(Protocol):
    """What reads a path below a server's URL; it raises OutsideError where there is no answer that counts."""

    def __call__(self, path: str) -> bytes:
        """Return the whole answer."""


class _Direct:
    """Reads without credentials; never through a proxy."""

    def __init__(self, url: str, timeout: float) -> None:
        self.url = url
        self._timeout = timeout

    def __call__(self, path: str) -> bytes:
        try:
            with Deadline(self._timeout) as opener:
                body = self._answer(opener, path)
        except (OSError, HTTPException, ValueError) as error:
            said = getattr(error, "reason", error)
            raise SilentError(f"`{self.url}` does not answer: {said}") from error
        if len(body) > _LARGEST:
            raise OutsideError(f"`{self.url}` answers with more than {_LARGEST >> 20} MiB", "ask for less time")
        return body

    def _answer(self, opener: OpenerDirector, path: str) -> bytes:
        try:
            with opener.open(f"{self.url}{path}", timeout=self._timeout) as answer:
                body: bytes = answer.read(_LARGEST + 1)
                return body
        except HTTPError as error:
            with error:
                said = _said(error)
            raise OutsideError(f"`{self.url}{path}` answered {error.code}{said}") from error


def _said(error: HTTPError) -> str:
    """What an error says, to go behind its number; a page or a redirect is not what Prometheus answers with."""
    body = " ".join(error.read(500).decode(errors="replace").split())
    redirect = 300 <= error.code < 400  # noqa: PLR2004  # the class of HTTP statuses
    if redirect or body.startswith("<") or "html" in error.headers.get("Content-Type", ""):
        return ", but not as Prometheus does"
    return f": {body}" if body else ""


class _Server:
    """An HTTP server that answers JSON; `read` reads from it, which is done without credentials if not given."""

    def __init__(self, url: str, timeout: float, read: Read | None = None) -> None:
        self.url = url.rstrip("/")
        self._read = read or _Direct(self.url, timeout)

    def _json(self, path: str) -> Any:
        body = self._read(path)
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise OutsideError(f"`{self.url}{path}` did not answer JSON: {error}") from error

    def ready(self) -> None:
        """Return when the server says that it is ready.

        Raises:
            OutsideError: It does not answer, or is not ready.
        """
        self._read("/-/ready")


class Prometheus(_Server):
    """A Prometheus server at a URL; `timeout` is in seconds for each request, from first to last byte.

    What `read` raises goes to the caller as it is; `timeout` is then its own affair.
    """

    def __init__(self, url: str, timeout: float = 5.0, read: Read | None = None) -> None:
        super().__init__(url, timeout, read)

    def _data(self, path: str) -> Any:
        answer = self._json(f"/api/v1/{path}")
        if not isinstance(answer, dict) or "data" not in answer or answer.get("status") == "error":
            raise self._another()
        warnings = answer.get("warnings") or ()
        # What it warns of in an expression itself makes no answer incomplete; anything else does.
        partial = [str(each) for each in warnings if not str(each).startswith(_ABOUT_PROMQL)]
        if partial:
            raise PartError(f"`{self.url}` answers in part only: {partial[0]}", "what it left out is not known")
        return answer["data"]

    @contextmanager
    def _understood(self) -> Iterator[None]:
        """Tells in words of our own that an answer has another form than that of Prometheus."""
        try:
            yield
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise self._another() from error

    def _another(self) -> OutsideError:
        return OutsideError(f"`{self.url}` answers, but not as Prometheus does", "is it the address of another server?")

    def targets(self) -> tuple[Target, ...]:
        """Return every target that it scrapes now."""
        with self._understood():
            return tuple(
                Target(found["labels"], found["scrapeUrl"], found["health"], found["lastError"])
                for found in self._data("targets?state=active")["activeTargets"]
            )

    def query(self, expr: str) -> tuple[Sample, ...]:
        """Return the series of an instant query that gives a vector."""
        with self._understood():
            return tuple(
                Sample(dict(found["metric"]), float(found["value"][1]))
                for found in self._data("query?" + urlencode({"query": expr}))["result"]
            )

    def at(self, expr: str, moment: float) -> tuple[Sample, ...]:
        """Return the series of an instant query at a moment; a scalar is one without labels."""
        with self._understood():
            found = self._data("query?" + urlencode({"query": expr, "time": f"{moment:.3f}"}))
            if found["resultType"] == "scalar":
                return (Sample({}, float(found["result"][1])),)
            return tuple(Sample(labels_of(each["metric"]), float(each["value"][1])) for each in found["result"])

    def over(self, expr: str, start: float, end: float, step: float) -> tuple[Track, ...]:
        """Return the values of a query from `start` to `end`, both included, every `step` seconds."""
        asked = {"query": expr, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:.3f}"}
        with self._understood():
            return tuple(
                Track(labels_of(each["metric"]), tuple((float(at), float(value)) for at, value in each["values"]))
                for each in self._data("query_range?" + urlencode(asked))["result"]
            )

    def tracks(self, selector: str, start: float, end: float) -> tuple[Track, ...]:
        """Return the raw samples of the series that a selector names, from `start` to `end`, both included.

        A long span is asked for in pieces. Stale markers are no samples: a series that ends just ends.
        """
        found = Tracks(start, end)
        for upper, seconds in found.pieces(CHUNK):
            asked = {"query": f"{selector}[{round(seconds * 1000)}ms]", "time": f"{upper:.3f}"}
            with self._understood():
                for each in self._data("query?" + urlencode(asked))["result"]:
                    found.add(each["metric"], each["values"])
        return found.all()

    def rules(self) -> tuple[Rule, ...]:
        """Return every rule it has loaded."""
        return tuple(
            Rule(rule["name"], rule["health"], rule.get("lastError", ""))
            for group in self._data("rules")["groups"]
            for rule in group["rules"]
        )

    def alerts(self) -> tuple[Alert, ...]:
        """Return alerts that are pending or firing here."""
        with self._understood():
            return tuple(
                Alert(found["labels"], found["annotations"], found["state"], found["activeAt"])
                for found in self._data("alerts")["alerts"]
            )

    def version(self) -> str:
        """Return the version of the program that answers."""
        with self._understood():
            return str(self._data("status/buildinfo")["version"])

    def firing(self) -> tuple[AlertDocument, ...]:
        """Return the alerts that fire here, as documents of the API."""
        with self._understood():
            return of_prometheus(self._data("alerts"))

    def series(self) -> int:
        """Return the number of series in memory."""
        with self._understood():
            return number_of(self._data("status/tsdb?limit=1")["headStats"]["numSeries"])


def number_of(found: Any) -> int:
    """A count of an answer. Raises TypeError for anything else."""
    if isinstance(found, bool) or not isinstance(found, int):
        raise TypeError(found)
    return found


def labels_of(found: Any) -> dict[str, str]:
    """The labels of a series. Raises TypeError for anything else."""
    labels = dict(found)
    if not all(isinstance(each, str) for each in labels.values()):
        raise TypeError(found)
    return labels


class Alertmanager(_Server):
    """An Alertmanager at a URL; `timeout` is in seconds for each request, from first to last byte."""

    def __init__(self, url: str, timeout: float = 5.0) -> None:
        super().__init__(url, timeout)

    def alerts(self) -> tuple[Alert, ...]:
        """Return the alerts it holds, suppressed ones too."""
        return tuple(
            Alert(found["labels"], found["annotations"], found["status"]["state"], found["startsAt"])
            for found in self._json("/api/v2/alerts")
        )

    def firing(self) -> tuple[AlertDocument, ...]:
        """Return the alerts that fire or are suppressed, as documents of the API."""
        try:
            return of_alertmanager(self._json("/api/v2/alerts"))
        except ValueError as error:
            raise OutsideError(
                f"`{self.url}` answers, but not as Alertmanager does", "is it the address of another server?"
            ) from error
