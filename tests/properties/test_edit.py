"""Edits of documents of every layout: what is meant changes as wanted, and no other byte does."""

from __future__ import annotations

from typing import Any

import ruamel.yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from aamic.compile.edit import Sources, append, remove, same, set_value
from aamic.compile.yamltext import KeyPath, read_yaml
from aamic.compile.yamlwrite import written
from aamic.errors import InputError

WORDS = st.sampled_from(["a", "b", "slurm", "x y", "é😀", "no", "12", "a: b", "#c", "'", '"', "-", "", "<<", "k\\"])
SCALARS = st.none() | st.booleans() | st.integers(-99, 99) | st.floats(allow_nan=False) | WORDS | st.text(max_size=6)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3), max_leaves=12
)
COMMENTS = st.sampled_from(["", "", " # why", "  # é: [", " #"])
BETWEEN = st.sampled_from(["", "", "", "\n", "# a: comment\n", "      # - far in\n\n"])


class Layout:
    """Writes a value the way some person might."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self._anchors = 0

    def any_of(self, *choices: str) -> str:
        return self._draw(st.sampled_from(choices))

    def anchor(self) -> str:
        if self.any_of("", "", "", "", "&"):
            self._anchors += 1
            return f"&n{self._anchors} "
        return ""

    def flow(self, value: Any) -> str:
        space, comma = self.any_of("", " "), self.any_of(", ", " ,  ", ",\n            ", ", # c\n            ")
        if isinstance(value, dict):
            inner = comma.join(f"{written(key)}: {self.anchor()}{self.flow(each)}" for key, each in value.items())
            return f"{{{space}{inner}{self.any_of('', ',') if inner else ''}{space}}}"
        if isinstance(value, list):
            return f"[{space}{comma.join(map(self.flow, value))}{space}]"
        return self.scalar(value)

    def scalar(self, value: Any) -> str:
        if isinstance(value, str) and "'" not in value and value.isprintable() and "\ufeff" not in value:
            return self.any_of(written(value), f"'{value}'")
        return written(value)

    def block(self, value: dict[str, Any] | list[Any], indent: int) -> str:
        entries = value.items() if isinstance(value, dict) else ((None, each) for each in value)
        return "".join(self.entry(key, each, indent) for key, each in entries)

    def entry(self, key: str | None, value: Any, indent: int) -> str:
        pad = self._draw(BETWEEN) + " " * indent
        head = f"{written(key)}{self.any_of('', ' ')}:" if key is not None else "-"
        comment = self._draw(COMMENTS)
        if isinstance(value, dict | list) and value and self.any_of("block", "flow") == "block":
            deeper = indent + int(self.any_of("1", "2", "4"))
            if key is None and self.any_of("inline", "below") == "inline":
                return f"{pad}- {self.block(value, indent + 2).lstrip(' ')}"
            anchor = self.anchor().rstrip()
            return f"{pad}{head}{' ' * bool(anchor)}{anchor}{comment}\n{self.block(value, deeper)}"
        if value is None and self.any_of("", "null") == "":
            return f"{pad}{head}{comment}\n"
        if isinstance(value, str) and value.isalpha() and value.isascii() and self.any_of("", "|"):
            return f"{pad}{head} {self.any_of('|-', '>-')}{comment}\n{' ' * (indent + 3)}{value}\n"
        return f"{pad}{head} {self.anchor()}{self.flow(value)}{comment}\n"


@st.composite
def documents(draw: st.DrawFn) -> tuple[Sources, dict[str, Any]]:
    """A site's only file, and what it says."""
    data = draw(st.dictionaries(WORDS, VALUES, min_size=1, max_size=4))
    layout = Layout(draw)
    text = layout.block(data, 0) if draw(st.booleans()) else layout.flow(data) + "\n"
    text = draw(BETWEEN) + text + draw(BETWEEN)
    if draw(st.booleans()):
        text = text.rstrip("\n")
    text = text.replace("\n", draw(st.sampled_from(["\n", "\r\n"])))
    file = read_yaml(text.encode(), "site.yaml", if_empty="")
    assume(not file.problems and same(file.data, data))
    return (file,), data


def mappings(value: Any, path: KeyPath = ()) -> list[KeyPath]:
    """The paths of all mappings."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    below = [found for step, each in inner for found in mappings(each, (*path, step))]
    return [path, *below] if isinstance(value, dict) else below


def lookup(data: Any, path: KeyPath) -> Any:
    for step in path:
        data = data[step]
    return data


def around(files: Sources, path: KeyPath) -> tuple[str, str]:
    """The text before a key, and from the next key of its mapping on."""
    text, keys = text_of(files), list(lookup(files[0].data, path[:-1]))
    lines = text.splitlines(keepends=True)

    def at(key: str) -> int:
        place = files[0].place_of_key((*path[:-1], key))
        return sum(map(len, lines[: place.line - 1])) + place.column - 1

    following = keys[keys.index(str(path[-1])) + 1 :]
    return text[: at(str(path[-1]))], text[at(following[0]) :] if following else ""


def text_of(files: Sources) -> str:
    return files[0].text


def judged(files: Sources) -> Any:
    """What another reader of YAML 1.2 makes of the text."""
    return ruamel.yaml.YAML(typ="safe", pure=True).load(text_of(files))


def is_insertion(before: str, after: str) -> bool:
    """Whether one piece of text was put in, and nothing else happened."""
    start = next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), len(before))
    return any(after[:i] == before[:i] and after.endswith(before[i:]) for i in range(start, -1, -1))


@given(documents(), st.data(), VALUES)
def test_a_new_key_is_put_in_and_can_be_taken_out(
    document: tuple[Sources, dict[str, Any]], choose: st.DataObject, value: Any
) -> None:
    files, data = document
    parent = choose.draw(st.sampled_from(mappings(data)))
    path = (*parent, "fresh")
    edited = set_value(files, path, value)

    assert is_insertion(text_of(files), text_of(edited))
    assert same(lookup(edited[0].data, path), value)
    assert judged(edited) == edited[0].data
    assert text_of(remove(edited, path)) == text_of(files)


@given(documents(), st.data(), VALUES)
def test_a_value_is_replaced_where_it_stands(
    document: tuple[Sources, dict[str, Any]], choose: st.DataObject, value: Any
) -> None:
    files, data = document
    parent = choose.draw(st.sampled_from([path for path in mappings(data) if lookup(data, path)] or [()]))
    key = choose.draw(st.sampled_from(list(lookup(data, parent))))
    edited = set_value(files, (*parent, key), value)
    before, after = around(files, (*parent, key))

    assert text_of(edited).startswith(before)
    assert text_of(edited).endswith(after)
    other = remove(files, (*parent, key))

    assert same({**lookup(data, parent), key: value}, lookup(edited[0].data, parent))
    assert same({k: v for k, v in lookup(data, parent).items() if k != key}, lookup(other[0].data, parent))
    assert set_value(edited, (*parent, key), value) is edited
    assert [judged(each) for each in (edited, other)] == [edited[0].data, other[0].data]


@given(documents(), st.data(), VALUES)
def test_an_item_is_added_and_taken_out(
    document: tuple[Sources, dict[str, Any]], choose: st.DataObject, value: Any
) -> None:
    files, data = document
    lists = [
        (*path, key) for path in mappings(data) for key, each in lookup(data, path).items() if isinstance(each, list)
    ]
    assume(lists)
    path = choose.draw(st.sampled_from(lists))
    before = lookup(data, path)
    edited = append(files, path, value)

    assert is_insertion(text_of(files), text_of(edited))
    assert same(lookup(edited[0].data, path), [*before, value])
    assert text_of(remove(edited, (*path, len(before)))) == text_of(files)


SHARED = b"""\
base: &base {x: 1, y: {z: 2}}
use: *base
merge:
  <<: *base
  own: {k: 1}
items:
- *base
- &item {q: 1}
last: *item
"""


def paths(value: Any, path: KeyPath = ()) -> list[KeyPath]:
    """The path of every value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for step, each in inner for found in ((*path, step), *paths(each, (*path, step)))]


def test_what_others_share_is_left_alone() -> None:
    """Of all edits of a document with aliases, those are made that change one place."""
    files = (read_yaml(SHARED, "site.yaml", if_empty=""),)
    whole = files[0].data
    made = []
    for path in [*paths(whole), *((*path, "fresh") for path in mappings(whole))]:
        try:
            edited = set_value(files, path, 5)
        except InputError:
            continue
        made.append(".".join(map(str, path)))
        others = {key: each for key, each in edited[0].data.items() if key != path[0]}
        assert others == {key: each for key, each in whole.items() if key != path[0]}
        assert judged(edited) == edited[0].data

    assert made == ["merge", "merge.own", "merge.own.k", "fresh", "merge.fresh", "merge.own.fresh"]
