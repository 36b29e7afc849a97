"""What an exporter answered after it was installed, held against what the site promises of it. Frozen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Installed:
    """One host: the URL that answered, the GPUs and the promised metrics that it shows, and how many are promised.

    `faults` say what makes the exporter one that is not to be relied on, `notes` what is lost although it works.
    """

    host: str
    url: str
    gpus: int = 0
    metrics: int = 0
    promised: int = 0
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether it shows its GPUs, all of them, with what decides about them."""
        return not self.faults
