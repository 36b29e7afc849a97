"""Many hosts of which the same is told: each message once, with the hosts it is about."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

Fold = Callable[[Iterable[str]], str]
"""Makes one host list of many names."""

_LABEL: Final = re.compile(r"`HOST` \((?:port (?P<only>\d+)|(?P<address>[\w.:%-]+)(?: port (?P<port>\d+))?)\)")
"""What faults of SSH call a host that has another address than its name, or another port than 22."""
_FINGERPRINT: Final = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")


def collapsed(told: Iterable[tuple[str, str]]) -> list[tuple[str, tuple[str, ...]]]:
    """Pairs of host and message -> messages with their hosts, most hosts first.

    >>> collapsed([("a", "a: no answer"), ("b", "b: no answer"), ("c", "wrong key")])
    [('HOST: no answer', ('a', 'b')), ('wrong key', ('c',))]

    The host's own name, address, port and fingerprint within a message do not make it another one.
    """
    found: dict[str, list[tuple[str, str]]] = {}
    for host, message in told:
        found.setdefault(of_anyone(host, message), []).append((host, message))
    several = [
        (words if len(those) > 1 else those[0][1], tuple(host for host, _ in those)) for words, those in found.items()
    ]
    return sorted(several, key=lambda each: -len(each[1]))


def of_anyone(host: str, text: str) -> str:
    """A text without what is a host's own, so that equal texts of many hosts are told once.

    >>> of_anyone("gpu-1", "`gpu-1` (10.0.0.1 port 2222) shows no key; try `ssh-keyscan -p 2222 10.0.0.1`")
    '`HOST` shows no key; try `ssh-keyscan -p PORT ADDRESS`'
    """
    text = _without(_FINGERPRINT.sub("FINGERPRINT", text), host, "HOST")
    label = _LABEL.search(text)
    if label is None:
        return text
    text = _LABEL.sub("`HOST`", text)
    if port := label["only"] or label["port"]:
        text = re.sub(rf"(-p |\]:){port}\b", r"\1PORT", text)
    return _without(text, label["address"], "ADDRESS") if label["address"] else text


def _without(text: str, name: str, word: str) -> str:
    return re.sub(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", word, text)
