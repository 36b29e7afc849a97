"""The Python package of the programs on hosts: one bundle, as the controller may be a node that is checked too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from aamic import agent
from aamic.catalog.artifacts.slurm.check import FOLDER
from aamic.catalog.nodechecks import checked
from aamic.model.fleet import Fleet, SlurmSettings
from aamic.model.tree import File, Part

PACKAGE: Final = f"{FOLDER}/aamic_health"


def parts(fleet: Fleet, slurm: SlurmSettings) -> Iterator[Part]:
    """The package on the nodes that are checked, and on the host of the drain controller."""
    nodes = checked(fleet)
    controller = (slurm.controller,) if slurm.auto_drain != "off" and nodes else ()
    hosts = tuple(dict.fromkeys((*nodes, *controller)))
    if hosts:
        files = (File(f"{PACKAGE}/{name}", content) for name, content in agent.health_files().items())
        yield Part("slurm-programs", hosts, tuple(files))
