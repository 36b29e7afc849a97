"""Prolog and epilog, on every node that runs slurmd."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from aamic import agent
from aamic.catalog import knowledge
from aamic.catalog.artifacts.slurm.slurmconf import SLURMD, conf_file, include, wanted
from aamic.catalog.nodechecks import checked
from aamic.catalog.vendors import NAMES
from aamic.model.fleet import Fleet, SlurmSettings
from aamic.model.tree import File, OnChange, Part

NAME: Final = "50-aamic"
"""Slurm runs the scripts of a folder in reverse order of their names."""
FLOOR: Final = "00-aamic"
_FLOOR: Final = b"""#!/bin/sh
# Rendered by aamic. Slurm fails a prolog whose pattern matches no file: the node is drained and its job held. With this
# script there, a lost one beside it does no harm. It stays when aamic goes: delete it once no slurm.conf names its
# folder.
exit 0
"""
_TMPFILES: Final = b"""d /run/aamic 0755 root root - -
d /run/aamic/jobs 0755 root root - -
d /run/aamic/jobs/on 0755 root root - -
"""
_STATE: Final = b"d /var/lib/aamic 0700 root root - -\n"


def parts(fleet: Fleet, slurm: SlurmSettings) -> Iterator[Part]:
    """A bundle for the nodes that are checked, one for others, and one for the controller if it runs slurmd too."""
    if not wanted(slurm):
        return
    with_check = set(checked(fleet))
    for bundle, check in (("slurm-hooks", True), ("slurm-hooks-unchecked", False)):
        hosts = tuple(name for name in slurm.nodes if (name in with_check) == check and name != slurm.controller)
        if hosts:
            files = (*_files(fleet, slurm, check=check), conf_file(slurm, SLURMD))
            yield Part(bundle, hosts, files, lines=(include(slurm, SLURMD, needed=False),))
    if slurm.controller in slurm.nodes:
        files = tuple(_files(fleet, slurm, check=slurm.controller in with_check))
        yield Part("slurm-controller", (slurm.controller,), files, stage="central")


def _files(fleet: Fleet, slurm: SlurmSettings, *, check: bool) -> Iterator[File]:
    asked = agent.Hooks(
        check=check and slurm.pre_job_check and slurm.auto_drain != "off",
        journal=slurm.post_job_check,
        mapping=slurm.job_mapping,
        mode=slurm.auto_drain,
        jobs=_jobs(fleet, slurm) if slurm.job_mapping else {},
    )
    if slurm.pre_job_check or slurm.job_mapping:
        yield from _scripts(f"{slurm.conf_dir}/prolog.d", agent.prolog(asked))
    if slurm.post_job_check or slurm.job_mapping:
        yield from _scripts(f"{slurm.conf_dir}/epilog.d", agent.epilog(asked))
    tmpfiles = _TMPFILES + (_STATE if slurm.post_job_check else b"")
    yield File("/etc/tmpfiles.d/aamic-slurm.conf", tmpfiles, on_change=OnChange("tmpfiles"))


def _jobs(fleet: Fleet, slurm: SlurmSettings) -> Mapping[str, bytes]:
    """The `jobs.sh` of each vendor that has GPUs on Slurm's nodes, if its exporter can be told of jobs."""
    gpus = (fleet.nodes[name].gpu for name in slurm.nodes)
    vendors = {gpu.vendor for gpu in gpus if gpu is not None}
    scripts = {name: knowledge.script(name, "jobs.sh") for name in NAMES if name in vendors}
    return {name: script for name, script in scripts.items() if script is not None}


def _scripts(folder: str, script: bytes) -> Iterator[File]:
    yield File(f"{folder}/{NAME}", script, 0o755)
    yield File(f"{folder}/{FLOOR}", _FLOOR, 0o755, stays=True)
