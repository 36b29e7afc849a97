"""Which GPUs nodes are to have: by the command line, else by the site, else by what was seen on the host. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aamic.errors import InputError, Problem
from aamic.model.detected import Detected
from aamic.model.fleet import Fleet, Gpu
from aamic.model.host import Unobserved


def not_in_site(name: str, near: str | None) -> Problem:
    """What is wrong with the name of a node that cannot get an exporter, as the site does not have it."""
    hint = f"did you mean `{near}`?" if near else "add it to `nodes:` or to a rack first"
    return Problem(f"this site has no node `{name}`", hint=hint)


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


@dataclass(frozen=True, slots=True)
class Given:
    """What the command line says of GPUs; None where it leaves that to the site, or to the host."""

    vendor: str
    model: str | None = None
    count: int | None = None

    def on(self, said: Gpu | None) -> Gpu | None:
        """The GPUs of a node of which the site says this; None where that leaves something open."""
        own = said if said is not None and said.vendor == self.vendor else None
        model, count = self.model or (own and own.model), self.count or (own and own.count)
        return Gpu(self.vendor, model, count) if model and count else None


def unknown_gpus(fleet: Fleet, given: Given, names: Iterable[str]) -> tuple[str, ...]:
    """The nodes of which neither the site nor the command line says all."""
    return tuple(name for name in names if given.on(fleet.nodes[name].gpu) is None)


def wanted_gpus(
    fleet: Fleet, given: Given, names: Iterable[str], seen: Mapping[str, Detected | Unobserved]
) -> dict[str, Gpu]:
    """The GPUs that each node is to have: as given, else as the site says, else as they were `seen` on the host.

    Raises:
        InputError: Of some node that is not known.
    """
    found: dict[str, Gpu] = {}
    problems = []
    for name in names:
        gpu = given.on(fleet.nodes[name].gpu) or _seen(given, seen.get(name))
        if isinstance(gpu, Gpu):
            found[name] = gpu
        else:
            message = f"the site does not say which GPUs of {given.vendor} `{name}` has{gpu}"
            problems.append(Problem(message, hint="add `--model` and `--count`, such as `--model H100 --count 8`"))
    if problems:
        raise InputError(problems)
    return found


def _seen(given: Given, seen: Detected | Unobserved | None) -> Gpu | str:
    """What was seen on a host, or why that does not do."""
    if seen is None:
        return ""
    if isinstance(seen, Unobserved):
        return f", and it was not seen: {seen.message}"
    own = next((each for each in seen.gpus if each.vendor == given.vendor), None)
    if own is None:
        others = ", ".join(f"{each.count} of {each.vendor}" for each in seen.gpus)
        return f", and none is there{f', but {others}' if others else ''}"
    model = given.model or own.model
    if model is None:
        perhaps = f": {' or '.join(own.perhaps)}" if own.perhaps else ""
        return f", and of the {own.count} that are there the model is not known{perhaps}"
    return Gpu(given.vendor, model, given.count or own.count)
