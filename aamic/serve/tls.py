"""TLS of the server: 1.2 or newer, with its certificate, and with certificates of clients where these are asked for."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from aamic.errors import OutsideError
from aamic.model.serveconfig import Tls

_LONGEST: Final = 200
"""Characters of a name in the log."""


def context(files: Tls) -> ssl.SSLContext:
    """What connections are secured with.

    Raises:
        OutsideError: A file cannot be read, is no PEM, or certificate and key do not fit each other.
    """
    for path in filter(None, (files.certificate, files.key, files.client_authorities)):
        _expect_readable(Path(path))
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    _load_own(made, files)
    if files.client_authorities:
        _load_authorities(made, files.client_authorities)
        made.verify_mode = ssl.CERT_REQUIRED
    return made


def owner(shown: Mapping[str, Any] | None) -> str | None:
    """Whom a client's certificate names: its common name, or all else that it calls itself; None without one.

    >>> owner({"subject": ((("organizationName", "Aami"),), (("commonName", "seoul"),))}), owner(None)
    ('seoul', None)
    >>> owner({"subject": (), "subjectAltName": (("DNS", "seoul.example"),)})
    'seoul.example'
    """
    if not shown:
        return None
    parts = dict(pair for part in shown.get("subject", ()) for pair in part)
    others = [*parts.values(), *(name for _, name in shown.get("subjectAltName", ()))]
    return (parts.get("commonName") or ", ".join(others))[:_LONGEST] or None


def _expect_readable(path: Path) -> None:
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        hint = "the server's user must be able to read it"
        raise OutsideError(f"cannot read `{path}`: {error.strerror}", hint) from error


def _load_own(made: ssl.SSLContext, files: Tls) -> None:
    try:
        made.load_cert_chain(files.certificate, files.key, password=lambda: "")  # or OpenSSL asks the terminal for it
    except ssl.SSLError as error:
        both = f"certificate `{files.certificate}` and key `{files.key}`"
        if error.reason == "KEY_VALUES_MISMATCH":
            raise OutsideError(f"{both} do not fit each other", "is the key that of an older certificate?") from error
        hint = "both must be PEM, the server's own certificate first, and the key without a password"
        raise OutsideError(f"{both} cannot be used", hint) from error


def _load_authorities(made: ssl.SSLContext, path: str) -> None:
    try:
        made.load_verify_locations(path)
    except ssl.SSLError as error:
        raise OutsideError(f"`{path}` holds no certificates of authorities", "it must be PEM") from error
