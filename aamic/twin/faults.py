"""What `--inject` asks for: `KIND[:VALUE]@NODE[/GPU]`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from aamic.catalog import gpuerrors
from aamic.catalog.base import Fault
from aamic.catalog.vendors import NAMES
from aamic.compile.suggest import closest
from aamic.errors import InputError, Problem
from aamic.model.fleet import Fleet, Node

_FORM = re.compile(r"(?P<kind>[^:@]*)(?::(?P<value>[^@]*))?@(?P<node>[^/]*)(?:/(?P<gpu>.*))?", re.DOTALL)
_NUMBER = re.compile("[0-9]{1,6}")
_HINT = "write `KIND[:VALUE]@NODE[/GPU]`, such as `xid:79@gpu-001/0`"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault: whose GPUs have it (None: the node itself), and what its value says ('' where it has none)."""

    vendors: frozenset[str] | None
    value: str
    default: str = ""


_ANY: Final = frozenset(NAMES)


@cache
def kinds() -> Mapping[str, Kind]:
    """Return every kind of fault by its name; error codes go by the word of each vendor that has a table of them."""
    return {
        **dict(_codes()),
        "ecc": Kind(_ANY, "number of uncorrected errors", default="1"),
        "temperature": Kind(_ANY, "temperature in °C"),
        "lost": Kind(_ANY, ""),
        "down": Kind(None, ""),
    }


def _codes() -> Iterator[tuple[str, Kind]]:
    words = {
        name: gpuerrors.kind(name) for name in NAMES if any(isinstance(code, int) for code in gpuerrors.errors(name))
    }
    for word in words.values():
        yield word.lower(), Kind(frozenset(name for name in words if words[name] == word), f"{word} code")


@dataclass(frozen=True, slots=True)
class Injection:
    """A fault on a node, and the text that asked for it."""

    text: str
    node: str
    fault: Fault


def parse_injections(texts: Iterable[str], fleet: Fleet) -> tuple[Injection, ...]:
    """Return what `--inject` asks for.

    Raises:
        InputError: Every problem of all of them: a text of another form, an unknown node or kind, a GPU that is not
            there, a value that is none.
    """
    problems: list[Problem] = []
    injections: list[Injection] = []
    texts = tuple(texts)
    if texts and not fleet.alertmanagers:
        problems.append(
            Problem("`--inject` is seen in Alertmanager, and this site has none", hint="add `alertmanager:`")
        )
    for text in texts:
        match = _FORM.fullmatch(text)
        if match is None:
            problems.append(Problem(f"`--inject {text}` names no node", hint=_HINT))
            continue
        found = list(_problems(match, fleet))
        problems += found
        if not found:
            injections.append(_injection(match))
    if problems:
        raise InputError(problems)
    return tuple(injections)


def by_node(injections: Iterable[Injection]) -> dict[str, tuple[Fault, ...]]:
    """Return the faults of each node that has some."""
    faults: dict[str, tuple[Fault, ...]] = {}
    for injection in injections:
        faults[injection.node] = (*faults.get(injection.node, ()), injection.fault)
    return faults


def _injection(match: re.Match[str]) -> Injection:
    kind, value, gpu = match["kind"], match["value"] or kinds()[match["kind"]].default, match["gpu"]
    return Injection(match[0], match["node"], Fault(kind, value, None if gpu is None else int(gpu)))


def _problems(match: re.Match[str], fleet: Fleet) -> Iterator[Problem]:
    node, kind = fleet.nodes.get(match["node"]), kinds().get(match["kind"])
    if node is None:
        near = closest(match["node"], fleet.nodes)
        hint = f"did you mean `{near}`?" if near else None
        yield Problem(f"`--inject {match[0]}`: unknown node `{match['node']}`", hint=hint)
    if kind is None:
        yield Problem(f"`--inject {match[0]}`: unknown kind of fault `{match['kind']}`", hint=_known(node))
    else:
        yield from _value_problems(match, kind)
    if node and kind:
        yield from _gpu_problems(match, kind, node)


def _value_problems(match: re.Match[str], kind: Kind) -> Iterator[Problem]:
    value, said = match["value"], f"`--inject {match[0]}`"
    if not kind.value and value is not None:
        yield Problem(f"{said}: a fault of kind `{match['kind']}` takes no value", hint=f"remove `:{value}`")
    elif kind.value and not _NUMBER.fullmatch(value or kind.default):
        what = f"`{value}` is not a whole number" if value else "there is no value"
        yield Problem(f"{said}: {what}", hint=f"give the {kind.value}: `{match['kind']}:NUMBER`")


def _gpu_problems(match: re.Match[str], kind: Kind, node: Node) -> Iterator[Problem]:
    gpu, said = match["gpu"], f"`--inject {match[0]}`"
    if kind.vendors is None:
        if gpu is not None:
            hint = f"remove `/{gpu}`"
            yield Problem(f"{said}: a fault of kind `{match['kind']}` is one of the whole node", hint=hint)
    elif node.gpu is None:
        yield Problem(f"{said}: node `{node.name}` has no GPUs", hint=_known(node))
    elif node.gpu.vendor not in kind.vendors:
        problem = f"{said}: GPUs of vendor `{node.gpu.vendor}` have no fault of kind `{match['kind']}`"
        yield Problem(problem, hint=_known(node))
    elif gpu is not None and not (_NUMBER.fullmatch(gpu) and int(gpu) < node.gpu.count):
        hint = f"its {node.gpu.count} GPUs are 0 to {node.gpu.count - 1}" if node.gpu.count > 1 else "its one GPU is 0"
        yield Problem(f"{said}: node `{node.name}` has no GPU `{gpu}`", hint=hint)


def _known(node: Node | None) -> str:
    """Return the kinds there are: for each vendor, or those of a node."""
    everywhere = [name for name, kind in kinds().items() if kind.vendors is None]
    if node is not None:
        vendor = node.gpu.vendor if node.gpu else None
        return f"node `{node.name}` can have {_list([*_of_vendor(vendor), *everywhere])}"
    vendors = [f"{vendor}: {_list(_of_vendor(vendor))}" for vendor in sorted(_ANY)]
    return f"{'; '.join(vendors)}; every node: {_list(everywhere)}"


def _of_vendor(vendor: str | None) -> list[str]:
    return [name for name, kind in kinds().items() if kind.vendors and vendor in kind.vendors]


def _list(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
