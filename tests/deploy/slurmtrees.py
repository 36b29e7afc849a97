"""A small tree with Slurm hooks, as the catalog would make it, and the settings of its cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aamic.deploy.slurmconf import CONTROLLER
from aamic.model.fleet import CanaryJob, HealthPolicy, SlurmSettings
from aamic.model.tree import Bundle, File, Line, OnChange, Tree

CTL: Final = "slurm-ctl"
CONF: Final = "/etc/slurm/slurm.conf"
OURS: Final = "/etc/slurm/aamic.conf"
PROLOG, EPILOG = "/etc/slurm/prolog.d/50-aamic", "/etc/slurm/epilog.d/50-aamic"
INCLUDE: Final = "Include aamic.conf"
SETTINGS: Final = b"""\
# Made by aamic.
Prolog=/etc/slurm/prolog.d/*-aamic
Epilog=/etc/slurm/epilog.d/*-aamic
SchedulerParameters=nohold_on_prolog_fail
"""
FLOORS: Final = ("/etc/slurm/prolog.d/00-aamic", "/etc/slurm/epilog.d/00-aamic")
FINE: Final = b"#!/bin/sh\nexit 0\n"
JOURNAL: Final = b"""\
#!/bin/sh
printf '1\\t0\\t%s\\tx\\n' "$SLURM_JOB_ID" >>/var/lib/aamic/jobs.journal
exit 0
"""


def tree(  # noqa: PLR0913  # what a test may want otherwise
    nodes: Sequence[str],
    *,
    prolog: bytes = FINE,
    epilog: bytes = JOURNAL,
    settings: bytes = SETTINGS,
    hooks: bool = True,
    controller: str = CTL,
) -> Tree:
    """Hooks on the nodes and the controller's part, or nothing of these."""
    note = Bundle("note", (*nodes, controller), (File("/etc/aami/note", b"x"),), {}, (), {}, {}, "exporters")
    if not hooks:
        return Tree((note,), b"without")
    floors = (File(path, FINE, 0o755, stays=True) for path in FLOORS)
    scripts = (File(EPILOG, epilog, 0o755), File(PROLOG, prolog, 0o755), *floors)
    ours = _bundle("slurm-hooks", nodes, "slurmd.service", settings, scripts)
    central = _bundle(CONTROLLER, (controller,), "slurmctld.service", settings, ())
    return Tree((note, central, ours), prolog + epilog + settings)


def _bundle(name: str, hosts: Sequence[str], unit: str, settings: bytes, scripts: tuple[File, ...]) -> Bundle:
    on_change = OnChange("reconfigure", unit)
    file = File(OURS, settings, on_change=on_change, stays=True)
    line = Line(CONF, INCLUDE, on_change, needed=name == CONTROLLER)
    stage = "central" if name == CONTROLLER else "exporters"
    return Bundle(name, tuple(hosts), (file, *scripts), {}, (), {}, {}, stage, (line,))  # type: ignore[arg-type]


def settings(
    nodes: Sequence[str],
    job: CanaryJob | None = CanaryJob("root", None, None, None, 20),  # noqa: B008  # frozen
    version: tuple[int, int] | None = (22, 5),
    *,
    shared: bool = False,
) -> SlurmSettings:
    """A cluster that wants hooks."""
    return SlurmSettings(
        controller=CTL,
        nodes=tuple(nodes),
        version=version,
        conf_dir="/etc/slurm",
        shared_conf=shared,
        endpoint=None,
        user="root",
        token=None,
        pre_job_check=True,
        post_job_check=True,
        auto_drain="shadow",
        health=HealthPolicy((), {}, (), 3, 5, 30),
        max_drained=1,
        job_mapping=False,
        canary_job=job,
        exporter=False,
    )
