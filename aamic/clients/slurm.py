"""A Slurm cluster: slurmrestd where the site names one, else Slurm's own commands, on the controller or here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from aamic.clients.base import Workloads
from aamic.errors import OutsideError
from aamic.model.slurm import Job, SlurmNode

T = TypeVar("T")


@dataclass
class Slurm:
    """The sources of a cluster, best first; `notes` say why one was passed over, each thing once."""

    sources: list[Workloads] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def job(self, name: str) -> Sequence[Job]:
        """See `clients.base.Workloads`."""
        return self._first(lambda source: source.job(name))

    def jobs(self) -> Sequence[Job]:
        """See `clients.base.Workloads`."""
        return self._first(lambda source: source.jobs())

    def history(self, since: float, until: float, nodes: Sequence[str] = ()) -> Sequence[Job]:
        """See `clients.base.Workloads`."""
        return self._first(lambda source: source.history(since, until, nodes))

    def nodes(self) -> Sequence[SlurmNode]:
        """See `clients.base.Workloads`."""
        return self._first(lambda source: source.nodes())

    def drain(self, node: str, reason: str) -> None:
        """See `clients.base.Workloads`."""
        self._first(lambda source: source.drain(node, reason))

    def resume(self, node: str) -> None:
        """See `clients.base.Workloads`."""
        self._first(lambda source: source.resume(node))

    def _first(self, ask: Callable[[Workloads], T]) -> T:
        """What the first source says that answers; OutsideError of the last where none does."""
        for source in self.sources[:-1]:
            try:
                return ask(source)
            except OutsideError as error:
                self.note(f"{error}; Slurm's commands were used instead")
        return ask(self.sources[-1])

    def note(self, note: str) -> None:
        """Keep a note, unless it is kept already."""
        if note not in self.notes:
            self.notes.append(note)
