"""Addresses of hosts: what is one, and when two texts are the same one."""

from __future__ import annotations

import re
from typing import Final

_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")
_HOST = re.compile(r"(?=[^A-Za-z]*[A-Za-z])(?=.{1,253}$)[A-Za-z0-9][A-Za-z0-9_-]{0,62}(?:\.[A-Za-z0-9_-]{1,63})*")
_MAPPED: Final = bytes(10) + b"\xff\xff"
_NO_HOST: Final = frozenset({"0.0.0.0", "255.255.255.255", "[" + "0" * 32})  # noqa: S104  # named to be refused
_LONGEST_PART: Final = 63


def is_address(text: str) -> bool:
    """Whether the text is an IPv4 or IPv6 address that one host can have, or a host name.

    >>> [is_address(text) for text in ("10.0.0.1", "10.0.0.256", "fd00::1", "gpu-01.example", "-x", "1.2.3", "a..b")]
    [True, False, True, True, False, False, False]
    """
    if _IPV4.fullmatch(text):
        return text not in _NO_HOST
    if _HOST.fullmatch(text):
        return text[-1] not in "-_"
    return ":" in text and _ipv6(text) is not None and value(text) not in _NO_HOST


def is_ip(text: str) -> bool:
    """Whether an address is an IPv4 or IPv6 address rather than a name.

    >>> [is_ip(text) for text in ("10.0.0.1", "fd00::1", "gpu-01.example")]
    [True, True, False]
    """
    return _IPV4.fullmatch(text) is not None or ":" in text


def is_loopback(host: str) -> bool:
    """Whether a host of a URL, or an address to listen on, is this machine itself.

    >>> [is_loopback(text) for text in ("127.0.0.2", "::1", "localhost", "127.example.com", "0.0.0.0")]
    [True, True, True, False, False]
    """
    plain = value(host)
    return plain in {"localhost", value("::1")} or (is_ip(plain) and plain.startswith("127."))


def value(address: str) -> str:
    """What all texts of one address have in common, to compare them by.

    >>> value("FD00::1") == value("fd00:0:0::1"), value("::ffff:10.0.0.1"), value("GPU-01")
    (True, '10.0.0.1', 'gpu-01')
    """
    packed = _ipv6(address) if ":" in address else None
    if packed is None:
        return address.lower()
    return ".".join(map(str, packed[12:])) if packed.startswith(_MAPPED) else "[" + packed.hex()


def why_not(text: str) -> tuple[str, str]:
    """What is wrong with a text that is no address, to stand behind that text, and what to do about it.

    >>> why_not("0.0.0.0")
    ('is the address of no single host', 'write the address at which Prometheus reaches the node')
    """
    if value(text) in _NO_HOST:
        return "is the address of no single host", "write the address at which Prometheus reaches the node"
    hint = "write an IP address or a host name"
    if ".." in text:
        hint = "write one dot between the parts of a host name"
    elif any(len(part) > _LONGEST_PART for part in text.split(".")):
        hint = f"each part of a host name, between dots, has at most {_LONGEST_PART} characters"
    return "is not an address", hint


def _ipv6(text: str) -> bytes | None:
    # What `ipaddress` does takes thirty times as long; this speaks to no network either.
    from socket import AF_INET6, inet_pton  # noqa: PLC0415  # few sites need it

    try:
        return inet_pton(AF_INET6, text)
    except (OSError, ValueError):
        return None
