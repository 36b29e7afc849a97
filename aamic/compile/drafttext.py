"""The parts of a site's text, each value quoted for where it stands."""

from __future__ import annotations

import csv
import io
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from aamic.compile.draftnodes import Entry, address_of
from aamic.compile.inventory import COLUMNS
from aamic.compile.yamlwrite import written
from aamic.model.draft import DraftNode
from aamic.model.fleet import Gpu
from aamic.templates import yaml_str

_WIDTH: Final = 118
_SIZES: Final = ((2**40, "TB", 10**6), (2**30, "GB", 10**9), (2**20, "MB", 10**9), (2**10, "KB", 10**9))
"""Bytes of a unit, its name, and the number that a site does not take any more of it."""


def comments(lines: Iterable[str]) -> list[str]:
    """Lines as comments of YAML, broken where they are long; nothing in them ends a comment."""
    return [f"# {part}".rstrip() for line in lines for part in _wrapped(_one_line(line))]


def _wrapped(line: str) -> list[str]:
    after = "  " if line.startswith("- ") else ""
    return textwrap.wrap(line, _WIDTH, subsequent_indent=after, break_on_hyphens=False, break_long_words=False) or [""]


def _one_line(text: str) -> str:
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)


def racks_lines(racks: Sequence[tuple[str, str, Entry]]) -> Iterator[str]:
    """`racks:` with an empty line before it; nothing where there are none."""
    if racks:
        yield from ("", "racks:")
    for rack, hosts, entry in racks:
        yield f"  {yaml_str(rack)}:"
        for key, value in {"nodes": hosts, **_values(entry, "addresses")}.items():
            yield f"    {key}: {written(value)}"


def nodes_lines(keys: Sequence[tuple[str, Entry]]) -> Iterator[str]:
    """`nodes:` with an empty line before it; nothing where there are none."""
    if keys:
        yield from ("", "nodes:")
    for hosts, entry in keys:
        several = "[" in hosts or "," in hosts
        yield f"  {yaml_str(hosts)}: {written(_values(entry, 'addresses' if several else 'address'))}"


def _values(entry: Entry, address_key: str) -> dict[str, Any]:
    """What an entry says, as a site has it."""
    user, port = entry.login
    said = {
        address_key: entry.addresses,
        "gpu": gpu_values(entry.gpu),
        "labels": dict(entry.labels),
        "ssh": {key: value for key, value in (("user", user), ("port", port)) if value is not None},
        "memory": size(entry.memory) if entry.memory else None,
        "threads": entry.threads,
    }
    return {key: value for key, value in said.items() if value}


def gpu_values(gpu: Gpu | None) -> Mapping[str, Any]:
    """The GPUs of a node as a site has them."""
    return {"vendor": gpu.vendor, "model": gpu.model, "count": gpu.count} if gpu else {}


def size(count: int) -> str:
    """Bytes as a site writes them, rounded down where it could not.

    >>> [size(count) for count in (2**41, 2051510 * 2**20, 1000 * 2**10 + 1)]
    ['2TB', '2051510MB', '1000KB']
    """
    for factor, unit, most in _SIZES:
        if count % factor == 0 and 0 < count // factor < most:
            return f"{count // factor}{unit}"
    factor, unit, _ = next(each for each in reversed(_SIZES) if count // each[0] < each[2])
    return f"{count // factor}{unit}" if count >= factor else f"{count}B"


def inventory_text(rows: Iterable[DraftNode]) -> str:
    """The inventory of nodes as CSV."""
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for node in rows:
        gpu = (node.gpu.vendor, node.gpu.model, node.gpu.count) if node.gpu else ("", "", "")
        table.writerow((node.name, address_of(node), node.rack or "", *gpu))
    return text.getvalue()
