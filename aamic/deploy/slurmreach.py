"""How far the controller's slurm.conf reaches: to nodes that take it from there, and need its hooks.

Where slurmd has its configuration from slurmctld, or from a file that hosts share, a `Prolog=` of the controller is in
effect on every node that Slurm knows at once, and Slurm drains one that has no script.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from aamic.clients.base import Hosts
from aamic.compile.hostlist import fold
from aamic.deploy import wire
from aamic.deploy.explain import Contents
from aamic.deploy.observe import Seen
from aamic.deploy.slurmcluster import node_names
from aamic.deploy.slurmconf import CONTROLLER, NOTHING, SLURM_CONF, Findings, Hooks, Value, judge_node
from aamic.errors import HostError
from aamic.model.fleet import SlurmSettings
from aamic.model.host import ABSENT, Observation
from aamic.model.plan import Impact, Plan

_LEFT: Final = "the controller's slurm.conf is left as it is because of this"
_UNCONFIRMED: Final = (
    "nodes take slurm.conf from elsewhere, and a node of Slurm that has no scripts in `{}` would be drained by its "
    "next job; set `slurm.shared_conf: true` once every node, and every image that nodes start from, has them"
)
SLURMCTLD: Final = "slurmctld.service"
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
    if not slurm.shared_conf:
        return _held(_UNCONFIRMED.format(f"{slurm.conf_dir}/prolog.d"))
    try:
        missing = sorted(set(_known(hosts, slurm, timeout)).difference(slurm.nodes))
    except HostError as error:
        return _held(f"nodes take slurm.conf from elsewhere, and which these are is not known: {error}")
    if missing:
        return _held(
            f"{len(missing)} {'node takes' if len(missing) == 1 else 'nodes take'} slurm.conf from elsewhere and would "
            f"have no hooks: {fold(missing)}: their first job would drain them; name them in `slurm.nodes`"
        )
    return NOTHING


def of_nodes(hooks: Hooks, slurm: SlurmSettings, seen: Mapping[str, Seen], contents: Contents) -> Iterator[str]:
    """A note on nodes whose own slurm.conf, where it is another than the controller's, keeps hooks from running."""
    path = f"{slurm.conf_dir}/{SLURM_CONF}"
    nodes: dict[str, list[str]] = {}
    for name, each in seen.items():
        entry = each.entries.get(path, ABSENT) if isinstance(each, Observation) else ABSENT
        if entry.kind == "file" and (name in slurm.nodes or name == slurm.controller):
            nodes.setdefault(entry.content, []).append(name)
    for digest, names in nodes.items():
        content = contents.get((path, digest))
        if isinstance(content, bytes) and slurm.controller not in names:
            yield from (f"conflict: {each}: {fold(names)}" for each in judge_node(content, hooks, slurm))


def staged(hosts: Hosts, slurm: SlurmSettings, plan: Plan, timeout: float) -> tuple[str, ...]:
    """A note on files that somebody changed and slurmctld has not read yet, where the plan has it read them."""
    rereads = Impact("reconfigure", SLURMCTLD)
    if not any(
        rereads in change.impacts
        for group in plan.groups
        if slurm.controller in group.hosts
        for change in group.changes
    ):
        return ()
    verb = "slurm_staged"
    command = wire.command(verb, f"{slurm.conf_dir}/{SLURM_CONF}")
    try:
        answer = hosts.run(slurm.controller, command, (wire.program(verb),), timeout)
        result = wire.result(slurm.controller, answer, verb)
    except HostError as error:
        return (f"whether slurm.conf has changes that slurmctld has not read was not looked at: {error}",)
    if result.state != "done":
        return ()
    return (
        f"somebody changed what slurmctld has not read yet, and `scontrol reconfigure` takes it too: {result.message}",
    )


def _held(why: str) -> Findings:
    return Findings((f"conflict: {why}; {_LEFT}",), frozenset({CONTROLLER}))


def _is_borrowed(slurm: SlurmSettings, values: Iterable[Value] | None, seen: Mapping[str, Seen]) -> bool:
    """Whether slurmctld hands its configuration out, or a node has none of its own: none, or a shared one."""
    path = f"{slurm.conf_dir}/{SLURM_CONF}"
    nodes = [each for name in slurm.nodes if isinstance(each := seen.get(name), Observation)]
    if any(path in each.shared or each.entries.get(path, ABSENT).kind in {"absent", "link"} for each in nodes):
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
