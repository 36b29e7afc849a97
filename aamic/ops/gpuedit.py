"""The edit of a site that gives nodes other GPUs: at a key of `nodes:` that names them and nobody else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Final

from aamic.compile.compiler import Checked
from aamic.compile.edit import Sources, set_value
from aamic.compile.hostlist import HostListError, expand, fold
from aamic.compile.suggest import closest
from aamic.errors import InputError, Problem
from aamic.model.fleet import Fleet, Gpu

_TOLD: Final = 3


def known_nodes(fleet: Fleet, text: str) -> tuple[str, ...]:
    """The nodes of a host list, each once. Raises InputError where it is none, or names what the site does not have."""
    try:
        names = tuple(dict.fromkeys(expand(text)))
    except HostListError as error:
        raise InputError([Problem(str(error), hint=error.hint)]) from error
    problems = []
    for name in [name for name in names if name not in fleet.nodes][:_TOLD]:
        near = closest(name, fleet.nodes)
        hint = f"did you mean `{near}`?" if near else "add it to `nodes:` or to a rack first"
        problems.append(Problem(f"this site has no node `{name}`", hint=hint))
    if problems:
        raise InputError(problems)
    return names


def expect_no_others(fleet: Fleet, vendor: str, names: Iterable[str]) -> None:
    """Return if none of the nodes has another vendor's GPUs by the site. Raises InputError where some do."""
    problems = []
    for name in names:
        gpu = fleet.nodes[name].gpu
        if gpu is not None and gpu.vendor != vendor:
            message = f"the site says that `{name}` has {gpu.count} {gpu.model} of {gpu.vendor}, not of {vendor}"
            problems.append(Problem(message, hint="`--replace` edits the site all the same"))
    if problems:
        raise InputError(problems)


def wanted_gpus(
    fleet: Fleet, vendor: str, names: Iterable[str], model: str | None, count: int | None
) -> dict[str, Gpu]:
    """The GPUs that each node is to have: those of the site, but for what is given.

    Raises:
        InputError: The site has none of this vendor there, and not all is given.
    """
    found: dict[str, Gpu] = {}
    unknown = []
    for name in names:
        said = fleet.nodes[name].gpu
        own = said if said is not None and said.vendor == vendor else None
        wanted_model, wanted_count = model or (own and own.model), count or (own and own.count)
        if wanted_model and wanted_count:
            found[name] = Gpu(vendor, wanted_model, wanted_count)
        else:
            unknown.append(name)
    if unknown:
        message = f"the site does not say which GPUs of {vendor} there are: {fold(unknown)}"
        raise InputError([Problem(message, hint="add `--model` and `--count`, such as `--model H100 --count 8`")])
    return found


def with_gpus(checked: Checked, files: Sources, wanted: Mapping[str, Gpu]) -> Sources:
    """The files of a site in which these nodes have these GPUs; as they are where the site says so already.

    Raises:
        InputError: A node is declared together with others, or the text cannot be edited.
    """
    by_gpu: dict[Gpu, list[str]] = {}
    for name, gpu in wanted.items():
        if checked.fleet.nodes[name].gpu != gpu:
            by_gpu.setdefault(gpu, []).append(name)
    for gpu, names in by_gpu.items():
        files = _given(checked, files, names, gpu)
    return files


def _given(checked: Checked, files: Sources, names: Iterable[str], gpu: Gpu) -> Sources:
    left = dict.fromkeys(names)
    for key, spec in checked.site.nodes.items():
        named = _names(key)
        if named <= left.keys():
            files = _set(files, key, gpu, whole=spec.gpu is None)
            left = {name: None for name in left if name not in named}
    if left:
        _refuse_shared(checked, left)
        files = _set(files, fold(left), gpu, whole=True)
    return files


def _set(files: Sources, key: str, gpu: Gpu, *, whole: bool) -> Sources:
    """A value that is there keeps its place, comment and quotes; only what differs is written."""
    if whole:
        return set_value(files, ("nodes", key, "gpu"), asdict(gpu))
    for name, value in asdict(gpu).items():
        files = set_value(files, ("nodes", key, "gpu", name), value)
    return files


def _refuse_shared(checked: Checked, names: Iterable[str]) -> None:
    """Refuse nodes that a key of `nodes:` declares together with others: a second key would declare them twice."""
    in_racks = {name for rack in checked.site.racks.values() for name in _names(rack.nodes)}
    problems = []
    for name in names:
        shared = next((key for key in checked.site.nodes if name in _names(key)), None)
        if shared is not None and name not in in_racks and not checked.site.inventory:
            hint = f"give `{name}` a key of its own, or name all nodes of that key"
            problems.append(Problem(f"cannot edit: `nodes.{shared}` declares `{name}` together with others", hint=hint))
    if problems:
        raise InputError(problems)


def _names(hosts: str) -> frozenset[str]:
    try:
        return frozenset(expand(hosts))
    except HostListError:
        return frozenset()
