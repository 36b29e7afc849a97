"""A small client of Prometheus and of exporters, for hosts that have no more than Python's own library.

Nothing is believed to end: an answer has a limit of size, and the whole exchange one of time. No proxy of the
environment is used and no redirect followed.
"""

import http.client
import json
import math
import socket
import threading
from contextlib import closing, contextmanager
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple
from urllib.parse import urlencode, urlsplit

LIMIT = 16 << 20
"""Bytes of the largest answer that is read."""
_CHUNK = 1 << 16
_OK = 200
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_SHOWN = 200

Sample = NamedTuple("Sample", [("labels", Dict[str, str]), ("value", float)])


class NoAnswer(Exception):  # noqa: N818  # it is a result like any other, and no fault of the program
    """A server gave no answer that can be used; the text says which server and why, on one line."""


def fetch(url: str, timeout: float = 5.0, limit: int = LIMIT, form: Optional[Dict[str, str]] = None) -> bytes:
    """Return the body at a URL; with `form` it is posted there.

    Raises:
        NoAnswer: It is no plain HTTP, does not answer with 200 within `timeout` seconds, or says more than `limit`.
    """
    try:
        host, port, path = _parts(url)
        with closing(http.client.HTTPConnection(host, port, timeout=timeout)) as connection:
            connection.connect()
            with _deadline(connection.sock, timeout):
                body = urlencode(form).encode("ascii") if form else None
                connection.request("POST" if form else "GET", path, body, _FORM if form else {})
                with closing(connection.getresponse()) as response:
                    return _body(response, limit)
    except NoAnswer as error:
        raise NoAnswer(f"{_line(url)}: {error}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NoAnswer(f"{_line(url)}: {_line(str(error) or type(error).__name__)}") from None


def query(base: str, expr: str, timeout: float = 5.0) -> List[Sample]:
    """Return the series of an instant query; `base` is the server, `http://10.10.0.11:9090`.

    Raises:
        NoAnswer: No answer, one that is no vector, or one that the server itself calls incomplete.
    """
    address = base.rstrip("/") + "/api/v1/query"
    body = fetch(address, timeout, form={"query": expr})
    try:
        return parse(body)
    except NoAnswer as error:
        raise NoAnswer(f"{_line(address)}: {error}") from None


def parse(body: bytes) -> List[Sample]:
    """Return the series of an answer to an instant query.

    Raises:
        NoAnswer: It is none, or an error, or incomplete.
    """
    try:
        return _vector(json.loads(body.decode("utf-8")))
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise NoAnswer(f"not an answer of Prometheus: {_line(str(error))}") from None


def ask(bases: Sequence[str], expr: str, timeout: float = 5.0) -> List[Sample]:
    """Return what the first server says that answers.

    Raises:
        NoAnswer: None does; the text has the reasons of all.
    """
    reasons = []
    for base in bases:
        try:
            return query(base, expr, timeout)
        except NoAnswer as error:
            reasons.append(str(error))
    raise NoAnswer("; ".join(reasons) or "no server is named")


def _parts(url: str) -> Tuple[str, int, str]:
    split = urlsplit(url)
    if split.scheme != "http" or not split.hostname:
        raise ValueError("not a plain http URL")
    path = split.path or "/"
    return split.hostname, split.port or 80, path + ("?" + split.query if split.query else "")


@contextmanager
def _deadline(connected: socket.socket, timeout: float) -> Iterator[None]:
    """Cut a connection off after `timeout` seconds: a socket's own timeout begins anew with each byte."""
    late = threading.Event()

    def cut() -> None:
        late.set()
        try:
            connected.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it is over already

    timer = threading.Timer(timeout, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        if late.is_set():
            raise NoAnswer(f"no whole answer within {timeout:g} s") from None


def _body(response: http.client.HTTPResponse, limit: int) -> bytes:
    if response.status != _OK:
        raise NoAnswer(f"status {response.status}: {_line(response.read(_SHOWN).decode('utf-8', 'replace'))}")
    chunks: List[bytes] = []
    left = limit + 1
    while left > 0:
        chunk = response.read(min(left, _CHUNK))
        if not chunk:
            if response.length:
                raise NoAnswer(f"the answer lacks its last {response.length} bytes")
            return b"".join(chunks)
        left -= len(chunk)
        chunks.append(chunk)
    raise NoAnswer(f"more than {limit} bytes")


def _vector(document: Any) -> List[Sample]:
    if document["status"] != "success" or document.get("warnings"):
        raise NoAnswer(_line(str(document.get("warnings") or document.get("error"))))
    if document["data"]["resultType"] != "vector":
        raise NoAnswer("the query gives no vector")
    return [_sample(each) for each in document["data"]["result"]]


def _sample(each: Any) -> Sample:
    labels = each["metric"]
    if not isinstance(labels, dict) or not all(isinstance(value, str) for value in labels.values()):
        raise ValueError("labels are no texts")
    value = float(each["value"][1])
    return Sample(labels, value if math.isfinite(value) else math.nan)


def _line(text: str) -> str:
    """The text on one line of printable ASCII, shortened."""
    return "".join(char if " " <= char <= "~" else "?" for char in " ".join(text.split())[:_SHOWN])
