"""Health on a terminal: the cluster, its racks, and the nodes that are not well, worst first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from aamic.model.health import STATES, Component, GpuHealth, GroupHealth, Health, NodeHealth, State
from aamic.views.terminal import safe, wrapped

Fold = Callable[[Iterable[str]], str]
MOST: Final = 20
"""Lines of a list that people get; JSON has all."""
_COLOURS: Final = {"ok": "32", "warn": "33", "unknown": "35", "fail": "31", "unmeasured": "2"}
_WORD: Final = 10
"""Cells of the longest word for a state."""
_DASH: Final = "-"


@dataclass(frozen=True, slots=True)
class Paper:
    """How lines are printed: their width in cells, and whether they have colours."""

    width: int = 80
    colour: bool = False


@dataclass(frozen=True, slots=True)
class _Line:
    """A line before it is wrapped; `mark` is a word for a state that begins it."""

    text: str
    indent: int = 0
    mark: str = ""


def text(found: Health, fold: Fold, paper: Paper, *, named: bool, detailed: bool) -> str:
    """The cluster with its racks and what is wrong; where nodes are `named`, of a single one its GPUs.

    `detailed` adds everything that was looked at: of the nodes that are named, else of those that are not ok.
    """
    single = named and len(found.nodes) == 1
    blocks = (
        [_node_lines(found.nodes[0], brief=not detailed)]
        if single
        else [_summary(found), _racks(found), _bad(found, fold)]
    )
    if detailed:
        blocks += _details(found, named=named)
    blocks += [_silences(found, fold), _left_out(found, fold)]
    printed = ("\n".join(_printed(block, paper)) for block in blocks)
    return "\n\n".join(block for block in printed if block) + "\n"


def _printed(lines: Iterable[_Line], paper: Paper) -> Iterator[str]:
    for line in lines:
        lead = " " * line.indent + (f"{line.mark:{_WORD}} " if line.mark else "")
        pieces = wrapped(safe(line.text), paper.width, lead, " " * (len(lead) if line.mark else line.indent + 2))
        for number, piece in enumerate(pieces):
            yield _coloured(piece, line) if paper.colour and line.mark and number == 0 else piece


def _coloured(piece: str, line: _Line) -> str:
    end = line.indent + len(line.mark)
    return f"{piece[: line.indent]}\033[{_COLOURS[line.mark]}m{line.mark}\033[0m{piece[end:]}"


def _summary(found: Health) -> Iterator[_Line]:
    whole = found.whole
    counts = ", ".join(f"{whole.count(state):,} {state}" for state in STATES if whole.count(state))
    yield _Line(f"{found.cluster}: score {_score(whole.score)}; {_counted(whole.nodes, 'node')} with GPUs: {counts}",
                mark=whole.verdict)  # fmt: skip


def _racks(found: Health) -> Iterator[_Line]:
    if len(found.racks) < 2:  # noqa: PLR2004  # one rack is the summary once more
        return
    names = [_rack_name(rack) for rack in found.racks]
    wide = min(max(map(len, (*names, "rack"))), 30)
    head = f"{'rack':{wide}}  score  nodes" + "".join(f"{state:>9}" for state in STATES)
    yield _Line(" " * (_WORD + 1) + head)
    for rack, name in zip(found.racks, names, strict=True):
        yield _Line(f"{_cut(name, wide):{wide}}  {_score(rack.score):>5}  {rack.nodes:>5}" + _counts(rack),
                    mark=rack.verdict)  # fmt: skip


def _counts(rack: GroupHealth) -> str:
    return "".join(f"{rack.count(state) or _DASH:>9}" for state in STATES)


def _rack_name(rack: GroupHealth) -> str:
    return "(no rack)" if rack.name is None else safe(rack.name)


def _cut(name: str, wide: int) -> str:
    return name if len(name) <= wide else name[: wide - 3] + "..."


def _bad(found: Health, fold: Fold) -> Iterator[_Line]:
    """The nodes that are not ok, worst first; those with the same reason are one line."""
    alike: dict[tuple[State, str], list[str]] = {}
    for node in found.nodes:
        if node.verdict != "ok":
            alike.setdefault((node.verdict, node.reason), []).append(node.name)
    order = sorted(alike, key=lambda key: -STATES.index(key[0]))
    for verdict, reason in order[:MOST]:
        yield _Line(f"{fold(alike[verdict, reason])}: {reason}", mark=verdict)
    if rest := [name for key in order[MOST:] for name in alike[key]]:
        yield _Line(f"and {_counted(len(rest), 'node')} more that are not ok; `--json` has all")


def _node_lines(node: NodeHealth, *, brief: bool) -> Iterator[_Line]:
    where = f" in rack {node.rack}" if node.rack is not None else ""
    there = f"{len(node.gpus)} of {node.expected} GPUs report"
    yield _Line(f"{node.name}{where}: score {_score(node.score)}; {there}; {node.reason}", mark=node.verdict)
    for gpu in node.gpus if brief else ():
        yield replace(_gpu_line(gpu), indent=2)


def _gpu_line(gpu: GpuHealth) -> _Line:
    reason = f": {gpu.reason}" if gpu.reason else ""
    return _Line(f"GPU {gpu.gpu}, score {_score(gpu.score)}{reason}", mark=gpu.verdict)


def _details(found: Health, *, named: bool) -> Iterator[Iterator[_Line]]:
    seen = (node for node in found.nodes if node.gpus or node.components)
    nodes = sorted((node for node in seen if named or node.verdict != "ok"), key=_badness)
    for node in nodes[:MOST]:
        yield _detail(node)
    if len(nodes) > MOST:
        yield iter([_Line(f"and {_counted(len(nodes) - MOST, 'node')} more in detail; `--json --detailed` has all")])


def _badness(node: NodeHealth) -> int:
    return -STATES.index(node.verdict)


def _detail(node: NodeHealth) -> Iterator[_Line]:
    yield _Line(f"{node.name} in detail:")
    yield from _components(node.components, 2)
    for gpu in node.gpus:
        yield replace(_gpu_line(replace(gpu, reason=gpu.uuid)), indent=2)
        yield from _components(gpu.components, 4)


def _components(components: Sequence[Component], indent: int) -> Iterator[_Line]:
    for each in components:
        yield _Line(f"{each.name}: {each.message}{_bounds(each)}", indent, each.level)


def _bounds(own: Component) -> str:
    end = " or fewer" if own.name == "lost_gpu" else ""
    bounds = [f"{name} {bound:g}{end}" for name, bound in (("warn", own.warn), ("fail", own.fail)) if bound is not None]
    return f" ({', '.join(bounds)})" if bounds else ""


def _silences(found: Health, fold: Fold) -> Iterator[_Line]:
    """What servers did not answer, where no node's reason tells it already."""
    reasons = {node.reason for node in found.nodes}
    for each in found.silences:
        if not any(each.message in reason for reason in reasons):
            end = "not all are known" if each.lost else "another server knows them"
            yield _Line(f"not heard of {fold(each.nodes)}: {each.message}; {end}")


def _left_out(found: Health, fold: Fold) -> Iterator[_Line]:
    if found.without:
        verb = "has" if len(found.without) == 1 else "have"
        yield _Line(f"{_counted(len(found.without), 'node')} {verb} no GPUs: {fold(found.without)}")


def _score(score: int | None) -> str:
    return _DASH if score is None else str(score)


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
