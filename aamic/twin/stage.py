"""From a site to everything that its twin starts: fleet, files, synthetic pages and commands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from aamic.catalog.exporters.node.sample import check_text
from aamic.clients.processes import find_program
from aamic.compile.compiler import Checked, Compiled, check_site, shipped_catalog
from aamic.compile.render import render
from aamic.deploy.hostfolder import OURS, host_files, write_host
from aamic.errors import OutsideError
from aamic.model.fleet import Fleet, Package, Tarball, Thanos
from aamic.twin import slurmside
from aamic.twin.faults import Injection
from aamic.twin.folders import bind, is_safe_root, make_folders
from aamic.twin.loopback import Stage, interval_for, loopback_addresses, ports_needed, twin_document
from aamic.twin.ports import reserved_ports
from aamic.twin.sample import choose_nodes
from aamic.twin.thanos import is_here, on_ports, thanos_ports
from aamic.twin.units import Program, UnitError, read_unit

NODE_JOB = "node"


@dataclass(frozen=True, slots=True)
class Launch:
    """A real process of the twin: the unit's command line, moved into the host's folder and bound to its address."""

    name: str
    unit: str
    host: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path


@contextmanager
def staged(checked: Checked, limit: int, injections: Iterable[Injection], folder: Path) -> Iterator[Compiled]:
    """Yield the twin's site, compiled from `site.yaml` in `folder`; its ports are its own until the block ends.

    Raises:
        OutsideError: The folder's path would need quoting, or there are not enough free ports.
    """
    if not is_safe_root(folder):
        raise OutsideError(f"the temporary folder `{folder}` has characters that need quoting", "set TMPDIR to another")
    names = choose_nodes(checked.site, checked.fleet, limit, (injection.node for injection in injections))
    addresses = loopback_addresses(names)
    needed = ports_needed(checked.site, checked.fleet)
    with reserved_ports(needed + thanos_ports(checked.fleet), addresses.values()) as ports:
        bucket = str(folder / "bucket") if is_here(checked.fleet) else None
        stage = Stage(addresses, ports[:needed], interval_for(checked.fleet, addresses), bucket)
        document = twin_document(checked.site, checked.fleet, stage)
        path = folder / "site.yaml"
        path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))
        yield _alone(check_site(path), checked.fleet.thanos, ports[needed:])


def _alone(twin: Checked, thanos: Thanos | None, ports: tuple[int, ...]) -> Compiled:
    """The twin's files without what would make its central server ask other clusters; `ports` are for Thanos."""
    fleet = replace(twin.fleet, clusters=())
    if thanos is not None and fleet.thanos is not None:
        fleet = replace(fleet, thanos=replace(on_ports(fleet.thanos, ports), program=thanos.program))
    return Compiled(twin.site, fleet, render(fleet, shipped_catalog().artifacts), twin.warnings)


def write_hosts(twin: Compiled, folder: Path) -> None:
    """Write each host's files into a folder of its own below `folder`."""
    moved = _moved_folders(twin.fleet)
    for host, files in host_files(twin.tree.bundles).items():
        root = folder / host
        write_host(root, files, moved)
        make_folders(root, files)


def write_check(twin: Compiled, folder: Path, host: str | None) -> None:
    """Write for the real node_exporter of `host` what the synthetic ones say of managed files: nothing is applied."""
    for service in twin.fleet.services:
        if service.textfiles is not None and host in service.hosts:
            textfiles = folder / host / service.textfiles.lstrip("/")
            textfiles.mkdir(parents=True, exist_ok=True)
            (textfiles / "aamic.prom").write_text(check_text(twin.fleet.nodes[host]))
            (textfiles / "aamic_slurm.prom").write_text(slurmside.textfiles(twin.fleet, host))


def _moved_folders(fleet: Fleet) -> frozenset[str]:
    """Return aamic's own folders, whatever else a service of the site may write, and textfiles, of other hosts."""
    written = (folder for service in fleet.services if service.unit for folder in service.unit.writable)
    read = (service.textfiles for service in fleet.services if service.textfiles)
    return frozenset({*OURS, *(server.storage_path for server in fleet.servers), *written, *read})


def launches(twin: Compiled, folder: Path, node_host: str | None) -> tuple[Launch, ...]:
    """Return every Prometheus and Alertmanager, and the node_exporter of `node_host`, as their units start them.

    Raises:
        OutsideError: A rendered unit cannot be read, or its program is not on this machine.
    """
    node_unit = (node_exporter_unit(twin.fleet, node_host), node_host)
    servers = (twin.fleet.prometheus_binary, twin.fleet.alertmanager_binary)
    return tuple(
        _launch(twin.fleet, unit, host, program, folder / host)
        for unit, host, program in _started(twin, folder)
        if program.command[0] in servers or (unit, host) == node_unit
    )


def thanos_launches(twin: Compiled, folder: Path) -> tuple[Launch, ...]:
    """Return every process of Thanos as its unit starts it.

    A sidecar whose server is not ready tries again half a minute later, so they are to be started after the servers.
    """
    thanos = twin.fleet.thanos
    if thanos is None:
        return ()
    return tuple(
        _launch(twin.fleet, unit, host, program, folder / host)
        for unit, host, program in _started(twin, folder)
        if program.command[0] == thanos.program
    )


def _started(twin: Compiled, folder: Path) -> Iterator[tuple[str, str, Program]]:
    for bundle in twin.tree.bundles:
        for unit, state in bundle.services.items():
            if state == "started" and unit.endswith(".service"):
                yield from ((unit, host, _read(folder / host, unit, host)) for host in bundle.hosts)


def node_exporter_unit(fleet: Fleet, host: str | None) -> str | None:
    """Return the unit that is node_exporter on a host, if this site runs it there."""
    ports = {endpoint.port for endpoint in fleet.endpoints if endpoint.job == NODE_JOB and host in endpoint.hosts}
    services = (each for each in fleet.services if host in each.hosts and ports.intersection(each.ports.values()))
    return next((service.unit.file_name for service in services if service.unit), None)


def _read(root: Path, unit: str, host: str) -> Program:
    text = (root / "etc/systemd/system" / unit).read_text()
    try:
        return read_unit(text, {"H": host, "l": host.partition(".")[0]})
    except UnitError as error:
        raise OutsideError(f"unit `{unit}` of `{host}` cannot be run: {error}") from error


def _launch(fleet: Fleet, unit: str, host: str, program: Program, root: Path) -> Launch:
    path = find_program(program.command[0], _package(fleet, program.command[0], unit))
    command = (path, *bind(program.command[1:], fleet.nodes[host].address))
    return Launch(f"{unit.removesuffix('.service')} on {host}", unit, host, command, program.environment, root)


def _package(fleet: Fleet, program: str, unit: str) -> str | None:
    installs: dict[str, Package | Tarball | None] = {
        fleet.prometheus_binary: fleet.prometheus_install,
        fleet.alertmanager_binary: fleet.alertmanager_install,
    }
    services = (each.install for each in fleet.services if each.unit and each.unit.file_name == unit)
    install = installs[program] if program in installs else next(services, None)
    return install.name if isinstance(install, Package) else None
