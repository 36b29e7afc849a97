"""What exporters answered after they were installed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from aamic.model.installed import Installed
from aamic.views.hosts import Fold, collapsed
from aamic.views.terminal import safe, wrapped


def text(found: Iterable[Installed], fold: Fold, *, width: int = 100) -> str:
    """Lines of at most `width` cells: the hosts that answer as promised, those that do not and why, and notes.

    >>> print(text([Installed("a", "http://a:9400/metrics", 8, 40, 41, notes=("x is missing",))], "".join), end="")
    answers · a · 8 GPUs, 40 of 41 metrics at http://a:9400/metrics
    note: x is missing (a)
    """
    those = tuple(found)
    lines = (*_good(those, fold), *_bad(those, fold), *_notes(those, fold))
    pieces = (wrapped(safe(line), width, " " * indent, " " * (indent + 2)) for indent, line in lines)
    return "".join(f"{piece}\n" for each in pieces for piece in each)


def _good(found: Iterable[Installed], fold: Fold) -> Iterator[tuple[int, str]]:
    for each in found:
        if each.ok:
            gpus = f"{each.gpus} GPU{'' if each.gpus == 1 else 's'}"
            metrics = f"{each.metrics} of {each.promised} metrics"
            yield 0, f"answers · {fold([each.host])} · {gpus}, {metrics} at {each.url}"


def _bad(found: Iterable[Installed], fold: Fold) -> Iterator[tuple[int, str]]:
    told = ((each.host, "\n".join(each.faults)) for each in found if not each.ok)
    for faults, hosts in collapsed(told):
        yield 0, f"not as promised · {fold(hosts)}"
        yield from ((2, fault) for fault in faults.split("\n"))


def _notes(found: Iterable[Installed], fold: Fold) -> Iterator[tuple[int, str]]:
    for note, hosts in collapsed((each.host, note) for each in found for note in each.notes):
        yield 0, f"note: {note} ({fold(hosts)})"


def to_json(found: Iterable[Installed]) -> dict[str, Any]:
    """The same by host, as a value for JSON."""
    return {each.host: {"ok": each.ok, **_rest(each)} for each in found}


def _rest(each: Installed) -> dict[str, Any]:
    return {name: value for name, value in asdict(each).items() if name != "host"}
