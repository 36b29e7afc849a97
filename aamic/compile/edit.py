"""A site's text with single values changed, and every other byte as it was.

Writing a parsed document anew keeps comments, but not all quotes, indents and line ends. So the places of values are
used to cut new text into the old; then the result is read again, and must mean what was wanted and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aamic.compile.fault import dotted
from aamic.compile.splice import Splice, added, added_list, applied, removed, replaced
from aamic.compile.text import shown
from aamic.compile.yamlnodes import Entry, Node, nodes_of
from aamic.compile.yamltext import KeyPath, YamlFile, read_yaml
from aamic.compile.yamlwrite import written
from aamic.errors import InputError, Place, Problem

Sources = tuple[YamlFile, ...]
"""The files of a site, as `Document.files` holds them."""


def set_value(files: Sources, path: KeyPath, value: Any) -> Sources:
    """Return the files with a value at `path`, in the file that has most of the path; missing mappings are made.

    >>> site = read_yaml(b"slurm: {controller: ctl}  # ours", "site.yaml", if_empty="")
    >>> set_value((site,), ("slurm", "pre_job_check"), True)[0].text
    'slurm: {controller: ctl, pre_job_check: true}  # ours'

    Raises:
        InputError: It cannot be done without touching something else; the problem says what to write by hand.
    """
    return _Edit(files, path, f"write {_snippet(path, value)} by hand").set(value)


def append(files: Sources, path: KeyPath, value: Any) -> Sources:
    """Return the files with a further item in the list at `path`, which is made where it is missing."""
    return _Edit(files, path, f"add {shown(written(value), 500)} by hand").append(value)


def remove(files: Sources, path: KeyPath) -> Sources:
    """Return the files without the key or item at `path`; as they are where there is none."""
    return _Edit(files, path, f"remove {dotted(path)} by hand").remove()


def changed(before: Sources, after: Sources) -> Sources:
    """Return the files of `after` whose text differs."""
    return tuple(new for old, new in zip(before, after, strict=True) if old.text != new.text)


def _snippet(path: KeyPath, value: Any) -> str:
    keys, nested = [key for key in path if isinstance(key, str)], value
    for key in reversed(keys[1:]):
        nested = {key: nested}
    return shown(written({keys[0]: nested} if keys else nested)[1:-1], 500)


@dataclass(frozen=True, slots=True)
class _Found:
    """How far a path leads: the value it ends at, the entry that holds it, and the steps that are not there."""

    node: Node
    entry: Entry | None
    holder: Node | None
    missing: KeyPath


class _Edit:
    """One change of one file."""

    def __init__(self, files: Sources, path: KeyPath, hint: str) -> None:
        self._files = files
        self._path = path
        self._hint = hint
        self._file = max(files, key=lambda file: file.depth(path))
        if self._file.problems:
            raise InputError(self._file.problems)
        self._root = nodes_of(self._file.text)
        self._aliases = {node.name for node in self._root.below() if node.kind == "alias"}

    def set(self, value: Any) -> Sources:
        if self._is_there() and same(self._value(), value):
            return self._files
        found = self._find()
        node, nested = found.node, value
        for step in reversed(found.missing[1:]):
            nested = {step: nested}
        intended = _with(self._file.data, self._path, value)
        if found.missing and node.kind == "map":
            key = str(found.missing[0])
            return self._done(added(self._file.text, node, written(nested), key), intended)
        self._refuse_anchors(node)
        new = {found.missing[0]: nested} if found.missing else nested
        return self._done(replaced(self._file.text, found.entry, node, written(new)), intended)

    def append(self, value: Any) -> Sources:
        if not self._is_there():
            return self._make_list(value)
        if self._value() is None:
            return self.set([value])
        node = self._find().node
        if node.kind != "list":
            raise self._refusal(f"{dotted(self._path)} is not a list", node)
        intended = _with(self._file.data, (*self._path, len(node.entries)), value)
        return self._done(added(self._file.text, node, written(value), None), intended)

    def _make_list(self, value: Any) -> Sources:
        found = self._find()
        if found.node.kind != "map" or len(found.missing) > 1:
            return self.set([value])
        splices = added_list(self._file.text, found.node, written(value), str(found.missing[0]))
        return self._done(splices, _with(self._file.data, self._path, [value]))

    def remove(self) -> Sources:
        if not self._is_there():
            return self._files
        found, above = self._find(), self._find(self._path[:-1]).entry
        self._refuse_anchors(found.node)
        entry, holder = found.entry, found.holder
        if entry is None or holder is None:
            raise self._refusal("the whole site cannot be removed", found.node)
        return self._done(removed(self._file.text, above, holder, entry), _without(self._file.data, self._path))

    # Where

    def _is_there(self) -> bool:
        return self._file.depth(self._path) == len(self._path)

    def _value(self) -> Any:
        value: Any = self._file.data
        for step in self._path:
            value = value[step]
        return value

    def _find(self, path: KeyPath | None = None) -> _Found:
        path = self._path if path is None else path
        node, entry, holder = self._root, None, None
        for done, step in enumerate(path):
            self._refuse_shared(node, path[:done])
            following = _entry(node, step)
            if following is None:
                self._refuse_foreign(node, path[: done + 1])
                return _Found(node, entry, holder, path[done:])
            entry, holder, node = following, node, following.value
        self._refuse_shared(node, path)
        return _Found(node, entry, holder, ())

    def _refuse_shared(self, node: Node, path: KeyPath) -> None:
        if node.kind == "alias":
            raise self._refusal(f"{dotted(path)} is the alias {shown(f'*{node.name}')}, which others may share", node)
        if node.name in self._aliases and node.name is not None:
            raise self._refusal(f"{dotted(path)} is shared by its anchor {shown(f'&{node.name}')}", node)

    def _refuse_foreign(self, node: Node, path: KeyPath) -> None:
        """Refuse a step that leads nowhere in the text: its value comes by `<<`, or cannot be there."""
        if self._file.depth(path) == len(path):
            raise self._refusal(f"{dotted(path)} comes from elsewhere, by an alias", node)
        empty = node.kind == "scalar" and (node.text in ("", "~", "null") or node.empty)
        if not isinstance(path[-1], str) or (node.kind != "map" and not empty):
            raise self._refusal(f"{dotted(path[:-1])} holds no keys", node)

    def _refuse_anchors(self, node: Node) -> None:
        for below in node.below():
            if below.kind != "alias" and below.name in self._aliases and below.name is not None:
                raise self._refusal(f"{dotted(self._path)} holds the anchor {shown(f'&{below.name}')}", below)

    def _refusal(self, message: str, node: Node) -> InputError:
        before = self._file.text[: node.start].replace("\r\n", "\n").replace("\r", "\n").split("\n")
        place = Place(self._file.name, len(before), len(before[-1]) + 1)
        return InputError([Problem(f"cannot edit: {message}", place, self._hint)])

    # The change

    def _done(self, splices: list[Splice], intended: Any) -> Sources:
        """The files with the splices made, if the result means what is intended."""
        text = applied(self._file.text, splices)
        file = read_yaml(text.encode(), self._file.name, if_empty="")
        if file.problems or not same(file.data, intended):
            message = f"cannot edit: {dotted(self._path)} cannot be changed without changing more"
            raise InputError([Problem(message, self._file.place(self._path), self._hint)])
        return tuple(file if each is self._file else each for each in self._files)


def _entry(node: Node, step: str | int) -> Entry | None:
    """The entry of a mapping or list that a step leads to, if its text has one."""
    if isinstance(step, int):
        return node.entries[step] if node.kind == "list" and 0 <= step < len(node.entries) else None
    keys = (entry for entry in node.entries if entry.key and entry.key.kind == "scalar")
    return next((entry for entry in keys if entry.key and entry.key.text == step), None)


def _with(data: Any, path: KeyPath, value: Any) -> Any:
    """Plain values with the one at `path` set; `data` stays as it is, and mappings that are missing are made."""
    if not path:
        return value
    step, *rest = path
    if isinstance(data, list) and isinstance(step, int):
        inner = data[step] if step < len(data) else None
        return [*data[:step], _with(inner, tuple(rest), value), *data[step + 1 :]]
    data = data or {}
    return data | {step: _with(data.get(step), tuple(rest), value)}


def _without(data: Any, path: KeyPath) -> Any:
    """Plain values without the one at `path`; `data` stays as it is."""
    step, *rest = path
    copy: Any = dict(data) if isinstance(data, dict) else list(data)
    if rest:
        copy[step] = _without(data[step], tuple(rest))
    else:
        del copy[step]
    return copy


def same(one: Any, other: Any) -> bool:
    """Whether two plain values are the same, of the same types; the order of keys has no meaning."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other or (one != one and other != other))  # noqa: PLR0124  # of floats, only nan differs from itself
