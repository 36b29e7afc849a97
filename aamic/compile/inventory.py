"""The inventory: long lists of nodes as CSV (RFC 4180)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from operator import itemgetter
from typing import NamedTuple

from aamic.compile.suggest import closest
from aamic.compile.text import decode, shown
from aamic.errors import InputError, Place, Problem

COLUMNS = ("name", "address", "rack", "gpu_vendor", "gpu_model", "gpu_count")
REQUIRED = ("name", "address")


class Row(NamedTuple):
    """One node as it was written; what a column without a value holds is the empty string."""

    name: str
    address: str
    rack: str
    gpu_vendor: str
    gpu_model: str
    gpu_count: str
    line: int
    path: str


def read_inventory(data: bytes, path: str) -> list[Row]:
    """Return the rows of a CSV file; blank lines are skipped.

    Raises:
        InputError: The header or the number of columns of a row is wrong, or a quote is not closed.
    """
    lines = _lines(decode(data, path), path)
    line, header = next(lines, (1, None))
    if header is None:
        hint = f"begin with the line `{','.join(COLUMNS)}`"
        raise InputError([Problem(f"`{path}` is empty", Place(path, 1), hint)])
    if problems := list(_faults(header, Place(path, line))):
        raise InputError(problems)
    return _rows(lines, header, path)


def _rows(lines: Iterator[tuple[int, list[str]]], header: list[str], path: str) -> list[Row]:
    width = len(header)
    # A column that is not there is taken from behind the last one, where the empty string is put.
    pick = itemgetter(*(header.index(column) if column in header else width for column in COLUMNS))
    rows, problems = [], []
    try:
        for line, cells in lines:
            if len(cells) == width:
                cells.append("")
                rows.append(Row._make((*pick(cells), line, path)))
            else:
                problems.append(_wrong_width(cells, header, Place(path, line)))
    except InputError as error:
        problems += error.problems
    if problems:
        raise InputError(problems)
    return rows


def _lines(text: str, path: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each row with the line it begins on."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        for cells in reader:
            if cells:
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        too_long = "field limit" in str(error)
        message = f"a value of this row is longer than {csv.field_size_limit():,} characters"
        message = message if too_long else "a quote in this row is not closed, or not doubled"
        hint = 'close each quoted value; within it, write `"` twice'
        raise InputError([Problem(message, Place(path, line), hint)]) from None


def _faults(header: list[str], place: Place) -> Iterator[Problem]:
    for column in dict.fromkeys(header):
        if column not in COLUMNS:
            near = closest(column, COLUMNS)
            hint = f"did you mean `{near}`?" if near else f"the columns are {_listed(COLUMNS)}"
            yield Problem(f"unknown column {shown(column)}", place, hint)
        elif header.count(column) > 1:
            yield Problem(f"column `{column}` stands twice", place, "remove one of the two")
    for column in REQUIRED:
        if column not in header:
            yield Problem(f"column `{column}` is missing", place, f"the header needs {_listed(REQUIRED)}")


def _wrong_width(cells: list[str], header: list[str], place: Place) -> Problem:
    message = f"this row has {len(cells)} columns instead of {len(header)}"
    return Problem(message, place, f"the columns are {_listed(header)}; put a value with a comma in quotes")


def _listed(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
