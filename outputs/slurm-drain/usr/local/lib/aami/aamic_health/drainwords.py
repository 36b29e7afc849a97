"""Texts of the drain controller, for people and for Slurm: one line each, whatever they are made of. Pure."""

import re
from typing import Iterable, List, Tuple

OURS = "aamic:"
"""What every reason of ours begins with."""
REASON_LIMIT = 200
"""Characters of the longest reason."""
_NAMED = 4


def line(text: str, limit: int = REASON_LIMIT) -> str:
    r"""Return a text as one line of printable ASCII without double quotes, which scontrol would take off.

    >>> line('say "hi"\n\tto Ω')
    "say 'hi' to ?"
    """
    plain = "".join(char if " " <= char <= "~" else "?" for char in " ".join(text.split())).replace('"', "'")
    return plain if len(plain) <= limit else plain[: limit - 3] + "..."


def natural(name: str) -> Tuple[Tuple[int, int, str], ...]:
    """Return what sorts names as people do.

    >>> sorted(["n10", "n9"], key=natural)
    ['n9', 'n10']
    """
    parts = re.findall("[0-9]+|[^0-9]+", name)
    return (*(_part(part) for part in parts), (-1, 0, name))


def _part(part: str) -> Tuple[int, int, str]:
    if not "0" <= part[0] <= "9":
        return (1, 0, part)
    digits = part.lstrip("0")
    return (0, len(digits), digits)


def few(items: List[str]) -> str:
    """Return the first few of these, and how many others there are.

    >>> few(["a", "b", "c", "d", "e", "f"])
    'a, b, c, d and 2 more'
    """
    more = len(items) - _NAMED
    return ", ".join(items[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def listed(names: Iterable[str]) -> str:
    """Return the first few of these names in their natural order, and how many others there are."""
    return few(sorted(names, key=natural))


def findings(signals: Iterable[Tuple[str, str]]) -> str:
    """Return what was found on which GPU; pairs without a GPU are about the whole node.

    >>> findings([("fatal_error", "3"), ("lost_gpu", "")])
    'fatal error on GPU 3, lost gpu'
    """
    return few([signal.replace("_", " ") + (f" on GPU {gpu}" if gpu else "") for signal, gpu in signals])
