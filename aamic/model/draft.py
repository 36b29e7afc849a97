"""What is known of a cluster before it has a site.yaml, and from where. Frozen, no input or output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from aamic.model.fleet import Gpu


@dataclass(frozen=True, slots=True)
class DraftNode:
    """A node that a source names; None is what the source does not say. Memory is in bytes.

    `unsure_gpus` is whether it has GPUs of which too little is known to say so in a site.
    """

    name: str
    address: str | None = None
    rack: str | None = None
    gpu: Gpu | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    threads: int | None = None
    memory: int | None = None
    ssh_user: str | None = None
    ssh_port: int | None = None
    unsure_gpus: bool = False


@dataclass(frozen=True, slots=True)
class Draft:
    """What sources say of a cluster.

    `controller` is the host of slurmctld. `notes` tell a person what was left out or guessed, one sentence each; they
    become comments at the top of the site.
    """

    nodes: tuple[DraftNode, ...]
    cluster: str | None = None
    controller: str | None = None
    slurm_version: str | None = None
    slurm_conf_dir: str | None = None
    notes: tuple[str, ...] = ()
