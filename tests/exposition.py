"""Reads exposition text strictly, and has the real promtool read it too."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from typing import NamedTuple

_LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:\\[\\"n]|[^\\"\n])*"'
_LINE = re.compile(rf"(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{{(?P<labels>{_LABEL}(?:,{_LABEL})*)\}})? (?P<value>\S+)")
_PAIR = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:\\.|[^\\"])*)"')
_LINTED_ONLY = 3


class Series(NamedTuple):
    name: str
    labels: Mapping[str, str]
    value: float


class Exposition(NamedTuple):
    series: tuple[Series, ...]
    types: Mapping[str, str]

    def named(self, name: str) -> list[Series]:
        return [series for series in self.series if series.name == name]


def read(text: str) -> Exposition:
    """Read exposition text: every line in place, no series twice, promtool agrees on the syntax."""
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert done.returncode in (0, _LINTED_ONLY), done.stderr
    types: dict[str, str] = {}
    series: list[Series] = []
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            name, kind = line.removeprefix("# TYPE ").split(" ")
            assert name not in types, line
            types[name] = kind
        elif not line.startswith("# HELP "):
            match = _LINE.fullmatch(line)
            assert match, line
            assert next(reversed(types), "") in (match["name"], re.sub("_(sum|count|bucket)$", "", match["name"])), line
            series.append(Series(match["name"], dict(_PAIR.findall(match["labels"] or "")), float(match["value"])))
    assert len(series) == len({(one.name, tuple(sorted(one.labels.items()))) for one in series})
    return Exposition(tuple(series), types)
