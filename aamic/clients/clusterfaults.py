"""How another cluster failed to answer, as a state, in words and with a hint: connections, certificates, statuses."""

from __future__ import annotations

import socket
import ssl
from typing import Final

import httpcore

from aamic.clients.exchange import HandshakeTimeoutError
from aamic.errors import RemoteError, RemoteState

_LONGEST: Final = 200
_TRUST: Final = "if that is as it should be, name the certificate of its authority as `tls_ca_cert`"
_OURS: Final = "`tls_cert` and `tls_key` must be a valid pair from an authority that it accepts"

_CERTIFICATES: Final[dict[int, tuple[str, str]]] = {
    9: ("its certificate, or one of its authorities', is not valid yet", "are both clocks right?"),
    10: ("its certificate, or one of its authorities', has expired", "renew it there; is the clock right here?"),
    18: ("its certificate is signed by itself", _TRUST),
    19: ("its certificate is from an unknown authority, which it sends along", _TRUST),
    20: ("its certificate is from an unknown authority", _TRUST),
    21: ("its certificate is from an unknown authority, or it does not send the ones between", _TRUST),
    62: ("its certificate is for another name", "use the name of its certificate as `endpoint`"),
    64: ("its certificate is for another address", "use the name of its certificate as `endpoint`"),
}
"""By the numbers of OpenSSL's x509_vfy.h."""

_REFUSALS: Final[dict[str, str]] = {
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it wants a client certificate",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "it wants a client certificate, or has no cipher in common with us",
    "SSLV3_ALERT_BAD_CERTIFICATE": "it wants a client certificate, or cannot use ours",
    "SSLV3_ALERT_NO_CERTIFICATE": "it wants a client certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "our certificate has expired",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "our certificate is revoked",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "it does not accept our certificate",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "our certificate is of a kind that it does not accept",
    "TLSV1_ALERT_UNKNOWN_CA": "our certificate is from an authority that is unknown to it",
    "TLSV1_ALERT_ACCESS_DENIED": "our certificate has no right there",
    "TLSV1_ALERT_DECRYPT_ERROR": "it cannot verify our certificate",
}
"""By OpenSSL's names of the alerts of RFC 8446, 6.2."""

_VERSIONS: Final = frozenset({"TLSV1_ALERT_PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL", "NO_PROTOCOLS_AVAILABLE"})
_NO_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"})


def harmless(text: str, longest: int = _LONGEST) -> str:
    r"""Return what a server said on one line, not too long, and with nothing in it that steers a terminal.

    >>> print(harmless("down\n\x1b[2J"))
    down \x1b[2J
    """
    line = " ".join(text.split())
    short = line if len(line) <= longest else line[: longest - 1] + "…"
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in short)


def unanswered(url: str, seconds: float, error: Exception) -> RemoteError:
    """Return why `url` gave no answer at all within `seconds`, from what httpcore raised."""
    if isinstance(error, HandshakeTimeoutError):
        hint = "is it a port of TLS? a server that is stopped or overloaded takes connections, too"
        return RemoteError("slow", f"`{url}` took the connection, and began no TLS within {seconds:g} s", hint)
    if isinstance(error, httpcore.ConnectTimeout):
        hint = "is the address right, and does a firewall drop what is sent there?"
        return RemoteError("slow", f"`{url}` let nobody connect within {seconds:g} s", hint)
    if isinstance(error, httpcore.TimeoutException):
        return RemoteError("slow", f"`{url}` did not answer within {seconds:g} s", "a longer `timeout` may help")
    if isinstance(error, httpcore.ProtocolError):
        return RemoteError(
            "foreign", f"`{url}` answers, but not by the rules of HTTP", "is it the port of another service?"
        )
    return _unconnected(url, cause(error))


def cause(error: Exception) -> OSError | UnicodeError | None:
    """Return the error of the system that is behind one of httpcore, which passes it on as an argument."""
    return next((each for each in error.args if isinstance(each, OSError | UnicodeError)), None)


def _unconnected(url: str, error: OSError | UnicodeError | None) -> RemoteError:
    if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return _insecure(url, error)
    if isinstance(error, ConnectionRefusedError):
        return RemoteError("refused", f"`{url}` refuses connections", "does it run there, and on that port?")
    if isinstance(error, socket.gaierror | UnicodeError):
        return RemoteError(
            "unreachable", f"`{url}` has a name that is not known: {_said(error)}", "is it spelled right?"
        )
    if error is None or isinstance(error, ConnectionError | ssl.SSLError):
        hint = "does it restart, or does something between cut it off? it was tried twice"
        return RemoteError("unreachable", f"`{url}` closes the connection without an answer", hint)
    return RemoteError("unreachable", f"`{url}` is not reached: {_said(error)}", "is there a way to that network?")


def _said(error: OSError | UnicodeError) -> str:
    return getattr(error, "strerror", None) or str(error)


def _insecure(url: str, error: ssl.SSLError) -> RemoteError:
    reason = error.reason or "no reason given"
    if isinstance(error, ssl.SSLCertVerificationError):
        told, hint = _CERTIFICATES.get(
            error.verify_code, (f"its certificate is not valid: {error.verify_message}", None)
        )
        return RemoteError("bad certificate", f"`{url}` is not trusted: {told}", hint)
    if reason in _REFUSALS:
        return RemoteError("certificate refused", f"`{url}` does not let us in: {_REFUSALS[reason]}", _OURS)
    if reason in _VERSIONS:
        return RemoteError("foreign", f"`{url}` speaks no TLS 1.2 or newer", "older ones are not safe")
    if reason in _NO_TLS:
        return RemoteError("foreign", f"`{url}` does not speak TLS", "is it the port of plain HTTP?")
    return RemoteError("foreign", f"`{url}` does not speak TLS with us: {reason}", "is it the right port?")


def answered(url: str, status: int, said: str, headers: dict[str, str], *, keyed: bool) -> RemoteError:
    """Return what a status other than 200 means; `said` is the reason that the answer gives, if any.

    `keyed` tells whether we showed a key.
    """
    state, told, hint = _KEYLESS if status == _UNAUTHORIZED and not keyed else _meaning(status, headers)
    why = f": {said}" if said else ""
    return RemoteError(state, f"`{url}` answered {status}, {told}{why}", hint)


_UNAUTHORIZED: Final = 401
_KEYLESS: Final[tuple[RemoteState, str, str]] = (
    "unauthorized", "it wants a key, and none is configured", "get one from those who run it, and name it as `api_key`",
)  # fmt: skip


def _meaning(status: int, headers: dict[str, str]) -> tuple[RemoteState, str, str | None]:
    known: dict[int, tuple[RemoteState, str, str | None]] = {
        401: ("unauthorized", "it does not know our key", "was it revoked? `api_key` must be one that it accepts now"),
        403: ("forbidden", "we have no right to this", "ask there for what our key or certificate may do"),
        404: ("not found", "there is no such page", "are `endpoint` with its path, and `kind`, right?"),
        429: ("limited", "we ask too often", _retry(headers)),
        503: ("unavailable", "it cannot answer now", _retry(headers)),
    }
    if status in known:
        return known[status]
    if status >= 500:  # noqa: PLR2004  # of errors of servers
        return "failing", "it fails", "its log says why"
    if 300 <= status < 400:  # noqa: PLR2004  # of redirects
        target = harmless(headers.get("location", "nowhere"))
        return "foreign", f"a redirect to `{target}`, which is not followed", "is that the right `endpoint`?"
    return "foreign", "which is no answer to this question", "are `endpoint`, with its path, and `kind` right?"


def _retry(headers: dict[str, str]) -> str:
    after = harmless(headers.get("retry-after", ""), 40)
    return f"it asks to wait: `Retry-After: {after}`" if after else "ask again later"
