"""The Python package of the programs on hosts: one bundle, as the controller may be a node that is checked too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from aamic import agent
from aamic.catalog.artifacts.slurm.check import FOLDER, checked
from aamic.model.fleet import Fleet, SlurmSettings
from aamic.model.tree import File, Part

PACKAGE: Final = f"{FOLDER}/aamic_health"


def parts(fleet: Fleet, slurm: SlurmSettings) -> Iterator[Part]:
    """The package on nodes that are checked, and on a drain controller's host that is a node too.

    On a host of its own the drain controller's bundle has it.
    """
    controller = (slurm.controller,) if slurm.auto_drain != "off" and slurm.controller in slurm.nodes else ()
    hosts = tuple(dict.fromkeys((*checked(fleet, slurm), *controller)))
    if hosts:
        files = (File(f"{PACKAGE}/{name}", content) for name, content in agent.health_files().items())
        yield Part("slurm-programs", hosts, tuple(files))
