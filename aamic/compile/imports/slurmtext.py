r"""The files of Slurm as lines of `Key=value`, each value with its place; includes are followed.

As Slurm reads them: `#` begins a comment, a line that ends with `\` goes on with the next, keys in any case, values in
double quotes may hold spaces (src/common/parse_config.c of SchedMD/slurm).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from aamic.compile.folder import Files
from aamic.compile.imports.secret import is_secret
from aamic.compile.text import decode, shown
from aamic.errors import InputError, Place, Problem

_COMMENT: Final = re.compile(r"(?<!\\)#.*", re.DOTALL)
_GOES_ON: Final = re.compile(r"(?<!\\)(?:\\\\)*(\\)\s*$")
_PAIR: Final = re.compile(r"\s*([A-Za-z0-9_]+)\s*[-+*/]?=\s*(?:\"([^\"]*)\"|(\S*))(?=\s|$)")
_INCLUDE: Final = re.compile(r"\s*include\s+(\S+)\s*$", re.IGNORECASE)
_DEEPEST: Final = 8
_BREAK: Final = re.compile("\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Value:
    """What stands behind a key, and where."""

    text: str
    place: Place


@dataclass(frozen=True, slots=True)
class Line:
    """A line: its keys in lower case, and where its first key stands."""

    values: Mapping[str, Value]
    place: Place

    def text(self, *keys: str) -> str | None:
        """The value of the first of these keys that the line has."""
        return next((self.values[key].text for key in keys if key in self.values), None)


class Reader:
    """Reads a file with what it includes; what cannot be read is told in `problems`, what was guessed in `notes`."""

    def __init__(self, name: str, files: Files) -> None:
        self.problems: list[Problem] = []
        self.notes: list[str] = []
        self._folder = posixpath.dirname(name)
        self._files = files
        self._chain: list[str] = []

    def lines(self, data: bytes, path: str) -> Iterator[Line]:
        """The lines of a file whose path is relative to the folder of the first one."""
        name = posixpath.join(self._folder, path)
        try:
            text = decode(data, name)
        except InputError as error:
            self.problems.extend(error.problems)
            return
        self._chain.append(path)
        for pieces in _logical(text):
            line = "".join(piece for _, piece in pieces)
            if included := _INCLUDE.match(line):
                yield from self._include(included[1], _place(name, pieces, included.start(1)))
            elif line.strip():
                yield from self._line(line, name, pieces)
        self._chain.pop()

    def _line(self, line: str, name: str, pieces: list[tuple[int, str]]) -> Iterator[Line]:
        values: dict[str, Value] = {}
        end = 0
        while match := _PAIR.match(line, end):
            text = match[2] if match[2] is not None else match[3]
            at = match.start(2) if match[2] is not None else match.start(3)
            values[match[1].lower()] = Value(text, _place(name, pieces, at))
            end = match.end()
        start = len(line) - len(line.lstrip())
        if line[end:].strip():
            at = end + len(line[end:]) - len(line[end:].lstrip())
            rest = line[at:].strip()
            # What follows a password is likely the rest of it, whose quotes are missing.
            hidden = any(map(is_secret, (*values, *rest.split())))
            message = f"{'a part of it' if hidden else shown(rest)} is neither a `Key=value` nor `Include FILE`"
            hint = "this is no file that Slurm reads; correct it, or put `#` in front"
            self.problems.append(Problem(message, _place(name, pieces, at), hint))
        if values:
            yield Line(values, _place(name, pieces, start))

    def _include(self, written: str, place: Place) -> Iterator[Line]:
        path = posixpath.normpath(self._relative(written))
        if path in self._chain or len(self._chain) > _DEEPEST:
            message, hint = f"{shown(written)} includes itself", "take the `Include` out"
            self.problems.append(Problem(message, place, hint))
            return
        try:
            data = self._files.read(path)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            hint = "copy it into the folder of the file that is imported, or take the `Include` out of a copy"
            self.problems.append(Problem(f"{shown(written)} cannot be read: {reason}", place, hint))
            return
        if written.startswith("/"):
            self.notes.append(f"`Include {written}` is read from `{posixpath.join(self._folder, path)}`")
        yield from self.lines(data, path)

    def _relative(self, written: str) -> str:
        """Where an included file stands beside the first one: of a whole path, what is below the folder of both."""
        if not written.startswith("/"):
            return written
        folder = posixpath.normpath(self._folder) + "/"
        if folder.startswith("/") and written.startswith(folder):
            return written.removeprefix(folder)
        return posixpath.basename(written)


def _logical(text: str) -> Iterator[list[tuple[int, str]]]:
    """Each line with its number, without comments; several where one goes on with the next."""
    pieces: list[tuple[int, str]] = []
    for number, line in enumerate(_BREAK.split(text), 1):
        said = _COMMENT.sub("", line)
        if more := _GOES_ON.search(said):
            pieces.append((number, said[: more.start(1)]))
            continue
        yield [*pieces, (number, said)]
        pieces = []
    if pieces:
        yield pieces


def _place(name: str, pieces: list[tuple[int, str]], offset: int) -> Place:
    for number, piece in pieces:
        if offset <= len(piece) and (offset < len(piece) or number == pieces[-1][0]):
            return Place(name, number, offset + 1)
        offset -= len(piece)
    return Place(name, pieces[-1][0])
