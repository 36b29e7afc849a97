"""What Slurm's side of a site writes on the hosts of its twin, where no Slurm runs: jobs, verdicts, drained nodes.

The texts come from the programs that write them on hosts; only what these are told is made up.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from typing import Final

from aamic.agent.health import drainconfig, drainmetrics, nodemetrics, policy, textfile
from aamic.agent.health.drainstate import EMPTY
from aamic.agent.health.gpustate import Finding
from aamic.agent.health.judge import Verdict
from aamic.agent.health.policy import Decision
from aamic.catalog import gpuerrors
from aamic.catalog.artifacts.slurm import drain
from aamic.catalog.base import Fault
from aamic.catalog.nodechecks import checked
from aamic.catalog.vendors import NAMES
from aamic.model.fleet import Fleet

SICK: Final = "sick"
"""The kind of fault of a node whose check finds it broken."""
_FIRST_JOB: Final = 4001
_NODES_A_JOB: Final = 2
_DRAINED: Final = "power supply 2 has failed"


def jobs(fleet: Fleet) -> dict[str, Fault]:
    """The job that each node's GPUs have, as a fault of its exporters; none where they are not told."""
    if fleet.slurm is None or not fleet.slurm.job_mapping:
        return {}
    return {
        name: Fault("job", str(_FIRST_JOB + index // _NODES_A_JOB), None)
        for index, name in enumerate(fleet.slurm.nodes)
    }


def textfiles(fleet: Fleet, node: str, faults: Iterable[Fault] = ()) -> str:
    """What node check and drain controller write on a node, now; '' where neither runs."""
    return textfile.exposition(_families(fleet, node, any(map(_is_fatal, faults)))).decode()


def _is_fatal(fault: Fault) -> bool:
    """Whether the node's check would find it broken: by an error code that takes a GPU out of service, or as asked."""
    codes = {str(code) for name in NAMES if gpuerrors.kind(name).lower() == fault.kind
             for code in gpuerrors.codes(name, "fatal")}  # fmt: skip
    return fault.kind == SICK or fault.value in codes


def _families(fleet: Fleet, node: str, sick: bool) -> Iterator[textfile.Family]:  # noqa: FBT001  # a fact among others
    if node in checked(fleet):
        now, verdict = round(time.time()), _sick() if sick else _well()
        yield from nodemetrics.families(verdict, refuses=False, now=now, refused=now - 60 if sick else None)
    settings = fleet.slurm
    if settings is not None and settings.controller == node and any(True for _ in drain.parts(fleet)):
        yield from _drain_controller(drainconfig.settings(json.loads(drain.config(fleet, settings))))


def _well() -> Verdict:
    return Verdict("ok", 100, "", [], {}, {}, {}, hard=False, components={})


def _sick() -> Verdict:
    found = [Finding("0", "fatal_error", "fail", "")]
    return Verdict("fail", 0, "fatal error on GPU 0", found, {}, {}, {}, hard=True, components={})


def _drain_controller(settings: drainconfig.Settings) -> list[textfile.Family]:
    """One node of all was drained by somebody, a day ago."""
    now = time.time()
    last = max(settings.policy.nodes, default="")
    nodes = dict.fromkeys(settings.policy.nodes, policy.Node("IDLE", frozenset(), "", None))
    if last:
        nodes[last] = policy.Node("IDLE", frozenset({"DRAIN"}), _DRAINED, float(round(now) - 86_400), "root")
    return drainmetrics.families(settings, EMPTY, Decision((), EMPTY, (), (), {}), now, nodes)
