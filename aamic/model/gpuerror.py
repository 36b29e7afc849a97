"""An error code of a GPU, as its vendor's table explains it. Frozen, no input or output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

Policy = Literal["fatal", "uncorrected", "application", "ignored", "corrected", "workflow", "unlisted"]
"""What this project does about a code. Which codes are which is our policy, not the vendor's word."""
POLICIES: Final[tuple[Policy, ...]] = get_args(Policy)
POLICY_MEANING: Final[Mapping[Policy, str]] = {
    "fatal": "the node is taken out of service",
    "uncorrected": "a job may have lost data, and the GPU is watched",
    "application": "a program ended, and is the first suspect",
    "ignored": "nobody is told",
    "corrected": "nothing was lost, only a trend counts",
    "workflow": "what stands beside it decides",
    "unlisted": "it is told with a warning",
}
"""What each word says, in a sentence without its full stop."""
Culprit = Literal["application", "hardware", "driver", "link", "unknown"]
"""Where the fault most likely lies; `driver` is the vendor's software and firmware, `link` what connects GPUs."""
Severity = Literal["critical", "warning", "info"]


@dataclass(frozen=True, slots=True)
class GpuError:
    """One code: `kind` is the vendor's word for its codes (XID, AFID), `name` what happened, in few words.

    `meaning` explains, `causes` are what may be behind it, the likeliest first, `actions` what a person does about it,
    one after another, and `source` is where the facts come from. A code that the table does not have is not `known`:
    then `actions` say what to collect. A RAS block or a sign in the kernel log has a word as its `code`.
    """

    vendor: str
    kind: str
    code: int | str
    name: str
    meaning: str
    policy: Policy
    fault: Culprit
    severity: Severity
    causes: tuple[str, ...]
    actions: tuple[str, ...]
    source: str
    known: bool = True

    @property
    def action(self) -> str:
        """The actions in one text."""
        return " ".join(self.actions)

    def __str__(self) -> str:
        """`XID 79 (GPU has fallen off the bus)`."""
        return f"{self.kind} {self.code} ({self.name})"


@dataclass(frozen=True, slots=True)
class Detail:
    """What the text of one line of the kernel log says about a code, beyond the code.

    `unit` is the part of the GPU, as the driver writes it; `fatal` is None where the line does not say, `link` where
    it is about no link in particular. What the vendor's table does not have is not `known`, and nothing of it guessed.
    """

    unit: str
    fatal: bool | None
    link: int | None
    injected: bool | None
    meaning: str
    policy: Policy
    fault: Culprit
    severity: Severity
    causes: tuple[str, ...]
    actions: tuple[str, ...]
    source: str
    known: bool = True
