"""Text to Document: the site's YAML with its includes merged in, and its inventory."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from aamic.compile.certificates import Certificates, read_certificates
from aamic.compile.collector import collector_paused
from aamic.compile.folder import Files, Folder, Overlaid, read_file
from aamic.compile.inventory import MAX_ROWS, Row, read_inventory
from aamic.compile.text import shown
from aamic.compile.yamltext import KeyPath, YamlFile, read_yaml
from aamic.errors import InputError, Place, Problem

MAX_CHAIN = 50

_GLOB: Final = frozenset("*?[")
_EXAMPLES: Final = {"include": "include: [racks/*.yaml]", "inventory": "inventory: nodes.csv"}


@dataclass(frozen=True)
class Document:
    """What the user wrote, as plain values, and where it stands.

    Attributes:
        problems: What is wrong with the text. `data` then lacks the values concerned.
        whole: Whether every file was found and read to its end, so that what is missing in `data` was not written.
        gaps: Keys of which more was written than could be read.
        sources: The bytes of every file that was read, by path below the site's folder, the main file first.
        certificates: Those among them that are PEM, and what is wrong with others.
    """

    name: str
    data: dict[str, Any]
    inventory: tuple[Row, ...]
    files: tuple[YamlFile, ...] = field(repr=False)
    problems: tuple[Problem, ...] = ()
    whole: bool = True
    gaps: frozenset[KeyPath] = frozenset()
    sources: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    certificates: Certificates = field(default_factory=Certificates, repr=False)

    def place(self, path: KeyPath) -> Place:
        """Return where the value at `path` stands, or its nearest ancestor if there is none."""
        return self._file(path).place(path)

    def place_of_key(self, path: KeyPath) -> Place:
        """Return where the last key of `path` stands, or what `place` returns if there is none."""
        return self._file(path).place_of_key(path)

    def _file(self, path: KeyPath) -> YamlFile:
        return _deepest(self.files, path)


def load(path: Path, instead: Mapping[str, bytes] | None = None) -> Document:
    """Read a site with everything it includes; what is wrong with the text stands in its `problems`.

    A file whose name is in `instead`, as `Document.files` names it, is taken from there.

    Raises:
        InputError: The main file cannot be read at all.
    """
    instead = instead or {}
    try:
        text = instead[path.as_posix()] if path.as_posix() in instead else read_file(path)
    except (OSError, ValueError) as error:
        hint = "run `aamic init`, or name the site with `--site`" if isinstance(error, FileNotFoundError) else None
        raise InputError([Problem(f"{shown(str(path))} cannot be read: {_reason(error)}", None, hint)]) from None
    folder, above = Folder(path.parent), posixpath.dirname(path.as_posix())
    return parse(
        text,
        path.as_posix(),
        Overlaid(folder, {posixpath.relpath(name, above or "."): instead[name] for name in instead}),
    )


@collector_paused()
def parse(text: bytes, name: str, files: Files) -> Document:
    """Return the site whose main file has this text; `files` holds what it includes."""
    reading = _Reading(name, files)
    reading.add(text, posixpath.basename(name), ())
    sources = tuple(reading.sources.values())
    merged = reading.merge([(file, _contribution(file, sources[0])) for file in sources], ())
    data = {key: value for key, value in merged.items() if key not in reading.unnamed}
    folder = posixpath.dirname(name)
    certificates = read_certificates(data, files, folder, lambda path: _deepest(sources, path).place(path))
    problems = tuple(sorted(reading.problems, key=lambda problem: problem.place or Place(name, 0)))
    whole = reading.complete and all(file.whole for file in sources)
    gaps = frozenset({("inventory",)} if reading.rows_missing else ())
    texts = {**reading.texts, **certificates.files}
    return Document(name, data, tuple(reading.rows), sources, problems, whole, gaps, texts, certificates)


def _deepest(files: tuple[YamlFile, ...], path: KeyPath) -> YamlFile:
    """The file that says most of a path."""
    return max(files, key=lambda file: file.depth(path))


class _Reference(NamedTuple):
    """A file or glob that a site's file names; `path` is relative to the site's folder."""

    file: YamlFile
    step: KeyPath
    written: str
    path: str

    @property
    def place(self) -> Place:
        return self.file.place(self.step)


class _Reading:
    """The files of one site as they are found, depth first, each read once."""

    def __init__(self, name: str, files: Files) -> None:
        self.sources: dict[str, YamlFile] = {}
        self.texts: dict[str, bytes] = {}
        self.inventories: list[str] = []
        self.rows: list[Row] = []
        self.problems: list[Problem] = []
        self.complete = True
        self.rows_missing = False
        self.unnamed: set[str] = set()
        self._folder, self._main = posixpath.split(name)
        self._files = files

    def add(self, text: bytes, path: str, chain: tuple[str, ...]) -> None:
        """Read one file, which the last of `chain` includes, and what it names."""
        hint = "delete it, or write `{}` if that is meant" if chain else "run `aamic init` for a site to begin with"
        file = read_yaml(text, self._name(path), if_empty=hint)
        self.sources[path], self.texts[path] = file, text
        self.problems += file.problems
        for reference in self._references(file, path, "include"):
            for target in self._matches(reference):
                self._include(target, reference, (*chain, path))
        for reference in self._references(file, path, "inventory"):
            self._take_inventory(reference)

    def merge(self, parts: list[tuple[YamlFile, Any]], path: KeyPath) -> Any:
        """Return mappings of several files as one; the same key twice is a problem unless both are mappings."""
        if len(parts) == 1:
            return parts[0][1]
        found: dict[str, list[tuple[YamlFile, Any]]] = {}
        for file, mapping in parts:
            for key, value in mapping.items():
                found.setdefault(key, []).append((file, value))
        return {key: self._merge_key(values, (*path, key)) for key, values in found.items()}

    def _merge_key(self, values: list[tuple[YamlFile, Any]], path: KeyPath) -> Any:
        if len(values) == 1:
            return values[0][1]
        if all(isinstance(value, dict) for _, value in values):
            return self.merge(values, path)
        first, second, *others = (file.place_of_key(path) for file, _ in values)
        message = f"key {shown('.'.join(map(str, path)))} stands in two files"
        self.problems.append(Problem(message, second, "keep one of the two", (first, *others)))
        return values[0][1]

    def _references(self, file: YamlFile, path: str, key: str) -> Iterator[_Reference]:
        """Yield the files that `include` or `inventory` of a file name; report those that nobody may name."""
        value = file.data.get(key, [])
        alone = key == "inventory" and isinstance(value, str)
        if not alone and not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
            if path != self._main:
                self._report(f"`{key}` does not name files", file.place((key,)), f"write `{_EXAMPLES[key]}`")
            return  # of the main file, the model says it
        for index, written in enumerate([value] if alone else value):
            if not written:
                self.unnamed.add(key)
                where = file.place((key,) if alone else (key, index))
                self._report(f"`{key}` holds an empty file name", where, f"write `{_EXAMPLES[key]}`, or remove it")
                continue
            target = posixpath.normpath(posixpath.join(posixpath.dirname(path), written))
            reference = _Reference(file, (key,) if alone else (key, index), written, target)
            if posixpath.isabs(written) or target.split("/")[0] == "..":
                self.complete = self.complete and key == "inventory"
                self.rows_missing |= key == "inventory"
            if posixpath.isabs(written):
                hint = f"write it relative to the folder of `{file.name}`"
                self._report(f"{shown(written)} is an absolute path", reference.place, hint)
            elif target.split("/")[0] == "..":
                hint = f"move it there, and name it relative to `{file.name}`"
                self._report(f"{shown(written)} lies outside the folder of the site", reference.place, hint)
            else:
                yield reference

    def _matches(self, reference: _Reference) -> list[str]:
        if _GLOB.isdisjoint(reference.path):
            return [reference.path]
        try:
            matches = self._files.match(reference.path)
        except (OSError, ValueError):
            self._report(f"{shown(reference.written)} is no glob", reference.place, "an example: `racks/*.yaml`")
            self.complete = False
            return []
        if not matches:
            hint = f"globs are relative to the folder of `{reference.file.name}`; remove it if it is not needed"
            self._report(f"{shown(reference.written)} matches no file", reference.place, hint)
            self.complete = False
        return matches

    def _include(self, target: str, reference: _Reference, chain: tuple[str, ...]) -> None:
        if target in chain:
            loop = " → ".join(f"`{self._name(path)}`" for path in (*chain[chain.index(target) :], target))
            self._report(f"includes form a loop: {loop}", reference.place, "remove one of them, or narrow the glob")
        elif target not in self.sources:
            if len(chain) == MAX_CHAIN:
                hint = "include the file from the main file"
                self._report(f"includes are nested deeper than {MAX_CHAIN} files", reference.place, hint)
            elif (text := self._read(target, reference)) is not None:
                self.add(text, target, chain)
            else:
                self.complete = False

    def _take_inventory(self, reference: _Reference) -> None:
        name = self._name(reference.path)
        if name in self.inventories:
            return
        self.inventories.append(name)
        data = self._read(reference.path, reference)
        if data is None:
            self.rows_missing = True
            return
        self.texts[reference.path] = data
        inventory = read_inventory(data, name, MAX_ROWS - len(self.rows))
        self.rows += inventory.rows
        self.problems += inventory.problems
        self.rows_missing |= bool(inventory.problems)

    def _read(self, path: str, reference: _Reference) -> bytes | None:
        try:
            return self._files.read(path)
        except (OSError, ValueError) as error:
            hint = f"paths are relative to the folder of `{reference.file.name}`"
            if isinstance(error, FileNotFoundError) and _GLOB.intersection(path):
                hint = "globs work for `include` only: list the files, `inventory: [a.csv, b.csv]`"
            self._report(f"{shown(self._name(path))} cannot be read: {_reason(error)}", reference.place, hint)
            return None

    def _name(self, path: str) -> str:
        """Return a path as the user would write it, seen from where the command runs."""
        return posixpath.join(self._folder, path)

    def _report(self, message: str, place: Place, hint: str) -> None:
        self.problems.append(Problem(message, place, hint))


def _contribution(file: YamlFile, main: YamlFile) -> dict[str, Any]:
    """Return what a file adds to the site; of `include` and `inventory`, the main file's stay."""
    if file is main:
        return file.data
    return {key: value for key, value in file.data.items() if key not in {"include", "inventory"}}


def _reason(error: Exception) -> str:
    reason = getattr(error, "strerror", None) or str(error)
    return reason[:1].lower() + reason[1:]
