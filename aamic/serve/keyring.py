"""Whose key a request shows."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from typing import Final

from aamic.model.clusters import ServeKey

Headers = Iterable[tuple[bytes, bytes]]
NO_KEY: Final = b""
"""What counts as the key of a request whose `Authorization` is not understood; it is nobody's."""


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys that are let in, as names and digests."""

    digests: tuple[tuple[str, bytes], ...]

    @classmethod
    def of(cls, keys: Iterable[ServeKey]) -> Keyring:
        """The keys of a configuration."""
        return cls(tuple((key.name, key.sha256.encode()) for key in keys))

    def owner(self, key: bytes) -> str | None:
        """Return who has a key; None if nobody does. How long that takes tells nothing about the keys."""
        shown = sha256(key).hexdigest().encode()
        owners = [name for name, digest in self.digests if compare_digest(shown, digest)]
        return owners[0] if owners and key != NO_KEY else None


def key_of(headers: Headers) -> bytes | None:
    """Return the key that a request shows: a bearer token, or the password of Basic. None where it shows none.

    >>> key_of([(b"authorization", b"Bearer abc")])
    b'abc'
    >>> key_of([(b"authorization", b"Basic YW55OmFiYw==")])
    b'abc'
    """
    shown = [value for name, value in headers if name == b"authorization"]
    if not shown:
        return None
    scheme, _, value = shown[0].partition(b" ")
    if len(shown) > 1:
        return NO_KEY
    if scheme.lower() == b"bearer":
        return value.strip()
    return _password(value) if scheme.lower() == b"basic" else NO_KEY


def _password(value: bytes) -> bytes:
    try:
        return b64decode(value.strip(), validate=True).partition(b":")[2]
    except ValueError:
        return NO_KEY
