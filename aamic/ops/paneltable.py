"""Tables: the answers to several queries side by side, joined by the labels that columns show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Final

from aamic.agent.health.drainwords import natural
from aamic.clients.base import Sample
from aamic.model.dashboard import Column, Panel
from aamic.model.preview import Figure
from aamic.ops.panelasked import Answer
from aamic.ops.panelvalues import figure, order

_VALUE: Final = "Value"
_TEXT: Final = 200
_COLUMNS: Final = 12

Row = tuple[str | Figure, ...]
_Key = tuple[tuple[str, ...], int]


def rows(panel: Panel, found: Sequence[Answer]) -> tuple[tuple[str, ...], list[Row]]:
    """The headings and every row; a value that a query has not is empty.

    Rows stand in natural order of their texts, or as the first query orders them.
    """
    columns = panel.columns or tuple(_columns(found))
    labels = [each.field for each in columns if not each.field.startswith(_VALUE)]
    joined: dict[_Key, dict[str, float]] = {}
    for at, answer in enumerate(found):
        for key, value in _keyed(answer, labels):
            joined.setdefault(key, {})[_field(at)] = value
    keys = list(joined)
    if not (panel.queries and order(panel.queries[0].expr)):
        keys.sort(key=lambda key: ([natural(each) for each in key[0]], key[1]))
    every = [tuple(_cell(panel, each, dict(zip(labels, key[0], strict=True)), joined[key]) for each in columns)
             for key in keys]  # fmt: skip
    return tuple(each.title or each.field for each in columns), every


def _keyed(answer: Answer, labels: Sequence[str]) -> Iterator[tuple[_Key, float]]:
    """Each sample by what it shows of its labels; those that show the same are told apart by their number."""
    seen: dict[tuple[str, ...], Iterator[int]] = {}
    for each in () if isinstance(answer, str) else answer:
        if isinstance(each, Sample):
            key = tuple(each.labels.get(name, "") for name in labels)
            yield (key, next(seen.setdefault(key, count()))), each.value


def _field(at: int) -> str:
    """`Value #A` for the first query."""
    return f"{_VALUE} #{chr(ord('A') + at)}"


def _cell(panel: Panel, column: Column, labels: Mapping[str, str], values: Mapping[str, float]) -> str | Figure:
    if not column.field.startswith(_VALUE):
        return labels[column.field][:_TEXT]
    name = " ".join(each for each in labels.values() if each)[:_TEXT]
    value = values.get(_field(0) if column.field == _VALUE else column.field)
    if value is None:
        return ""
    return figure(_judging(panel, column), name, value)


def _judging(panel: Panel, column: Column) -> Panel:
    """A panel with the bounds of a column; its own are about its first query's values, or all where none is named."""
    if not panel.columns or column.field in {_VALUE, _field(0)}:
        return replace(panel, bounds=(*panel.bounds, *column.bounds))
    return replace(panel, bounds=column.bounds, mappings=())


def _columns(found: Sequence[Answer]) -> Iterator[Column]:
    """Where no columns are named: every label, then every value."""
    those = [each for answer in found if not isinstance(answer, str) for each in answer if isinstance(each, Sample)]
    names = sorted({name for each in those for name in each.labels if name != "__name__"})
    for name in names[:_COLUMNS]:
        yield Column(name, name)
    for at in range(len(found)):
        yield Column(_field(at), "value" if len(found) == 1 else _field(at))
