from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import pytest
import ruamel.yaml
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from aamic.compile import yamlparser
from aamic.compile.inventory import COLUMNS, read_inventory
from aamic.compile.parse import parse
from aamic.compile.suggest import closest
from aamic.errors import Place

TRICKY = st.sampled_from(
    ["", "no", "1:20", "012", "<<", "~", "true", "0x1f", "- a", "a: b", "#", "'", "é😀", "a\nb", "*x"]
)
TEXT = TRICKY | st.text(st.characters(codec="utf-8"), max_size=12)
SCALARS = st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False) | TEXT
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=15
)
RESERVED = {"include", "inventory"}
SITES = st.dictionaries(TEXT.filter(lambda key: key not in RESERVED), VALUES, max_size=5)
STYLES = st.fixed_dictionaries(
    {"default_flow_style": st.sampled_from([True, False, None]), "allow_unicode": st.booleans()}
)


class Memory:
    """A folder in memory."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self._files = files

    def read(self, path: str) -> bytes:
        if path not in self._files:
            raise FileNotFoundError(2, "No such file or directory")
        return self._files[path]

    def match(self, pattern: str) -> list[str]:
        return sorted(path for path in self._files if path.endswith(pattern.rpartition("*")[2]))


NOTHING = Memory({})


class Dumper(yaml.SafeDumper):
    """Quotes what YAML 1.2 would take for something else than text, and marks floats as such."""


def _text(dumper: Dumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')


def _float(dumper: Dumper, number: float) -> yaml.Node:
    written = {float("inf"): ".inf", float("-inf"): "-.inf"}.get(number, repr(number))
    return dumper.represent_scalar("tag:yaml.org,2002:float", written)


Dumper.add_representer(str, _text)
Dumper.add_representer(float, _float)


def dump(value: Any, **style: Any) -> bytes:
    text: str = yaml.dump(value, Dumper=Dumper, sort_keys=False, **style)
    return text.encode()


@given(SITES, STYLES)
def test_what_was_dumped_is_read_back(value: dict[str, Any], style: dict[str, Any]) -> None:
    data = parse(dump(value, **style), "site.yaml", NOTHING).data
    assert value == data
    assert repr(value) == repr(data)


@given(SITES, st.lists(st.integers(0, 3), min_size=5, max_size=5))
def test_a_site_reads_the_same_when_it_is_split_over_files(value: dict[str, Any], homes: list[int]) -> None:
    names = ["site.yaml", "a.yaml", "b.yaml", "c.yaml"]
    parts: dict[str, dict[str, Any]] = {name: {} for name in names}
    for (key, item), home in zip(value.items(), homes, strict=False):
        parts[names[home]][key] = item
    parts["site.yaml"]["include"] = ["a.yaml", "b.yaml"]
    parts["b.yaml"]["include"] = ["c.yaml"]
    files = Memory({name: dump(part) for name, part in parts.items()})
    data = parse(files.read("site.yaml"), "site.yaml", files).data
    assert {**value, "include": ["a.yaml", "b.yaml"]} == data


LABELS = st.text("ab1 é", max_size=5)
NESTED = st.recursive(LABELS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(LABELS, inner, max_size=3))


def paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Yield each path with the value there."""
    steps: dict[Any, Any] = value if isinstance(value, dict) else {}
    steps = dict(enumerate(value)) if isinstance(value, list) else steps
    for step, inner in steps.items():
        yield (*path, step), inner
        yield from paths(inner, (*path, step))


@given(st.dictionaries(LABELS, NESTED, max_size=4), STYLES)
def test_places_point_at_the_text_of_keys_and_values(value: dict[str, Any], style: dict[str, Any]) -> None:
    text = dump(value, **{**style, "allow_unicode": True}, width=float("inf"))
    document = parse(text, "site.yaml", NOTHING)

    def at(place: Place) -> str:
        return text.decode().splitlines()[place.line - 1][place.column - 1 :]

    for path, inner in paths(value):
        if isinstance(path[-1], str):
            assert at(document.place_of_key(path)).startswith(f'"{path[-1]}"')
        if isinstance(inner, str):
            assert at(document.place(path)).startswith(f'"{inner}"')


YAML_LIKE = st.text("ab1:-[]{}&*!|>'\"%@`#,? \t\n<~.\\xU\x00é", max_size=40).map(str.encode) | st.sampled_from(
    [b"include: [a.yaml]\n", b"inventory: n.csv\n", b"<<: {a: 1}\n", b"a: &a\n", b"- *a\n", b"name,address\n", b'"']
)
BYTES = st.binary(max_size=40) | st.lists(YAML_LIKE, max_size=5).map(b"".join)
PATHS = st.lists(LABELS | st.integers(-2, 3), max_size=3).map(tuple)


def outcome(main: bytes, files: Memory) -> Any:
    """Return the data, or None if something is wrong with it, as bad input should be told."""
    document = parse(main, "site.yaml", files)
    places = [problem.place for problem in document.problems]
    assert all(place is not None and place.line > 0 and place.column > 0 for place in places)
    assert document.whole or places
    return None if places else document.data


@settings(max_examples=400)
@given(BYTES, BYTES, BYTES)
def test_bad_input_is_told_and_never_crashes(main: bytes, included: bytes, rows: bytes) -> None:
    files = Memory({"site.yaml": main, "a.yaml": included, "n.csv": rows})
    whole = b"include: ['*.yaml']\ninventory: n.csv\n" + main
    outcomes = [outcome(main, files), outcome(whole, files)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yamlparser, "CParser", None)
        for expected, text in zip(outcomes, (main, whole), strict=True):
            without_libyaml = outcome(text, files)
            assert expected is None or without_libyaml is None or repr(expected) == repr(without_libyaml)


@given(BYTES, PATHS)
def test_any_path_has_a_place(main: bytes, path: tuple[str | int, ...]) -> None:
    document = parse(main, "site.yaml", NOTHING)
    assert "site.yaml" == document.place(path).path == document.place_of_key(path).path


WORDS = st.from_regex(r"(?!\d{4}-)(?![-+]0[ox])[0-9.eE+:tunxoXaINFlLs~-]{1,8}(?<!:)", fullmatch=True) | st.sampled_from(
    ["true", "False", "null", "Null", "~", ".inf", "-.INF", ".NaN", "0o17", "0xfF", "no", "on", "1:20", "012"]
)


@given(st.lists(WORDS, max_size=5))
def test_unquoted_words_mean_what_they_mean_to_another_reader_of_yaml_1_2(words: list[str]) -> None:
    """Leaves out what ruamel.yaml reads beyond the core schema: dates, `1_000`, `0b1`, signs before `0x`."""
    text = "words:\n" + "".join(f"- {word}\n" for word in words)
    try:
        expected = ruamel.yaml.YAML(typ="safe", pure=True).load(text)
    except (ruamel.yaml.error.YAMLError, ValueError):
        return
    assert repr(expected or {}) == repr(parse(text.encode(), "site.yaml", NOTHING).data)


CELLS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters="\ufeff"), max_size=8)


@given(st.permutations(COLUMNS), st.lists(st.lists(CELLS, min_size=6, max_size=6), max_size=5))
def test_an_inventory_is_read_as_it_was_written(columns: list[str], rows: list[list[str]]) -> None:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([columns, *rows])
    read = read_inventory(text.getvalue().encode(), "n.csv")
    stripped = [[cell.strip(" ") for cell in row] for row in rows]
    assert stripped == [[getattr(row, column) for column in columns] for row in read.rows]
    assert [*range(2, len(rows) + 2)] == [row.line for row in read.rows]
    assert bool(read.problems) == (stripped != rows)


@given(st.lists(st.text(min_size=1), min_size=1), st.data())
def test_a_known_name_is_its_own_nearest(known: list[str], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(known))
    nearest = closest(name, known)
    assert nearest is not None
    assert name.casefold() == nearest.casefold()
