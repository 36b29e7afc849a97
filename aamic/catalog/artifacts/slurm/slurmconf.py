"""The part of slurm.conf that is ours: a file of its own, which slurm.conf includes before all other settings.

What stands below the `Include` wins, so nothing of the site is overwritten.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from aamic.model.fleet import SlurmSettings
from aamic.model.tree import File, Line, OnChange, Part

SLURMD: Final = "slurmd.service"
SLURMCTLD: Final = "slurmctld.service"
NAME: Final = "aamic.conf"

_HEADER: Final = "# Rendered by aamic; a change made here is undone by the next apply.\n"


def wanted(slurm: SlurmSettings) -> bool:
    """Whether the site asks for prolog or epilog."""
    return slurm.pre_job_check or slurm.post_job_check or slurm.job_mapping


def parts(slurm: SlurmSettings) -> Iterator[Part]:
    """The controller's: it comes last, so that every node has its scripts by then."""
    if wanted(slurm):
        yield Part(
            "slurm-controller",
            (slurm.controller,),
            (conf_file(slurm, SLURMCTLD),),
            stage="central",
            lines=(include(slurm, SLURMCTLD, needed=True),),
        )


def conf_file(slurm: SlurmSettings, daemon: str) -> File:
    """The same bytes on every host, as Slurm compares the configurations of its daemons.

    It stays when nobody wants it any longer: slurmctld ends when it is to include a file that is not there, and a line
    that somebody wrote in his own way is not ours to take out.
    """
    return File(f"{slurm.conf_dir}/{NAME}", content(slurm), on_change=OnChange("reconfigure", daemon), stays=True)


def include(slurm: SlurmSettings, daemon: str, *, needed: bool) -> Line:
    """The line of slurm.conf that brings it; on nodes there may be no such file, as slurmctld can hand it out."""
    return Line(f"{slurm.conf_dir}/slurm.conf", f"Include {NAME}", OnChange("reconfigure", daemon), needed=needed)


def content(slurm: SlurmSettings) -> bytes:
    """Where prolog and epilog are, and that a job which one refuses is not held.

    Our own alone: what else lies in these folders is not ours to turn on, and a file there that is no program would
    drain the node.
    """
    lines = []
    if slurm.pre_job_check or slurm.job_mapping:
        lines.append(f"Prolog={slurm.conf_dir}/prolog.d/*-aamic")
    if slurm.post_job_check or slurm.job_mapping:
        lines.append(f"Epilog={slurm.conf_dir}/epilog.d/*-aamic")
    if slurm.pre_job_check:
        lines.append("SchedulerParameters=nohold_on_prolog_fail")
    return (_HEADER + "".join(f"{line}\n" for line in lines)).encode()
