"""How hosts stand to what was put there and to what is wanted. Frozen; no input or output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from aamic.model.host import LastApply

StatusState = Literal["in sync", "behind", "drifted", "never applied", "pending", "record lost", "unreachable"]
"""`in sync`: as the site wants it. `behind`: as its own release left it, and the site wants more. `drifted`: not as its
release left it. `never applied`: aamic put nothing there. `pending`: a change is under way, or not confirmed.
`record lost`: what aamic put there is no longer known, and the next apply writes it down anew."""
STATES: Final[tuple[StatusState, ...]] = (
    "unreachable",
    "pending",
    "record lost",
    "drifted",
    "behind",
    "never applied",
    "in sync",
)


@dataclass(frozen=True, slots=True)
class HostStatus:
    """One host.

    `details` are the paths and units that drifted, or why it is not seen. `release` is the one that it carries, ''
    where it carries none. `skew` is how many seconds its clock is
    ahead, 0 where that is too little to tell.
    """

    host: str
    state: StatusState
    details: tuple[str, ...] = ()
    last: LastApply | None = None
    skew: int = 0
    release: str = ""
