"""How many requests one key or one address may make."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from math import ceil
from time import time
from typing import Final

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

WRONG_KEYS: Final = 10
"""Wrong keys a minute from one address (our policy). A right key is let in all the same: nobody guesses 256 bits, and
one client with an old key must not lock out its neighbours behind the same address."""


class Limiter:
    """Counts requests in windows of a minute that slide."""

    def __init__(self, rate: int, wrong: int = WRONG_KEYS) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._requests = RateLimitItemPerMinute(rate)
        self._wrong = RateLimitItemPerMinute(min(wrong, rate))

    def request(self, key: str | None, address: str) -> int:
        """Count a request; return for how many seconds there must be no other of this key, or address without one."""
        return self._hit(self._requests, "key", key) if key else self._hit(self._requests, "address", source(address))

    def wrong_key(self, address: str) -> int:
        """Count a wrong key; return for how many seconds this address must show no other."""
        return self._hit(self._wrong, "wrong", source(address))

    def _hit(self, limit: RateLimitItemPerMinute, *names: str) -> int:
        if self._limiter.hit(limit, *names):
            return 0
        return max(1, ceil(self._limiter.get_window_stats(limit, *names).reset_time - time()))


def source(address: str) -> str:
    """What counts as one address: of IPv6 the network of 64 bits, as one machine has all addresses of it.

    >>> source("2001:db8::17"), source("::ffff:192.0.2.1"), source("192.0.2.1")
    ('2001:db8::', '192.0.2.1', '192.0.2.1')
    """
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or IPv6Address(int(parsed) >> 64 << 64))
