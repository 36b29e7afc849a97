"""How commands reach the Slurm cluster of a site."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aamic.errors import InputError, Problem

if TYPE_CHECKING:
    from aamic.clients.base import Hosts
    from aamic.clients.slurm import Slurm
    from aamic.model.fleet import Fleet, SlurmSettings

Local = Annotated[
    bool, typer.Option("--local", help="Run Slurm's commands on this machine, not on the controller over SSH.")
]


def settings(fleet: Fleet) -> SlurmSettings:
    """What the site says of Slurm; InputError where it says nothing."""
    if fleet.slurm is None:
        hint = "add `slurm: {controller: HOST}` with the host that runs slurmctld"
        raise InputError([Problem("this site has no Slurm cluster", hint=hint)])
    return fleet.slurm


@contextmanager
def opened_slurm(fleet: Fleet, site: Path, *, local: bool = False) -> Iterator[Slurm]:
    """The Slurm cluster of a site; slurmrestd, if the site names it, else commands on the controller or here.

    Raises:
        InputError: The site has no Slurm cluster.
        OutsideError: A file that the site names, such as the key for SSH, is of no use.
    """
    from aamic.clients.slurm import Slurm

    settings(fleet)
    with controller(fleet, site, local=local):
        yield Slurm(())


@contextmanager
def controller(fleet: Fleet, site: Path, *, local: bool = False) -> Iterator[Hosts]:
    """What runs programs on the controller: this machine where it is that, or is said to stand for it; else SSH."""
    from aamic.clients.local import LocalHost
    from aamic.commands.transport import opened

    if local or is_here(settings(fleet).controller):
        yield LocalHost()
        return
    with opened(fleet, site, None) as hosts:
        yield hosts


def is_here(host: str) -> bool:
    """Whether this machine has that name, with its domain or without."""
    own = socket.gethostname()
    return host in {own, own.partition(".")[0]}
