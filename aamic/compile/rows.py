"""Inventory rows become nodes; a fault that many rows share is told once, with their number."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from heapq import nsmallest
from operator import itemgetter
from typing import Any, Final, TypeAlias, TypeVar

from pydantic import TypeAdapter, ValidationError

from aamic.compile.census import Census
from aamic.compile.expected import with_article
from aamic.compile.inventory import PLACES, Row
from aamic.compile.text import shown
from aamic.model.fleet import Gpu, Node
from aamic.model.types import Line, Name

MAX_GPUS: Final = 64

_Gpu: TypeAlias = tuple[str, str, str]
"""Vendor, model and count as written."""
_Fault: TypeAlias = tuple[str, str]
"""A message and its hint."""
_Key = TypeVar("_Key")

_SMALL: Final = re.compile("[0-9]{1,3}")
_GPU_COLUMNS: Final = ("gpu_vendor", "gpu_model", "gpu_count")
_TYPES: Final[Mapping[str, Any]] = {"rack": Name, "gpu_model": Line}


def add_rows(census: Census, rows: Sequence[Row], racks: Mapping[str, Node]) -> set[str]:
    """Take the node of each row in; `racks` say what a node of a rack of the site has. Return the racks of the rows."""
    by_rack: defaultdict[str, list[Row]] = defaultdict(list)
    by_gpu: defaultdict[_Gpu, list[Row]] = defaultdict(list)
    for row in rows:
        by_rack[row[2]].append(row)
        by_gpu[row[3:6]].append(row)
    _report(census, by_rack, lambda rack: _misfit("rack", rack))
    _report(census, by_gpu, lambda written: _gpu_faults(census, written))
    gpus = {written: _gpu(written) for written in by_gpu}
    like = {rack: racks.get(rack, Node("", "", rack or None, None, {})) for rack in by_rack}
    for row in rows:
        rack = like[row[2]]
        gpu = gpus[row[3:6]] or rack.gpu
        census.add(
            Node(row[0], row[1], rack.rack, gpu, rack.labels, ssh_user=rack.ssh_user, ssh_port=rack.ssh_port), row
        )
    return by_rack.keys() - {""}


def _gpu(written: _Gpu) -> Gpu | None:
    """The GPUs of a row, if they are given in full."""
    vendor, model, count = written
    return Gpu(vendor, model, int(count)) if vendor and model and _fits(count) else None


def _gpu_faults(census: Census, written: _Gpu) -> Iterator[_Fault]:
    vendor, model, count = written
    missing = [f"`{column}`" for column, cell in zip(_GPU_COLUMNS, written, strict=True) if not cell]
    if missing and any(written):
        what = f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'}"
        yield (
            f"the GPU is incomplete: {what} missing",
            "give `gpu_vendor`, `gpu_model` and `gpu_count`, or none of them",
        )
    if vendor and vendor not in census.vendors:
        yield census.unknown_vendor(vendor)
    if count and not _fits(count):
        yield (
            f"{shown(count)} in column `gpu_count` is not a whole number between 1 and {MAX_GPUS}",
            "write `8` for 8 GPUs",
        )
    yield from _misfit("gpu_model", model)


def _fits(count: str) -> bool:
    return _SMALL.fullmatch(count) is not None and 1 <= int(count) <= MAX_GPUS


def _misfit(column: str, cell: str) -> Iterator[_Fault]:
    """What would be wrong with a value if it stood in site.yaml."""
    validator, schema = _type(column)
    if cell and not validator(cell):
        most = schema.get("maxLength", len(cell))
        rule = schema["patternErrorMessage"] if len(cell) <= most else f"at most {most:,} characters"
        yield f"{shown(cell)} in column `{column}` is not {with_article(schema['title'])}", f"write {rule}"


@cache
def _type(column: str) -> tuple[Callable[[str], bool], dict[str, Any]]:
    """Whether a text is of the type of a column, and what the schema says of that type."""
    adapter: TypeAdapter[str] = TypeAdapter(_TYPES[column])

    def fits(cell: str) -> bool:
        try:
            adapter.validate_python(cell)
        except ValidationError:
            return False
        return True

    return fits, adapter.json_schema()


def _report(
    census: Census, groups: Mapping[_Key, Sequence[Row]], faults_of: Callable[[_Key], Iterator[_Fault]]
) -> None:
    """Report each fault of the groups once, with the rows of all groups that have it."""
    found: defaultdict[_Fault, list[Row]] = defaultdict(list)
    for key, rows in groups.items():
        for fault in faults_of(key):
            found[fault] += rows
    for (message, hint), rows in found.items():
        first, *others = (row.place for row in nsmallest(PLACES, rows, key=itemgetter(7, 6)))
        count = f", in {len(rows):,} rows" if len(rows) > 1 else ""
        census.findings.error(message + count, first, hint, tuple(others))
