"""The drain controller on the host of slurmctld: its program, what it may do, and the timer that starts it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from aamic import agent, templates
from aamic.catalog.artifacts.slurm.check import settle
from aamic.catalog.artifacts.slurm.expected import expected
from aamic.catalog.nodechecks import checked
from aamic.model.fleet import Fleet, SlurmSettings
from aamic.model.site import HARD_SIGNALS
from aamic.model.tree import File, OnChange, Part

BUNDLE: Final = "slurm-drain"
"""Apart from the hooks, which come and go in an order of their own."""
SERVICE: Final = "aamic-drain.service"
TIMER: Final = "aamic-drain.timer"
LIBRARY: Final = "/usr/local/lib/aami"
PROGRAM: Final = f"{LIBRARY}/aamic-drain"
CONFIG: Final = "/etc/aami/slurm/drain.json"

_WINDOW: Final = 600
"""Seconds within which failures are taken for one event, at the least; our policy."""
_CHECKS: Final = 3
"""Intervals for which a verdict counts; the first of them is part of the time that it takes to arrive."""


def parts(fleet: Fleet) -> Iterable[Part]:
    """The drain controller; nothing where nothing is or can be decided."""
    settings = fleet.slurm
    if settings is None or settings.auto_drain == "off" or not checked(fleet):
        return
    yield Part(
        bundle=BUNDLE,
        hosts=(settings.controller,),
        files=tuple(_files(fleet, settings)),
        services={TIMER: "started"},
        stage="central",
    )


def _files(fleet: Fleet, settings: SlurmSettings) -> Iterator[File]:
    folder = _textfiles(fleet, settings.controller)
    yield File(CONFIG, config(fleet, settings))
    yield File(PROGRAM, agent.starter("draincontrol"), 0o755)
    # Where Slurm itself looks, nothing needs to be said.
    conf = f"{settings.conf_dir}/slurm.conf" if settings.conf_dir != "/etc/slurm" else ""
    yield _unit(SERVICE, OnChange("daemon-reload"), program=PROGRAM, folder=folder, slurm_conf=conf)
    yield _unit(TIMER, OnChange("restart", TIMER), interval=settings.health.interval)
    if folder:
        yield expected(folder, "aamic_drain_expected", "a drain controller")


def _unit(name: str, on_change: OnChange, **values: Any) -> File:
    content = templates.render(f"catalog/artifacts/slurm/{name}.j2", **values)
    return File(f"/etc/systemd/system/{name}", content, on_change=on_change)


def config(fleet: Fleet, settings: SlurmSettings) -> bytes:
    """What the controller reads. One node a line, so that an added node is an added line."""
    stale = (_CHECKS - 1) * settings.health.interval + settle(fleet, settings)
    document = {
        "version": 1,
        "mode": settings.auto_drain,
        "cluster": fleet.cluster,
        "cap": settings.max_drained,
        "nodes": list(settings.nodes),
        "hard": [signal for signal in settings.health.drain_on if signal in HARD_SIGNALS],
        "urls": [f"http://{fleet.address(each.host, each.port)}" for each in fleet.servers if each.role != "shard"],
        "interval": settings.health.interval,
        "stale": stale,
        "window": max(_WINDOW, 2 * stale),
        "textfiles": _textfiles(fleet, settings.controller),
    }
    return (json.dumps(document, indent=2, sort_keys=True) + "\n").encode()


def _textfiles(fleet: Fleet, host: str) -> str | None:
    """The folder whose files are read as metrics of a host, if one is."""
    return next((each.textfiles for each in fleet.services if each.textfiles and host in each.hosts), None)
