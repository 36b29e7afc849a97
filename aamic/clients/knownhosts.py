"""The host keys that a user trusts: OpenSSH's known_hosts, read once and asked often."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Final

from aamic.errors import OutsideError

SSH_PORT: Final = 22
_HASHED: Final = "|1|"
_MARKERS: Final = ("@revoked", "@cert-authority")
_SCANNED: Final = 2000
"""Lines with hashes or patterns that are searched for the types of a host's keys before it is called.

Each line costs a hash, so that a long file would cost more than the calls; without an order of types, the offered key
is still found by itself.
"""


class Verdict(Enum):
    """What is known of a key that a host offers."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    """No key of this host is known."""
    OTHER = "other"
    """Keys of this host are known, and this is none of them."""
    REVOKED = "revoked"


@dataclass(frozen=True)
class _Line:
    """A line whose names must be tried one by one: hashes, wildcards, negations."""

    patterns: tuple[str, ...]
    key_type: str
    blob: bytes

    @cached_property
    def _compiled(self) -> tuple[tuple[bool, re.Pattern[str] | tuple[bytes, bytes]], ...]:
        return tuple((pattern.startswith("!"), _matcher(pattern.removeprefix("!"))) for pattern in self.patterns)

    def is_of(self, name: str) -> bool:
        """Whether the line is about the host of this name: a pattern of it matches, and no negated one does."""
        found = [negated for negated, matcher in self._compiled if _matches(matcher, name)]
        return bool(found) and not any(found)


class KnownHosts:
    """Host keys by name.

    Names are looked up as OpenSSH does: `host`, or `[host]:port` where the port is not 22, and then `host` alone.
    Lines that cannot be read are ignored, as is `@cert-authority`: certificates of hosts are not asked for.
    """

    def __init__(self, text: str) -> None:
        self._plain: defaultdict[str, list[tuple[str, bytes]]] = defaultdict(list)
        self._tried: list[_Line] = []
        self._tried_by_key: defaultdict[bytes, list[_Line]] = defaultdict(list)
        self._revoked: defaultdict[bytes, list[_Line]] = defaultdict(list)
        for line in text.split("\n"):
            self._add(line)

    def _add(self, line: str) -> None:
        fields = line.split()
        marker = fields.pop(0) if fields and fields[0].startswith("@") else ""
        if len(fields) < 3 or fields[0].startswith("#") or marker not in ("", _MARKERS[0]):  # noqa: PLR2004  # names, type, key
            return
        try:
            blob = base64.b64decode(fields[2], validate=True)
        except (binascii.Error, ValueError):
            return
        # Patterns are compared without regard to case; hashes are of the name in lower case, as base64 they keep it.
        names = tuple(name if name.startswith(_HASHED) else name.lower() for name in fields[0].split(",") if name)
        if marker:
            self._revoked[blob].append(_Line(names, fields[1], blob))
        elif _HASHED in fields[0] or any(sign in fields[0] for sign in "*?!"):
            entry = _Line(names, fields[1], blob)
            self._tried.append(entry)
            self._tried_by_key[blob].append(entry)
        else:
            for name in names:
                self._plain[name].append((fields[1], blob))

    def verdict(self, hosts: Iterable[str], port: int, blob: bytes) -> Verdict:
        """What is known of `blob`, the key that the host offers; `hosts` are all names and addresses it goes by."""
        exact, plain = _names(hosts, port)
        names = (*exact, *plain)
        if any(line.is_of(name) for line in self._revoked.get(blob, ()) for name in names):
            return Verdict.REVOKED
        if self._knows(names, blob):
            return Verdict.KNOWN
        return Verdict.OTHER if any(self._types(name) for name in exact) else Verdict.UNKNOWN

    def key_types(self, hosts: Iterable[str], port: int) -> tuple[str, ...]:
        """The types of the keys that are known of a host, to ask it for one of them; may be empty."""
        exact, plain = _names(hosts, port)
        lines = len(self._tried) <= _SCANNED
        found = [kind for name in exact for kind in self._types(name, tried=lines)]
        return tuple(dict.fromkeys(found or (kind for name in plain for kind in self._types(name, tried=lines))))

    def _knows(self, names: Sequence[str], blob: bytes) -> bool:
        if any(known == blob for name in names for _, known in self._plain.get(name, ())):
            return True
        return any(line.is_of(name) for line in self._tried_by_key.get(blob, ()) for name in names)

    def _types(self, name: str, *, tried: bool = True) -> list[str]:
        found = [kind for kind, _ in self._plain.get(name, ())]
        return found + [line.key_type for line in self._tried if line.is_of(name)] if tried else found


def read_known_hosts(paths: Iterable[Path]) -> KnownHosts:
    """Read these files; one that does not exist knows nothing.

    Raises:
        OutsideError: A file is there and cannot be read.
    """
    texts = []
    for path in paths:
        try:
            texts.append(path.read_text("utf-8", "replace"))
        except FileNotFoundError:
            continue
        except OSError as error:
            message = f"the known host keys in `{path}` cannot be read: {(error.strerror or str(error)).lower()}"
            raise OutsideError(message) from error
    return KnownHosts("\n".join(texts))


def fingerprint(blob: bytes) -> str:
    """The fingerprint of a key as OpenSSH prints it, `SHA256:...`."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def _names(hosts: Iterable[str], port: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names a host must be known by, and those that OpenSSH also takes for another port than 22."""
    plain = tuple(dict.fromkeys(host.lower() for host in hosts))
    return (plain, ()) if port == SSH_PORT else (tuple(f"[{host}]:{port}" for host in plain), plain)


def _matcher(pattern: str) -> re.Pattern[str] | tuple[bytes, bytes]:
    """A compiled pattern, or salt and hash; what cannot be read matches nothing."""
    if not pattern.startswith(_HASHED):
        return re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)
    try:
        salt, digest = (base64.b64decode(part, validate=True) for part in pattern.removeprefix(_HASHED).split("|"))
    except (binascii.Error, ValueError):
        return re.compile("$.")
    return salt, digest


def _matches(matcher: re.Pattern[str] | tuple[bytes, bytes], name: str) -> bool:
    if isinstance(matcher, re.Pattern):
        return matcher.fullmatch(name) is not None
    # SHA-1 is what the format prescribes; it hides names, and nothing rests on its strength.
    return hmac.digest(matcher[0], name.encode(), "sha1") == matcher[1]
