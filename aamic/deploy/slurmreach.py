"""How far the controller's slurm.conf reaches: to nodes that take it from there, and need its hooks.

Where slurmd has its configuration from slurmctld, or from a file that hosts share, a `Prolog=` of the controller is in
effect on every node that Slurm knows at once, and Slurm drains one that has no script.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from aamic.clients.base import Hosts
from aamic.compile.hostlist import fold
from aamic.deploy import wire
from aamic.deploy.observe import Seen
from aamic.deploy.slurmcluster import node_names
from aamic.deploy.slurmconf import CONTROLLER, NOTHING, SLURM_CONF, Findings, Value
from aamic.errors import HostError
from aamic.model.fleet import SlurmSettings
from aamic.model.host import ABSENT, Observation

_LEFT: Final = "the controller's slurm.conf is left as it is because of this"
_CONFIGLESS: Final = "enable_configless"


def reach(
    hosts: Hosts, slurm: SlurmSettings, values: Sequence[Value] | None, seen: Mapping[str, Seen], timeout: float
) -> Findings:
    """What is held back, and told, as nodes take slurm.conf from elsewhere; nothing where each has its own.

    Where a folder stands for the controller there is no Slurm to be asked.
    """
    controller = seen.get(slurm.controller)
    if not isinstance(controller, Observation) or not controller.units or not _is_borrowed(slurm, values, seen):
        return NOTHING
    try:
        missing = sorted(set(_known(hosts, slurm, timeout)).difference(slurm.nodes))
    except HostError as error:
        return _held(f"nodes take slurm.conf from elsewhere, and which these are is not known: {error}")
    if missing:
        return _held(
            f"{len(missing)} {'node takes' if len(missing) == 1 else 'nodes take'} slurm.conf from elsewhere and would "
            f"have no hooks: {fold(missing)}: their first job would drain them; name them in `slurm.nodes`"
        )
    folder = f"{slurm.conf_dir}/prolog.d"
    return Findings(
        (f"nodes take slurm.conf from elsewhere: one that boots without `{folder}` is drained by its first job",)
    )


def _held(why: str) -> Findings:
    return Findings((f"conflict: {why}; {_LEFT}",), frozenset({CONTROLLER}))


def _is_borrowed(slurm: SlurmSettings, values: Iterable[Value] | None, seen: Mapping[str, Seen]) -> bool:
    """Whether slurmctld hands its configuration out, or a node has none of its own, or a link."""
    path = f"{slurm.conf_dir}/{SLURM_CONF}"
    nodes = [each for name in slurm.nodes if isinstance(each := seen.get(name), Observation)]
    if any(each.entries.get(path, ABSENT).kind in {"absent", "link"} for each in nodes):
        return True
    parameters = [each.value for each in values or () if each.key == "slurmctldparameters"][-1:]
    return any(_CONFIGLESS in value.lower() for value in parameters)


def _known(hosts: Hosts, slurm: SlurmSettings, timeout: float) -> tuple[str, ...]:
    verb = "slurm_nodes"
    command = wire.command(verb, f"{slurm.conf_dir}/{SLURM_CONF}", "ALL")
    lines = wire.rest(slurm.controller, hosts.run(slurm.controller, command, (wire.program(verb),), timeout), verb)
    if lines[-1:] != ["end"]:
        raise HostError("broken", f"`{slurm.controller}`: slurmctld does not answer")
    return node_names(lines)
