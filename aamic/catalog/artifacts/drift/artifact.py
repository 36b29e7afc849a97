"""What checks the files of a host against its manifest: a program, a timer for it, and a unit that ends half a change.

The check is read through node_exporter's textfile collector, so it is there wherever that is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from aamic import agent, templates
from aamic.model.fleet import Fleet
from aamic.model.tree import File, OnChange, Part

CHECK: Final = "aamic-check.service"
TIMER: Final = "aamic-check.timer"
RECOVER: Final = "aamic-recover.service"
PROGRAM: Final = "/usr/local/lib/aami/aamic-check"

_RELOAD: Final = OnChange("daemon-reload")


def render(fleet: Fleet) -> Iterable[Part]:
    """One bundle, on the hosts of the service that reads a folder of textfiles."""
    for service in fleet.services:
        if service.textfiles is not None:
            yield Part(
                bundle="drift",
                hosts=service.hosts,
                files=tuple(_files(service.textfiles)),
                services={TIMER: "started", RECOVER: "enabled"},
            )


def _files(folder: str) -> Iterator[File]:
    yield File(PROGRAM, agent.check(), 0o755)
    yield _unit(CHECK, _RELOAD, program=PROGRAM, folder=folder, recover=RECOVER)
    yield _unit(TIMER, OnChange("restart", TIMER))
    yield _unit(RECOVER, _RELOAD)


def _unit(name: str, on_change: OnChange, **values: str) -> File:
    content = templates.render(f"catalog/artifacts/drift/{name}.j2", **values)
    return File(f"/etc/systemd/system/{name}", content, on_change=on_change)
