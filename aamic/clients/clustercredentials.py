"""By what another cluster is told and by what it lets us in: authorities, our certificate with its key, and our key."""

from __future__ import annotations

import os
import re
import ssl
from ipaddress import ip_address
from pathlib import Path
from typing import Final, NoReturn
from urllib.parse import urlsplit

from aamic.clients.secrets import read_secret, told
from aamic.errors import OutsideError, RemoteError
from aamic.model.fleet import RemoteCluster
from aamic.model.secret import Secret

_KEY: Final = re.compile(rb"[\x21-\x7e]+")
_FOREIGN: Final = re.compile(rb"[^\x00-\x7f]")
"""Bytes that may stand around certificates, in remarks, and that Python does not take."""
_LARGEST: Final = 1 << 20


def bearer_key(cluster: RemoteCluster, folder: Path) -> str | None:
    """Return the key that a cluster wants, if the site names one; secrets are relative to the site's `folder`.

    Raises:
        RemoteError: It cannot be read, cannot stand in a header, or would be seen on its way.
    """
    if cluster.api_key is None:
        return None
    where = urlsplit(cluster.endpoint)
    if where.scheme != "https" and not _is_here(where.hostname or ""):
        _none(cluster, "`api_key` would be seen by everybody on its way", "write `https://`")
    value = _secret(cluster, cluster.api_key, folder)
    if not _KEY.fullmatch(value):
        why = f"{told(cluster.api_key.model_dump())} is no key: it has spaces, line breaks or other than ASCII letters"
        _none(cluster, why, "it is one word, as `aamic keys create` writes it")
    return value.decode("ascii")


def tls_context(cluster: RemoteCluster, folder: Path) -> ssl.SSLContext:
    """Return what verifies the cluster's certificate and shows ours; files are relative to the site's `folder`.

    Without authorities of its own, those of the system are asked.

    Raises:
        RemoteError: A file or secret cannot be read, or is not what it should be.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # it verifies certificate and name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    authorities = _pem(cluster, cluster.authorities, cluster.tls_ca_cert, folder)
    if authorities is None:
        context.load_default_certs()
    else:
        _trust(cluster, context, authorities)
    certificate = _pem(cluster, cluster.certificate, cluster.tls_cert, folder)
    if certificate is not None:
        _show(cluster, context, certificate, folder)
    return context


def _trust(cluster: RemoteCluster, context: ssl.SSLContext, authorities: bytes) -> None:
    text = _FOREIGN.sub(b"?", authorities).decode("ascii")
    try:
        context.load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError):
        _none(cluster, f"`{cluster.tls_ca_cert}` has no certificate that can be read", "it is PEM: `tls_ca_cert`")


def _show(cluster: RemoteCluster, context: ssl.SSLContext, certificate: bytes, folder: Path) -> None:
    """Let a context show our certificate. Without `tls_key` the key stands in the same file."""
    key = b"" if cluster.tls_key is None else _secret(cluster, cluster.tls_key, folder)
    whose = f"`{cluster.tls_cert}`" if cluster.tls_key is None else told(cluster.tls_key.model_dump())
    hint = f"`openssl pkey -in KEY -pubout` and `openssl x509 -in {cluster.tls_cert} -noout -pubkey` give the same"
    try:
        _load(context, certificate, key)
    except _EncryptedError:
        _none(cluster, f"{whose} is an encrypted key", "nobody is asked for a password: keep it in a secret store")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            _none(cluster, f"{whose} is not the key of `{cluster.tls_cert}`", hint)
        _none(cluster, f"`{cluster.tls_cert}` or {whose} cannot be read as PEM", "a certificate, and its private key")


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _EncryptedError(Exception):
    """A key asks for a password."""


def _refuse_password() -> NoReturn:
    raise _EncryptedError


def _load(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Load from memory; OpenSSL wants the path of a file, and a key on a disk would outlive us."""
    memory = os.memfd_create("aamic")
    try:
        with open(memory, "wb", closefd=False) as file:  # a descriptor has no path
            file.write(certificate + b"\n" + key + b"\n")
        context.load_cert_chain(f"/proc/self/fd/{memory}", password=_refuse_password)
    finally:
        os.close(memory)


def _pem(cluster: RemoteCluster, given: bytes | None, path: str | None, folder: Path) -> bytes | None:
    """What stands in a file that the site names, where the fleet does not have it already."""
    if given is not None or path is None:
        return given
    try:
        with (folder / Path(path).expanduser()).open("rb") as file:
            return file.read(_LARGEST)
    except OSError as error:
        _none(cluster, f"`{path}` cannot be read: {error.strerror}", "the path is relative to the site")


def _secret(cluster: RemoteCluster, reference: Secret, folder: Path) -> bytes:
    try:
        return read_secret(reference.model_dump(), folder)
    except OutsideError as error:
        _none(cluster, str(error), error.hint)


def _none(cluster: RemoteCluster, why: str, hint: str | None) -> NoReturn:
    """Refuse to ask, without the error at hand: it may hold a part of what was read."""
    raise RemoteError("no credentials", f"`{cluster.endpoint}` is not asked: {why}", hint) from None
