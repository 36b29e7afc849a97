"""What Slurm's nodes and its controller get: the node check, prolog and epilog, and a part of slurm.conf."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from aamic.catalog.artifacts.slurm import check, drain, hooks, package, slurmconf
from aamic.model.fleet import Fleet, SlurmSettings
from aamic.model.tree import Part


def render(fleet: Fleet) -> Iterable[Part]:
    """The parts of a site with Slurm; none without."""
    if fleet.slurm is not None:
        yield from _parts(fleet, fleet.slurm)


def _parts(fleet: Fleet, slurm: SlurmSettings) -> Iterator[Part]:
    yield from package.parts(fleet, slurm)
    yield from check.parts(fleet, slurm)
    yield from hooks.parts(fleet, slurm)
    yield from slurmconf.parts(slurm)
    yield from drain.parts(fleet)
