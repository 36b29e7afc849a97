"""Any YAML or JSON file as plain values, and where each of them stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aamic.compile.text import decode
from aamic.compile.yamlfault import place_of
from aamic.compile.yamlreader import Converter
from aamic.errors import InputError, Place, Problem


@dataclass(frozen=True)
class Placed:
    """What a file says, whatever it is; with problems, `data` is what could be read nevertheless."""

    name: str
    data: Any
    problems: tuple[Problem, ...] = ()

    def place(self, path: Sequence[str | int]) -> Place:
        """Where the value at a path stands; of a key, where the key stands."""
        node = self.data
        mark = getattr(node, "start", None)
        for step in path:
            if not hasattr(node, "at") or step not in (range(len(node)) if isinstance(node, list) else node):
                break
            mark = node.at[step][0]
            node = node[step]
        return place_of(mark, self.name) if mark is not None else Place(self.name, 1)


def read_placed(data: bytes, name: str) -> Placed:
    """What a file says, with everything that is wrong with its text."""
    try:
        converter = Converter(decode(data, name), name, placed=True).run()
    except InputError as error:
        return Placed(name, None, error.problems)
    return Placed(name, converter.root, tuple(converter.problems))
