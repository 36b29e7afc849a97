"""GPUs in Slurm's files: `Gres=` of slurm.conf and the lines of gres.conf, put together as Slurm does."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from aamic.compile.hostlist import HostListError, count, expand
from aamic.compile.imports.gpus import SEVERAL, VendorSigns, is_part, of_type
from aamic.compile.imports.sighting import WEAK, Fact, Sighting
from aamic.compile.imports.slurmtext import Line, Value
from aamic.errors import Place, Problem

_COUNT: Final = re.compile(r"([0-9]{1,9})([kmgtp]?)", re.IGNORECASE)
_IN_BRACKETS: Final = re.compile(r"\([^()]*\)")
_SUFFIX: Final = " kmgtp"
_FLAGS: Final = frozenset({"no_consume"})


class Kind(NamedTuple):
    """So many GPUs of a type, None where none is given."""

    type: str | None
    number: int


@dataclass(frozen=True, slots=True)
class GresLine:
    """What a line of gres.conf says of GPUs; `nodes` is None where it speaks of every node that reads it."""

    nodes: frozenset[str] | None
    kind: Kind
    file: str
    place: Place


@dataclass(slots=True)
class Gres:
    """gres.conf: its lines of GPUs, and the word of `AutoDetect` by node, by None where it is for all."""

    lines: list[GresLine] = field(default_factory=list)
    auto: dict[str | None, str] = field(default_factory=dict)


def kinds(text: str) -> tuple[Kind, ...]:
    """The GPUs of `Gres=`.

    >>> kinds("gpu:h100:8(S:0-1),shard:64,gpu:2,GPU:a100:no_consume:1K")
    (Kind(type='h100', number=8), Kind(type=None, number=2), Kind(type='a100', number=1024))
    """
    found = []
    for part in _IN_BRACKETS.sub("", text).split(","):
        name, *rest = (field.strip() for field in part.split(":"))
        if name.lower() == "gpu":
            words = [word for word in rest if word and word.lower() not in _FLAGS]
            many = number(words[-1]) if words else None
            types = words if many is None else words[:-1]
            found.append(Kind(":".join(types) or None, 1 if many is None else many))
    return tuple(found)


def number(text: str) -> int | None:
    """A count as Slurm writes it, with a suffix of powers of 1024.

    >>> number("8"), number("2K"), number("h100")
    (8, 2048, None)
    """
    match = _COUNT.fullmatch(text)
    return int(match[1]) * 1024 ** _SUFFIX.index(match[2].lower() or " ") if match else None


def read_gres(lines: Iterable[Line], problems: list[Problem]) -> Gres:
    """What gres.conf says of GPUs."""
    gres = Gres()
    for line in lines:
        nodes = _nodes(line.values.get("nodename"), problems)
        if auto := line.text("autodetect"):
            gres.auto.update(dict.fromkeys(nodes if nodes is not None else (None,), auto.lower()))
        if (line.text("name") or "").lower() == "gpu":
            file = line.text("file", "multiplefiles") or ""
            given = number(line.text("count") or "")
            kind = Kind(line.text("type") or None, given if given is not None else _files(line, problems))
            gres.lines.append(GresLine(nodes, kind, file, line.place))
    return gres


def _nodes(value: Value | None, problems: list[Problem]) -> frozenset[str] | None:
    if value is None:
        return None
    try:
        return frozenset(expand(value.text))
    except HostListError as error:
        problems.append(Problem(error.message, value.place, error.hint))
        return frozenset()


def _files(line: Line, problems: list[Problem]) -> int:
    """How many files a line names; one where it names none."""
    value = line.values.get("file") or line.values.get("multiplefiles")
    if value is None:
        return 1
    try:
        return count(value.text)
    except HostListError as error:
        problems.append(Problem(error.message, value.place, error.hint))
        return 1


def of_node(
    node: str, asked: Sequence[Kind], place: Place | None, gres: Gres, signs: VendorSigns
) -> tuple[list[Sighting], list[str]]:
    """What both files say of the GPUs of a node, and why that is not all; `asked` is its `Gres=` of slurm.conf."""
    lines = [line for line in gres.lines if line.nodes is None or node in line.nodes]
    if asked and not any(kind.number for kind in asked):
        return [], []
    if not asked and not any(line.nodes is not None for line in lines):
        return [], []
    found = tuple(asked) or tuple(line.kind for line in lines)
    if asked and all(kind.type is None for kind in asked) and any(line.kind.type for line in lines):
        found = tuple(line.kind for line in lines)
    facts, why = _facts(found, _vendor(node, lines, gres, signs), signs)
    where = place or lines[0].place
    if asked and "count" in facts:
        facts["count"] = sum(kind.number for kind in asked)
    seen = [Sighting("slurm", where, node, facts, gpus=True)]
    for type_, there in _by_type(asked, lines).items():
        expected = sum(kind.number for kind in asked if type_ in (None, (kind.type or "").casefold()))
        many = sum(line.kind.number for line in there)
        if expected != many and "count" in facts:
            total = int(facts["count"]) - expected + many
            seen.append(Sighting("slurm", there[0].place, node, {"count": total}, gpus=True))
    return seen, why


def _by_type(asked: Sequence[Kind], lines: Sequence[GresLine]) -> dict[str | None, list[GresLine]]:
    """The lines of gres.conf that must agree with slurm.conf in number: by type, by None where it names none."""
    types = {kind.type.casefold() for kind in asked if kind.type}
    found: defaultdict[str | None, list[GresLine]] = defaultdict(list)
    for line in lines:
        if asked and not types:
            found[None].append(line)
        elif line.kind.type and line.kind.type.casefold() in types:
            found[line.kind.type.casefold()].append(line)
    return found


def _vendor(node: str, lines: Iterable[GresLine], gres: Gres, signs: VendorSigns) -> str | None:
    """Whose GPUs they are by the word of `AutoDetect` and by their device files."""
    auto = gres.auto.get(node, gres.auto.get(None, ""))
    files = [line.file for line in lines]
    by_word = {vendor for vendor, sign in signs.items() if auto in sign.autodetect}
    by_file = {
        vendor for vendor, sign in signs.items() if any(file.startswith(sign.devices) for file in files if sign.devices)
    }
    return next(iter(by_word | by_file)) if len(by_word | by_file) == 1 else None


def _facts(found: Sequence[Kind], vendor: str | None, signs: VendorSigns) -> tuple[dict[str, Fact], list[str]]:
    """Vendor, model and number of GPUs, as far as they are known."""
    types = [kind.type for kind in found if kind.type]
    known = [of_type(type_, signs) for type_ in types]
    vendors = {each for each, _ in known if each is not None} or ({vendor} if vendor else set())
    models = sorted({model for _, model in known})
    parts = [type_ for type_ in types if is_part(type_, signs)]
    one = len(vendors) < 2  # noqa: PLR2004  # several
    why = [] if one else ["GPUs of several vendors, which a site cannot say"]
    why += ["GPUs of several models, which stand together in `gpu.model`"] if one and len(models) > 1 else []
    why += ["parts of GPUs, which do not tell how many GPUs there are"] if parts else []
    facts: dict[str, Fact] = {}
    if one and vendors:
        facts["vendor"] = next(iter(vendors))
    elif vendors:
        facts[f"{WEAK}vendor"] = SEVERAL.join(sorted(vendors))
    if models and one:
        facts["model"] = SEVERAL.join(models)
    if not parts:
        facts["count"] = sum(kind.number for kind in found)
    return facts, why
