"""The inventory: long lists of nodes as CSV (RFC 4180)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Final, NamedTuple

from aamic.compile.suggest import closest
from aamic.compile.text import decode, shown
from aamic.errors import InputError, Place, Problem

COLUMNS = ("name", "address", "rack", "gpu_vendor", "gpu_model", "gpu_count")
REQUIRED = ("name", "address")
MAX_ROWS: Final = 200_000
"""Rows of all inventories of a site; further ones are left unread."""

_BLANKS: Final = " \t"
_SEPARATORS: Final = {";": "`;`", "\t": "tabs", "|": "`|`"}
PLACES: Final = 5
"""Places that are told of a fault which many rows share."""


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

    @property
    def place(self) -> Place:
        """Where the row begins."""
        return Place(self.path, self.line)


class Inventory(NamedTuple):
    """The rows of a file that could be read, without blanks around values, and what is wrong with the file."""

    rows: list[Row]
    problems: list[Problem]


def read_inventory(data: bytes, path: str, most: int = MAX_ROWS) -> Inventory:
    """Return the first rows of a CSV file, at most so many; blank lines are skipped."""
    inventory = Inventory([], [])
    try:
        _read(decode(data, path), path, inventory, most)
    except InputError as error:
        inventory.problems.extend(error.problems)
    return inventory


def _read(text: str, path: str, inventory: Inventory, most: int) -> None:
    lines = _lines(text, path)
    line, header = next(lines, (1, None))
    if header is None:
        hint = f"begin with the line `{','.join(COLUMNS)}`"
        raise InputError([Problem(f"`{path}` is empty", Place(path, 1), hint)])
    inventory.problems.extend(_faults(header, Place(path, line)))
    columns = [column.strip(_BLANKS) for column in header]
    if all(column in columns for column in REQUIRED):
        _Table(path, columns, inventory, most).read(lines, blanks=any(blank in text for blank in _BLANKS))


class _Table:
    """Reads rows of one width; a fault that many rows share is told once, in the end."""

    def __init__(self, path: str, columns: list[str], inventory: Inventory, most: int) -> None:
        self._path = path
        self._columns = columns
        self._inventory = inventory
        self._most = most
        self._of_width: dict[int, list[int]] = {}
        self._with_blanks: list[int] = []

    def read(self, lines: Iterator[tuple[int, list[str]]], *, blanks: bool) -> None:
        """Read rows up to the end, or to one that ends all; `blanks`: whether blanks are to be looked for at all."""
        try:
            self._read(lines, blanks=blanks)
        finally:
            self._tell()

    def _read(self, lines: Iterator[tuple[int, list[str]]], *, blanks: bool) -> None:
        width, rows, path = len(self._columns), self._inventory.rows, self._path
        # A column that is not there is taken from behind the last one, where the empty string is put.
        pick = itemgetter(*(self._columns.index(column) if column in self._columns else width for column in COLUMNS))
        for line, cells in lines:
            if len(cells) != width:
                self._of_width.setdefault(len(cells), []).append(line)
                continue
            if len(rows) >= self._most:
                raise InputError([_too_long(Place(path, line))])
            stripped = self._stripped(cells, line) if blanks else cells
            stripped.append("")
            rows.append(Row._make((*pick(stripped), line, path)))

    def _stripped(self, cells: list[str], line: int) -> list[str]:
        stripped = [cell.strip(_BLANKS) for cell in cells]
        if stripped != cells:
            self._with_blanks.append(line)
        return stripped

    def _tell(self) -> None:
        for width, lines in self._of_width.items():
            what = "this row has" if len(lines) == 1 else f"{len(lines):,} rows have"
            message = f"{what} {width} {'column' if width == 1 else 'columns'} instead of {len(self._columns)}"
            hint = f"the columns are {_listed(self._columns)}; put a value with a comma in quotes"
            self._report(message, lines, hint)
        if self._with_blanks:
            count = len(self._with_blanks)
            what = (
                "a value of this row has spaces around it"
                if count == 1
                else f"{count:,} rows have spaces around values"
            )
            self._report(what, self._with_blanks, "remove them: a value begins right after its comma")

    def _report(self, message: str, lines: Sequence[int], hint: str) -> None:
        first, *others = (Place(self._path, line) for line in lines[:PLACES])
        self._inventory.problems.append(Problem(message, first, hint, tuple(others)))


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
    if separator := _other_separator(header):
        yield Problem(f"the columns are separated by {separator}", place, "separate them with commas")
        return
    columns = [column.strip(_BLANKS) for column in header]
    meant = set(columns)
    for written, column in dict(zip(header, columns, strict=True)).items():
        if column not in COLUMNS:
            near = closest(column, COLUMNS)
            meant.add(near or "")
            hint = f"did you mean `{near}`?" if near else f"the columns are {_listed(COLUMNS)}"
            yield Problem(f"unknown column {shown(written)}", place, hint)
        elif written != column:
            yield Problem(f"column {shown(written)} has spaces around its name", place, f"write `{column}`")
    for column in COLUMNS:
        if columns.count(column) > 1:
            yield Problem(f"column `{column}` stands twice", place, "remove one of the two")
    for column in REQUIRED:
        if column not in meant:
            yield Problem(f"column `{column}` is missing", place, f"the header needs {_listed(REQUIRED)}")


def _other_separator(header: list[str]) -> str | None:
    """What stands between the columns of a header that has no comma."""
    for separator, name in _SEPARATORS.items():
        parts = {part.strip() for part in header[0].split(separator)}
        if len(header) == 1 and len(parts) > 1 and parts.intersection(COLUMNS):
            return name
    return None


def _too_long(place: Place) -> Problem:
    message = f"the inventory has more than {MAX_ROWS:,} rows"
    return Problem(message, place, "that many nodes are the most that one site can have: split it into several")


def _listed(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
