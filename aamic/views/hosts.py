"""Many hosts of which the same is told: each message once, with the hosts it is about."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

Fold = Callable[[Iterable[str]], str]
"""Makes one host list of many names."""


def collapsed(told: Iterable[tuple[str, str]]) -> list[tuple[str, tuple[str, ...]]]:
    """Pairs of host and message -> messages with their hosts, most hosts first.

    >>> collapsed([("a", "a: no answer"), ("b", "b: no answer"), ("c", "wrong key")])
    [('HOST: no answer', ('a', 'b')), ('wrong key', ('c',))]

    The host's own name within a message does not make it another one.
    """
    found: dict[str, list[tuple[str, str]]] = {}
    for host, message in told:
        found.setdefault(_anyone(message, host), []).append((host, message))
    several = [
        (words if len(those) > 1 else those[0][1], tuple(host for host, _ in those)) for words, those in found.items()
    ]
    return sorted(several, key=lambda each: -len(each[1]))


def _anyone(text: str, host: str) -> str:
    return re.sub(rf"(?<![\w.-]){re.escape(host)}(?![\w-])", "HOST", text)
