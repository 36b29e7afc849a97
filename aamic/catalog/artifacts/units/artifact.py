"""The services that the exporters contribute: unit, user, folders and files of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from aamic.catalog.units import account_files, install_entry, unit_file
from aamic.model.fleet import Fleet, HostFile, Service
from aamic.model.tree import File, OnChange, Part


def render(fleet: Fleet) -> Iterable[Part]:
    """One bundle for each service."""
    for service in fleet.services:
        yield Part(
            bundle=service.bundle,
            hosts=service.hosts,
            files=tuple(_files(service)),
            services=_services(service),
            installs=(install_entry(service.install),) if service.install else (),
            ports={service.unit.file_name: tuple(service.ports.values())} if service.unit else {},
        )


def _services(service: Service) -> dict[str, str]:
    started = {service.unit.file_name: "started"} if service.unit else {}
    return started | dict.fromkeys(service.masks, "masked")


def _files(service: Service) -> Iterator[File]:
    if service.unit:
        yield unit_file(service.unit)
        yield from account_files(service.unit.name, service.unit.user, service.unit.writable)
    for file in service.files:
        yield File(file.path, file.content, file.mode, group=file.group, on_change=_on_change(service, file))


def _on_change(service: Service, file: HostFile) -> OnChange:
    """What the file asks for; nothing of a service that others run."""
    if file.on_change == "tmpfiles":
        return OnChange("tmpfiles")
    if service.unit is None or file.on_change == "none":
        return OnChange("none")
    return OnChange(file.on_change, service.unit.file_name)
