"""Certificates that a site names, as PEM in its folder: read like every other file of it, and looked at. Pure."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aamic.compile.folder import Files
from aamic.compile.text import shown
from aamic.compile.yamltext import KeyPath
from aamic.errors import Place, Problem

LARGEST: Final = 1024**2
"""Bytes of one file; all authorities that browsers trust have a fifth of that."""
_OF_A_CLUSTER: Final = ("tls_cert", "tls_ca_cert")
_OF_SERVE: Final = ("tls_cert", "tls_client_ca")
_OF_GRAFANA: Final = ("tls_cert",)
_CERTIFICATE: Final = b"-----BEGIN CERTIFICATE-----"
_PRIVATE_KEY: Final = re.compile(rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY")


@dataclass
class Certificates:
    """What was read, by path below the site's folder, and what is wrong with the rest."""

    files: dict[str, bytes] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def place_of(written: str) -> str:
    """Path below the site's folder of a file as the site names it.

    >>> place_of("./tls/ca.pem")
    'tls/ca.pem'
    """
    return posixpath.normpath(written)


def read_certificates(
    data: Mapping[str, Any], files: Files, folder: str, place: Callable[[KeyPath], Place]
) -> Certificates:
    """The PEM files that a site names; `folder` is where it stands, as messages name it.

    Values that are no text are left to the model, which says so.
    """
    found = Certificates()
    for path, written in _named(data):
        where, target = place(path), place_of(written)
        if fault := _why_not_inside(written, target):
            found.problems.append(Problem(f"{shown(written)} {fault}", where, "name it relative to the site's folder"))
        elif target not in found.files:
            _take(found, target, posixpath.join(folder, target), files, where)
    return found


def _named(data: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    clusters = data.get("clusters")
    holders: list[tuple[KeyPath, Any, tuple[str, ...]]] = [
        (("clusters", index), each, _OF_A_CLUSTER)
        for index, each in enumerate(clusters if isinstance(clusters, list) else ())
    ]
    holders += [((name,), data.get(name), keys) for name, keys in (("serve", _OF_SERVE), ("grafana", _OF_GRAFANA))]
    for path, holder, keys in holders:
        for key in keys if isinstance(holder, dict) and holder.get("enabled") is not False else ():
            written = holder.get(key)
            if isinstance(written, str) and written.isprintable() and written:
                yield (*path, key), written


def _why_not_inside(written: str, target: str) -> str:
    if posixpath.isabs(written):
        return "is an absolute path"
    return "lies outside the folder of the site" if target == ".." or target.startswith("../") else ""


def _take(found: Certificates, target: str, name: str, files: Files, where: Place) -> None:
    try:
        text = files.read(target)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        message = f"{shown(name)} cannot be read: {reason[:1].lower()}{reason[1:]}"
        found.problems.append(Problem(message, where, "paths are relative to the folder of the site"))
        return
    if fault := why_not(text):
        message, hint = fault
        found.problems.append(Problem(f"{shown(name)} {message}", where, hint))
    else:
        found.files[target] = text


def why_not(text: bytes) -> tuple[str, str] | None:
    """Why these are no certificates that a site may hold, and what to do; None where they are.

    >>> why_not(b"-----BEGIN PRIVATE KEY-----")[0]
    'holds a private key'
    """
    if _PRIVATE_KEY.search(text):
        hint = "a site holds no secret: take it out and name it in `tls_key`; replace the key if others have seen it"
        return "holds a private key", hint
    if len(text) > LARGEST:
        return f"is larger than {LARGEST // 1024**2} MiB", "keep the certificates that are needed, and no others"
    if _CERTIFICATE not in text:
        return "holds no certificate", "it has to be PEM, with a line `-----BEGIN CERTIFICATE-----`"
    if fault := _malformed(text):
        return f"holds a certificate that cannot be read: {fault}", "`openssl x509 -text -noout -in FILE` shows one"
    return None


def _malformed(text: bytes) -> str:
    """What OpenSSL says of certificates that it cannot read, or ''. Nothing is said of their dates."""
    import ssl  # noqa: PLC0415  # few sites name certificates, and it takes 25 ms

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text.decode("ascii"))
    except UnicodeDecodeError:
        return "it has characters beyond ASCII"
    except ssl.SSLError as error:
        return (error.reason or "it is malformed").lower().replace("_", " ")
    return ""
