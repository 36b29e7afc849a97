"""How commands reach hosts: over SSH as the site says, or as folders below one root."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from aamic.clients.base import Hosts
    from aamic.model.fleet import Fleet

HostRoot = Annotated[
    Path | None,
    typer.Option("--host-root", help="Folder with one folder for each host, which stand for the hosts; no SSH."),
]
Processes = Annotated[int, typer.Option("--processes", min=1, max=64, help="Processes that share the hosts.")]
Parallel = Annotated[
    int | None, typer.Option("--parallel", min=1, help="Hosts worked on at once; as the site says if not given.")
]


def folder(host_root: Path | None) -> Path | None:
    """A folder that stands for hosts that have been there before; a usage error where it is none."""
    if host_root is not None and not host_root.is_dir():
        raise typer.BadParameter(f"`{host_root}` is no folder", param_hint="--host-root")
    return host_root


def open_hosts(fleet: Fleet, site: Path, host_root: Path | None) -> Hosts:
    """The hosts of a site. Raises OutsideError where a file that the site names, such as its key, is of no use."""
    if host_root is not None:
        from aamic.clients.directory import DirectoryHosts

        return DirectoryHosts(host_root)
    from aamic.clients.ssh import SshHosts

    return SshHosts(fleet.nodes, fleet.ssh, site.parent)


@contextmanager
def opened(fleet: Fleet, site: Path, host_root: Path | None) -> Iterator[Hosts]:
    """The hosts of a site, with their connections closed at the end."""
    hosts = open_hosts(fleet, site, host_root)
    try:
        yield hosts
    finally:
        hosts.close()


def maker(fleet: Fleet, site: Path, host_root: Path | None) -> Callable[[], Hosts]:
    """Opens the hosts anew, in another process."""
    return partial(open_hosts, fleet, site, host_root)
