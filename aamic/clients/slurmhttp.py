"""Asking slurmrestd over HTTP: TLS verified, never through a proxy, no redirect, and the token in a header alone."""

from __future__ import annotations

import http.client
import re
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, OpenerDirector, ProxyHandler, Request, build_opener

import orjson

from aamic.errors import OutsideError

LARGEST: Final = 256 << 20
_CHUNK: Final = 1 << 16
_SHOWN: Final = 200
_REFUSED: Final = frozenset({401, 403, 511})
_TOKEN_HINT: Final = "is the token of `slurm.auth` still valid, and for its user? `scontrol token` makes one"  # noqa: S105
_AUTH: Final = re.compile(r"authenticat|token|unauthori[sz]ed|access/permission denied", re.IGNORECASE)
_HEADER: Final = re.compile(r"[\x21-\x7e]+")


class RestError(OutsideError):
    """Slurmrestd answered, but not with what was asked; `number` is Slurm's own error, `status` that of HTTP."""

    def __init__(self, message: str, hint: str | None = None, *, status: int = 0, number: int = 0) -> None:
        self.status = status
        self.number = number
        super().__init__(message, hint)


class _NoRedirect(HTTPRedirectHandler):
    """Another address would be sent the token as well."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow none."""
        return


def _opener() -> OpenerDirector:
    return build_opener(ProxyHandler({}), _NoRedirect())


@dataclass(frozen=True)
class Server:
    """A slurmrestd. `token` is read when it is first needed; no message ever holds it."""

    url: str
    user: str
    token: Callable[[], bytes] | None
    timeout: float = 30.0
    _open: OpenerDirector = field(default_factory=_opener, repr=False)

    def ask(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The JSON that answers a path; `body` is posted where it is given.

        Raises:
            RestError: It answered with an error.
            OutsideError: It does not answer.
        """
        status, text = self._answer(path, None if body is None else orjson.dumps(body))
        where = f"slurmrestd, `{self.url}{path}`,"
        try:
            found = orjson.loads(text)
        except orjson.JSONDecodeError:
            raise _no_json(where, status, text) from None
        if fault := _fault(where, status, found):
            raise fault
        return found

    def _answer(self, path: str, data: bytes | None) -> tuple[int, bytes]:
        method = "GET" if data is None else "POST"
        request = Request(f"{self.url.rstrip('/')}{path}", data, self._headers(), method=method)  # noqa: S310  # no file:
        try:
            with self._open.open(request, timeout=self.timeout) as answer:
                return answer.status, self._body(answer)
        except HTTPError as error:
            with error:
                return error.code, self._body(error)
        except (OSError, HTTPException) as error:
            raise self._silent(error) from error

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if self.token is not None:
            value = self.token().decode("latin-1").strip()
            value = value.removeprefix("SLURM_JWT=")
            if not _HEADER.fullmatch(value) or not _HEADER.fullmatch(self.user):
                raise OutsideError("the token of `slurm.auth` is none", "it is one word, as `scontrol token` prints it")
            headers |= {"X-SLURM-USER-NAME": self.user, "X-SLURM-USER-TOKEN": value}
        return headers

    def _body(self, answer: http.client.HTTPResponse | HTTPError) -> bytes:
        """What it sends, up to a size and a time."""
        until, pieces, size = time.monotonic() + self.timeout, [], 0
        while piece := answer.read(_CHUNK):
            pieces.append(piece)
            size += len(piece)
            if size > LARGEST:
                raise OutsideError(f"slurmrestd, `{self.url}`, sends more than {LARGEST >> 20} MiB")
            if time.monotonic() > until:
                raise OutsideError(f"slurmrestd, `{self.url}`, did not end its answer within {self.timeout:g} s")
        return b"".join(pieces)

    def _silent(self, error: OSError | HTTPException) -> OutsideError:
        reason = error.reason if isinstance(error, URLError) else error
        if isinstance(reason, ssl.SSLCertVerificationError):
            told = f"the certificate of slurmrestd, `{self.url}`, is not to be trusted: {reason.verify_message}"
            return OutsideError(told, "add its authority to those of this machine")
        if isinstance(reason, ssl.SSLError):
            return OutsideError(f"slurmrestd, `{self.url}`, does not speak TLS: {reason.reason}", "is it `http://`?")
        if isinstance(reason, TimeoutError):
            return OutsideError(f"slurmrestd, `{self.url}`, did not answer within {self.timeout:g} s")
        if isinstance(reason, ConnectionRefusedError):
            return OutsideError(f"slurmrestd, `{self.url}`, refuses connections", "does it run, and on that port?")
        return OutsideError(f"slurmrestd, `{self.url}`, does not answer: {reason or type(error).__name__}")


def _no_json(where: str, status: int, text: bytes) -> RestError:
    """An answer in plain text: that is how slurmrestd refuses tokens and unknown paths; HTML is of another server."""
    said = " ".join(text[:_SHOWN].decode(errors="replace").split())
    if said.startswith("<"):
        return RestError(f"{where} answered {status} with a page for people", "is it another server?", status=status)
    if status in _REFUSED or (status >= 500 and _AUTH.search(said)):  # noqa: PLR2004  # a class of answers
        return RestError(f"{where} does not let us in ({status}): {said}", _TOKEN_HINT, status=status)
    return RestError(f"{where} answered {status}: {said or 'nothing'}", status=status)


def _fault(where: str, status: int, found: Any) -> RestError | None:
    """What an answer complains of, if it does; newer releases send errors with any status."""
    errors = found.get("errors") if isinstance(found, Mapping) else None
    first = next((each for each in errors or [] if isinstance(each, Mapping)), None) if _is_list(errors) else None
    if first is None:
        return None if status < 400 else _no_json(where, status, orjson.dumps(found))  # noqa: PLR2004  # of errors
    number = first.get("error_number", first.get("errno", 0))
    said = ": ".join(str(first[key]) for key in ("description", "error") if first.get(key))[:_SHOWN]
    refused = status in _REFUSED or _AUTH.search(said)
    vague = "Unspecified error" in said
    hint = _TOKEN_HINT if refused or vague else None
    verb = f"does not let us in ({status})" if refused else f"answered {status}"
    return RestError(f"{where} {verb}: {said}", hint, status=status, number=number if isinstance(number, int) else 0)


def _is_list(value: Any) -> bool:
    return isinstance(value, list)
