"""The hosts themselves as a source of a site: options to reach them, and what is asked of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from aamic.errors import InputError, OutsideError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aamic.clients.base import Hosts
    from aamic.compile.imports.sighting import Reading
    from aamic.deploy.sitefind import Choice


class Become(StrEnum):
    """How to get root's rights."""

    sudo = "sudo"
    none = "none"


HostList = Annotated[str, typer.Option("--hosts", help="Hosts to ask: a host list.", show_default=False)]
Addresses = Annotated[
    str, typer.Option("--addresses", help="Their addresses, in the same order; their names if not given.")
]
SshUser = Annotated[str | None, typer.Option("--ssh-user", help="User to log in to hosts as.")]
SshKey = Annotated[Path | None, typer.Option("--ssh-key", help="Private key to log in with.")]
KnownHosts = Annotated[Path | None, typer.Option("--known-hosts", help="File with the keys of the hosts.")]
BecomeRoot = Annotated[
    Become | None, typer.Option("--become", help="How to get root's rights; sudo for others than root if not given.")
]
PARALLEL: Final = 50
_TIMEOUT: Final = 60.0


@dataclass(frozen=True, slots=True)
class HostSource:
    """Hosts, and how they are reached."""

    hosts: str
    addresses: str = ""
    user: str | None = None
    key: Path | None = None
    known_hosts: Path | None = None
    become: Become | None = None
    host_root: Path | None = None
    parallel: int | None = None


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found: a copy of the site, or else what the hosts are."""

    choice: Choice
    reading: Reading | None = None


def look(source: HostSource) -> Looked:
    """Ask the hosts for a copy of their site; where none keeps one, for what they are.

    Raises:
        InputError: The host list, or the one of addresses, is malformed.
        OutsideError: No host was reached, a copy is of no use, or a key cannot be read.
    """
    from aamic.commands.progress import progress
    from aamic.deploy.sitefind import choose, find

    places = _places(source)
    names, parallel = tuple(places), source.parallel or PARALLEL
    with _opened(source, places) as hosts:
        with progress("looking for a copy of the site", len(names)) as tick:
            found = find(hosts, names, _TIMEOUT, parallel, tick)
        choice = choose(found)
        return Looked(choice) if choice.copy else Looked(choice, _detected(source, hosts, places, choice))


def _detected(source: HostSource, hosts: Hosts, places: Mapping[str, str], choice: Choice) -> Reading:
    from aamic.commands.detecting import detect_hosts, detectors
    from aamic.commands.progress import progress
    from aamic.ops.hostreading import read_hosts

    with progress("looking for GPUs", len(places)) as tick:
        found = detect_hosts(hosts, places, detectors(), parallel=source.parallel or PARALLEL, tick=tick)
    reading = read_hosts(found, places, source.user)
    if not reading.sightings:
        raise OutsideError(
            f"nothing is known of the hosts: {'; '.join(reading.notes)}", "; ".join(choice.notes) or None
        )
    return replace(reading, notes=(*choice.notes, *_login(source), *reading.notes))


def _login(source: HostSource) -> Iterator[str]:
    """How these hosts were logged in to, where the site has to say it and a draft cannot."""
    said = {
        "key": source.key,
        "known_hosts": source.known_hosts,
        "become": source.become.value if source.become else None,
    }
    written = ", ".join(f"{key}: {value}" for key, value in said.items() if value)
    if written and source.host_root is None:
        yield f"the hosts were logged in to with `ssh: {{{written}}}`: write that into the site, too"


def _places(source: HostSource) -> dict[str, str]:
    """The address of each host, by name."""
    from aamic.compile.hostlist import HostListError, expand, pair

    try:
        if source.addresses:
            return dict(pair(source.hosts, source.addresses))
        return {host: host for host in expand(source.hosts)}
    except HostListError as error:
        raise InputError([Problem(f"--hosts: {error.message}", hint=error.hint)]) from None


@contextmanager
def _opened(source: HostSource, places: Mapping[str, str]) -> Iterator[Hosts]:
    hosts = _hosts(source, places)
    try:
        yield hosts
    finally:
        hosts.close()


def _hosts(source: HostSource, places: Mapping[str, str]) -> Hosts:
    from aamic.commands.transport import folder

    if source.host_root is not None:
        from aamic.clients.directory import DirectoryHosts

        return DirectoryHosts(folder(source.host_root) or source.host_root)
    from aamic.clients.ssh import SshHosts
    from aamic.model.fleet import Node, SshSettings

    nodes = {host: Node(host, address, None, None, {}) for host, address in places.items()}
    settings = SshSettings(
        user=source.user,
        key=str(source.key) if source.key else None,
        known_hosts=str(source.known_hosts) if source.known_hosts else None,
        become=source.become.value if source.become else None,
    )
    return SshHosts(nodes, settings, Path())
