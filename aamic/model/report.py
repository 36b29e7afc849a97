"""A report: what an apply or a rollback did to each host. Frozen; printable as JSON; no input or output."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final, Literal

HostState = Literal["done", "already", "refused", "restored", "half restored", "unknown", "not reached", "not started"]
"""`done`: it has what was planned. `already`: it had that before. `refused`: it was left as it was, for a reason.
`restored`: it was changed, and is again as it was. `half restored`: it was changed, and not all of it is as it was;
where paths could not be put back, the host keeps what it needs to try again. `unknown`: nobody could see what became
of it. `not reached`: no connection, so nothing changed. `not started`: the apply ended before its turn."""
GOOD: Final[frozenset[HostState]] = frozenset({"done", "already"})


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a change comes from: its name on the hosts, who makes it, the site's revision, digests of plan and tree."""

    release: str
    who: str
    revision: str = ""
    plan: str = ""
    tree: str = ""


@dataclass(frozen=True, slots=True)
class HostReport:
    """What became of one host: `message` says why where it is not done, `notes` are told besides."""

    host: str
    state: HostState
    message: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WaveReport:
    """One wave: its stage, whether its hosts were canaries, how long it took, and what the gate found after it.

    `gate` is '' where there was nothing to ask: no host of the wave was changed.
    """

    stage: str
    canary: bool
    hosts: tuple[str, ...]
    failed: int
    seconds: float
    gate: str


@dataclass(frozen=True, slots=True)
class Report:
    """What an apply or a rollback did.

    `stopped` says why it ended early, '' where it did not; `notes` are told besides. `held` are bundles that did not
    get what the site wants, though no host stands against it.
    """

    action: Literal["apply", "rollback"]
    origin: Origin
    hosts: tuple[HostReport, ...]
    waves: tuple[WaveReport, ...] = ()
    stopped: str = ""
    interrupted: bool = False
    notes: tuple[str, ...] = ()
    held: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every host has what was planned for it, and that was all that the site wants."""
        return not self.held and all(each.state in GOOD for each in self.hosts)

    def counts(self) -> dict[HostState, int]:
        """How many hosts are in each state that occurs."""
        return dict(Counter(each.state for each in self.hosts))
