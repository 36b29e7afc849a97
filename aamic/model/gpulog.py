"""What a kernel log tells of GPUs. Frozen, no input or output."""

from __future__ import annotations

from dataclasses import dataclass

from aamic.model.gpuerror import GpuError


@dataclass(frozen=True, slots=True)
class Sight:
    """An error of one GPU in a log.

    `host` is None where lines name none, `pci` where the driver did not say which GPU it was. `count` is how often it
    happened: the lines, or the errors that these count. `first` and `last` are the times as written, None where lines
    have none. `said` is what the first line said of it, `lines` how many told of it.
    """

    host: str | None
    pci: str | None
    error: GpuError
    count: int
    lines: int
    first: str | None
    last: str | None
    said: str


@dataclass(frozen=True, slots=True)
class GpuLog:
    """Everything that was found, the most severe first; `lines` were read.

    `dropped` lines told of errors of so many GPUs that they were not kept apart any more. Only lines with one of the
    `markers` were looked at.
    """

    sights: tuple[Sight, ...]
    lines: int
    dropped: int = 0
    markers: tuple[str, ...] = ()

    @property
    def errors(self) -> tuple[GpuError, ...]:
        """Each error once, in the same order."""
        return tuple(dict.fromkeys(sight.error for sight in self.sights))
