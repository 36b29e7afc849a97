"""Which nodes judge themselves: what the artifacts that install the check and those that read its verdicts agree on."""

from __future__ import annotations

from aamic.model.fleet import Fleet


def checked(fleet: Fleet) -> tuple[str, ...]:
    """The nodes of Slurm that are checked; none without Slurm, or where nobody reads a verdict."""
    slurm = fleet.slurm
    if slurm is None or (not slurm.pre_job_check and slurm.auto_drain == "off"):
        return ()
    probed = frozenset[str]().union(*(probe.hosts for probe in fleet.probes))
    return tuple(name for name in slurm.nodes if fleet.nodes[name].gpu is not None and name in probed)
