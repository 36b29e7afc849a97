"""What an exporter answers, asked from here, or by the host that it runs on."""

from __future__ import annotations

import time
from http.client import HTTPException, HTTPResponse
from typing import Final
from urllib.error import HTTPError, URLError
from urllib.request import OpenerDirector, ProxyHandler, build_opener

from aamic.clients.base import Hosts
from aamic.clients.deadline import Stay
from aamic.errors import OutsideError

_LARGEST: Final = 64 << 20
_CHUNK: Final = 1 << 16
_FIREWALL: Final = "is it up, and does a firewall let this machine and Prometheus through?"
_NO_CLIENT: Final = 127
_ASK: Final = """
if command -v curl >/dev/null; then
    curl -sS -f --noproxy '*' --max-time "$2" -- "$1"
elif command -v wget >/dev/null; then
    wget -nv --no-proxy -T "$2" -t 1 -O - -- "$1"
elif command -v python3 >/dev/null; then
    python3 -I -c '
import sys, urllib.request as u
sys.stdout.buffer.write(u.build_opener(u.ProxyHandler({})).open(sys.argv[1], timeout=float(sys.argv[2])).read())
' "$1" "$2"
else
    exit 127
fi
"""


class NoAnswerError(OutsideError):
    """Nothing was reached at an address: it may still answer others."""


def read_page(url: str, seconds: float) -> bytes:
    """The body that a URL answers, without a proxy.

    Raises:
        NoAnswerError: Nobody answered within these seconds.
        OutsideError: The answer is an error, or too large.
    """
    until = time.monotonic() + seconds
    try:
        with _opener().open(url, timeout=seconds) as answer:
            return _body(answer, url, until)
    except HTTPError as error:
        with error:
            raise OutsideError(f"`{url}` answered with status {error.code}") from error
    except URLError as error:
        raise NoAnswerError(f"`{url}`: {_why(error.reason, seconds)}", _FIREWALL) from error
    except (OSError, HTTPException) as error:
        raise NoAnswerError(f"`{url}`: {_why(error, seconds)}", _FIREWALL) from error


def _opener() -> OpenerDirector:
    return build_opener(ProxyHandler({}), Stay())


def _body(answer: HTTPResponse, url: str, until: float) -> bytes:
    parts, size = [], 0
    while part := answer.read1(_CHUNK):
        parts.append(part)
        size += len(part)
        if size > _LARGEST:
            raise OutsideError(f"`{url}` answers with more than {_LARGEST >> 20} MiB")
        if time.monotonic() > until:
            raise TimeoutError
    return b"".join(parts)


def _why(reason: object, seconds: float) -> str:
    if isinstance(reason, TimeoutError):
        return f"no answer within {seconds:g} seconds"
    if isinstance(reason, ConnectionRefusedError):
        return "connection refused"
    return str(getattr(reason, "strerror", None) or reason or type(reason).__name__)


def read_on_host(hosts: Hosts, host: str, url: str, seconds: float, timeout: float) -> bytes:
    """The body that a URL answers to a program on a host: curl, wget or Python, whichever it has.

    Raises:
        OutsideError: The host was not reached, has none of them, or got no answer.
    """
    answer = hosts.run(host, ("sh", "-c", _ASK, "aamic", url, f"{seconds:.0f}"), (), timeout)
    if answer.status == _NO_CLIENT:
        raise OutsideError(f"`{host}` has no curl, wget or python3 to ask with")
    if answer.status:
        lines = answer.errors.decode(errors="replace").split("\n")
        said = next((line.strip() for line in reversed(lines) if line.strip()), f"status {answer.status}")
        raise OutsideError(f"`{host}` itself gets no answer from `{url}`: {said}")
    return answer.output
