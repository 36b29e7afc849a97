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
    from collections.abc import Callable, Sequence

    from aamic.clients.base import Hosts, Workloads
    from aamic.clients.slurm import Slurm
    from aamic.model.fleet import Fleet, SlurmSettings
    from aamic.model.slurm import SlurmNode

Local = Annotated[
    bool, typer.Option("--local", help="Run Slurm's commands on this machine, not on the controller over SSH.")
]
_TOLD = 3


def settings(fleet: Fleet) -> SlurmSettings:
    """What the site says of Slurm; InputError where it says nothing."""
    if fleet.slurm is None:
        hint = "add `slurm: {controller: HOST}` with the host that runs slurmctld"
        raise InputError([Problem("this site has no Slurm cluster", hint=hint)])
    return fleet.slurm


@contextmanager
def opened_slurm(fleet: Fleet, site: Path, *, local: bool = False) -> Iterator[Slurm]:
    """The Slurm cluster of a site; slurmrestd, if the site names it, else commands on the controller or here.

    What it noted, such as why slurmrestd was passed over, is told on standard error at the end.

    Raises:
        InputError: The site has no Slurm cluster.
        OutsideError: A file that the site names, such as the key for SSH, is of no use.
    """
    from aamic.clients.slurm import Slurm
    from aamic.clients.slurmcli import SlurmCli
    from aamic.clients.slurmcommands import Commands
    from aamic.compile.hostlist import expand

    chosen = settings(fleet)
    with controller(fleet, site, local=local) as hosts:
        slurm = Slurm()
        if chosen.endpoint is not None:
            slurm.sources.append(_rest(chosen, site, slurm.note))
        timeout = fleet.ssh.command_timeout
        commands = Commands(hosts, chosen.controller, f"{chosen.conf_dir}/slurm.conf", timeout)
        slurm.sources.append(SlurmCli(commands, expand, slurm.note))
        try:
            yield slurm
        finally:
            tell(slurm.notes)


def _rest(chosen: SlurmSettings, site: Path, note: Callable[[str], None]) -> Workloads:
    from functools import cache, partial

    from aamic.clients.secrets import read_secret
    from aamic.clients.slurmhttp import Server
    from aamic.clients.slurmrest import SlurmRest
    from aamic.compile.hostlist import expand

    token = None
    if chosen.token is not None:
        token = cache(partial(read_secret, chosen.token.model_dump(), site.parent))
    return SlurmRest(Server(chosen.endpoint or "", chosen.user, token), expand, note)


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


def tell(notes: Sequence[str]) -> None:
    """Tell notes on standard error, where they do not disturb what a machine reads."""
    from aamic.views.terminal import safe

    for note in notes:
        typer.echo(safe(f"note: {note}"), err=True)


def chosen_nodes(text: str, known: Sequence[SlurmNode]) -> tuple[SlurmNode, ...]:
    """The nodes of a host list, as Slurm knows them; InputError where it does not know one."""
    from aamic.compile.hostlist import HostListError, expand
    from aamic.compile.suggest import closest

    try:
        names = tuple(dict.fromkeys(expand(text)))
    except HostListError as error:
        raise InputError([Problem(str(error), hint=error.hint)]) from error
    by_name = {node.name: node for node in known}
    problems = []
    for name in [name for name in names if name not in by_name][:_TOLD]:
        near = closest(name, by_name)
        hint = f"did you mean `{near}`?" if near else "`aamic slurm nodes` lists those that it knows"
        problems.append(Problem(f"Slurm knows no node `{name}`", hint=hint))
    if problems:
        raise InputError(problems)
    return tuple(by_name[name] for name in names)
