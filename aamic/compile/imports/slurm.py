"""slurm.conf and gres.conf: nodes with their addresses, size and GPUs, the controller, and the cluster's name."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Final

from aamic.compile.folder import Files
from aamic.compile.hostlist import HostListError, count, expand, pair
from aamic.compile.imports.gpus import VendorSigns
from aamic.compile.imports.names import hosts, is_local
from aamic.compile.imports.sighting import Fact, Reading, Said, Sighting
from aamic.compile.imports.slurmgpus import Kind, kinds, of_node, read_gres
from aamic.compile.imports.slurmtext import Line, Reader, Value
from aamic.compile.inventory import MAX_ROWS
from aamic.compile.text import shown
from aamic.errors import Place, Problem

_MIB: Final = 2**20
_NUMBER: Final = re.compile(r"[0-9]{1,12}")
_HOST: Final = re.compile(r"([^()\s]+)(?:\(([^()\s]*)\))?")
_ABSENT: Final = frozenset({"CLOUD", "FUTURE"})
_TOPOLOGY: Final = (("boards",), ("sockets", "socketsperboard"), ("corespersocket",), ("threadspercore",))
_THREADS: Final = 1_000_000
"""CPU threads of one node, as a site takes them."""


@dataclass(frozen=True, slots=True)
class Text:
    """A file: its bytes and name, and the folder that it stands in, for what it includes."""

    data: bytes
    name: str
    files: Files


@dataclass(slots=True)
class _Conf:
    """What has been read so far."""

    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    defaults: dict[str, Value] = field(default_factory=dict)
    sightings: list[Sighting] = field(default_factory=list)
    gpus: dict[str, tuple[tuple[Kind, ...], Place]] = field(default_factory=dict)
    controllers: list[str] = field(default_factory=list)
    clusters: list[Said] = field(default_factory=list)
    absent: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    names: dict[str, Place] = field(default_factory=dict)
    own_addresses: dict[str, Value] = field(default_factory=dict)

    def refuse(self, message: str, place: Place, hint: str | None) -> None:
        self.problems.append(Problem(message, place, hint))


def read_slurm(conf: Text | None, gres: Text | None, signs: VendorSigns) -> Reading:
    """What slurm.conf says, and gres.conf beside it; either may be missing."""
    found = _Conf()
    for line in _lines(conf, found):
        _take(line, found)
    found.sightings += _old_addresses(found)
    table = read_gres(_lines(gres, found), found.problems)
    absent = {name for names in found.absent.values() for name in names}
    named = {name for line in table.lines for name in line.nodes or ()}
    why: defaultdict[str, list[str]] = defaultdict(list)
    strange = named - found.names.keys() if conf is not None else set()
    for name in sorted({*found.gpus, *named} - absent - strange):
        asked, place = found.gpus.get(name, ((), None))
        seen, reasons = of_node(name, asked, place, table, signs)
        found.sightings += seen
        for reason in reasons:
            why[reason].append(name)
    if strange:
        found.notes.append(f"{hosts(strange)} in gres.conf is left out: slurm.conf does not name it")
    found.notes += [f"nodes of `State={state}` are left out: {hosts(names)}" for state, names in found.absent.items()]
    found.notes += [f"{hosts(names)} {_has(names)} {reason}" for reason, names in why.items()]
    return Reading(
        tuple(found.sightings), tuple(found.clusters), tuple(found.controllers), tuple(found.notes),
        tuple(found.problems),
    )  # fmt: skip


def _has(names: list[str]) -> str:
    return "has" if len(names) == 1 else "have"


def _lines(text: Text | None, found: _Conf) -> list[Line]:
    if text is None:
        return []
    reader = Reader(text.name, text.files)
    lines = list(reader.lines(text.data, text.name.rpartition("/")[2]))
    found.problems += reader.problems
    found.notes += reader.notes
    return lines


def _take(line: Line, found: _Conf) -> None:
    for key, take in _TAKEN.items():
        if key in line.values:
            take(line, line.values[key], found)


def _take_nodes(line: Line, value: Value, found: _Conf) -> None:
    if value.text.upper() == "DEFAULT":
        found.defaults |= {key: each for key, each in line.values.items() if key != "nodename"}
        return
    values = {**found.defaults, **line.values}
    merged = Line(values, line.place)
    try:
        if len(found.names) + count(value.text) > MAX_ROWS:
            found.refuse(f"the file names more than {MAX_ROWS:,} nodes", value.place, "check the bounds of its ranges")
            return
        names = expand(value.text)
    except HostListError as error:
        found.refuse(error.message, value.place, error.hint)
        return
    state = (merged.text("state") or "").upper().strip("*")
    facts = _size(merged, found)
    for name, address in _addresses(names, value, values, found):
        if name in found.names:
            first = found.names[name]
            found.problems.append(Problem(f"node {shown(name)} is named twice", value.place, "keep one", (first,)))
            continue
        found.names[name] = value.place
        if is_local(name):
            found.notes.append(f"node {shown(name)} at {value.place} is left out: Slurm means the host it runs on")
            continue
        if state in _ABSENT:
            found.absent[state].append(name)
            continue
        own: dict[str, Fact] = {"address": address} if address != name else {}
        found.sightings.append(Sighting("slurm", value.place, name, {**facts, **own}))
        if asked := kinds(merged.text("gres") or ""):
            found.gpus[name] = asked, values["gres"].place


def _addresses(
    names: tuple[str, ...], value: Value, values: Mapping[str, Value], found: _Conf
) -> Iterable[tuple[str, str]]:
    """Each name with its address: `NodeAddr`, or `NodeHostname`, or the name itself."""
    given = values.get("nodeaddr") or values.get("nodehostname")
    if given is None:
        return [(name, name) for name in names]
    try:
        return pair(value.text, given.text)
    except HostListError as error:
        found.refuse(error.message, given.place, error.hint)
        return [(name, name) for name in names]


def _size(line: Line, found: _Conf) -> dict[str, Fact]:
    """CPU threads, by the topology if it is given and else by `CPUs`, and memory."""
    facts: dict[str, Fact] = {}
    parts = [_whole(line, found, *keys) for keys in _TOPOLOGY]
    cpus = _whole(line, found, "cpus", "procs")
    product = prod(part or 1 for part in parts)
    # Without `Sockets`, Slurm makes as many of them as `CPUs` takes.
    threads = product if cpus is None or (parts[1] and parts[2]) else max(product, cpus)
    if (any(parts) or cpus) and 1 <= threads <= _THREADS:
        facts["threads"] = threads
    memory = _whole(line, found, "realmemory")
    if memory is not None and memory > 1:
        facts["memory"] = memory * _MIB
    return facts


def _whole(line: Line, found: _Conf, *keys: str) -> int | None:
    value = next((line.values[key] for key in keys if key in line.values), None)
    if value is None:
        return None
    if _NUMBER.fullmatch(value.text) is None:
        found.refuse(f"{shown(value.text)} is not a whole number", value.place, "write a number, as Slurm wants it")
        return None
    return int(value.text)


def _take_controller(_: Line, value: Value, found: _Conf) -> None:
    """`SlurmctldHost=name(address)`; of several, the first one is in charge. Before 18.08: `ControlMachine`."""
    match = _HOST.fullmatch(value.text)
    if match is None:
        found.refuse(f"{shown(value.text)} is not a host", value.place, "write `SlurmctldHost=NAME(ADDRESS)`")
        return
    name, address = match[1], match[2]
    own: dict[str, Fact] = {"address": address} if address and address != name else {}
    found.sightings.append(Sighting("slurm", value.place, name, own))
    if found.controllers and name not in found.controllers:
        found.notes.append(f"{shown(name)} is a backup of the controller {shown(found.controllers[0])}")
    found.controllers.append(name)


def _take_address(line: Line, value: Value, found: _Conf) -> None:
    """`ControlAddr` and `BackupAddr`, from before 18.08, on lines of their own."""
    found.own_addresses["controladdr" if "controladdr" in line.values else "backupaddr"] = value


def _old_addresses(found: _Conf) -> Iterator[Sighting]:
    for name, key in zip(found.controllers, ("controladdr", "backupaddr"), strict=False):
        if (value := found.own_addresses.get(key)) and value.text != name:
            yield Sighting("slurm", value.place, name, {"address": value.text})


def _take_cluster(_: Line, value: Value, found: _Conf) -> None:
    found.clusters.append(Said(value.text, value.place))


def _take_down(_: Line, value: Value, found: _Conf) -> None:
    found.notes.append(f"{shown(value.text)} at {value.place} is down in Slurm, and taken in like the others")


_TAKEN: Final[Mapping[str, Callable[[Line, Value, _Conf], None]]] = {
    "nodename": _take_nodes,
    "slurmctldhost": _take_controller,
    "controlmachine": _take_controller,
    "backupcontroller": _take_controller,
    "controladdr": _take_address,
    "backupaddr": _take_address,
    "clustername": _take_cluster,
    "downnodes": _take_down,
}
