r"""Lines in files of somebody else: found, put before all settings, and taken out again. Pure.

Files are read as Slurm reads them: `#` begins a comment, and a line whose rest ends with `\` goes on with the next.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from posixpath import dirname, join, normpath
from typing import Final

_COMMENT: Final = re.compile(r"(?<!\\)#.*", re.DOTALL)
_GOES_ON: Final = re.compile(r"(?<!\\)(?:\\\\)*(\\)\s*$")
_INCLUDE: Final = "include"
_CLUSTER: Final = re.compile(r"(?i)clustername\s*=\s*(\S+)")


@dataclass(frozen=True, slots=True)
class Setting:
    """What a file says in one line, or in several that belong together: its text without comments, and where it is.

    `number` counts from 1; `start` and `end` are offsets in the file.
    """

    text: str
    number: int
    start: int
    end: int


def settings(content: bytes) -> Iterator[Setting]:
    r"""What a file says, line by line; comments and empty lines say nothing.

    >>> [(each.number, each.text) for each in settings(b"# x\nA=1 # one\n\nB=2,\\\n3\n")]
    [(2, 'A=1'), (4, 'B=2,3')]
    """
    start, first, text, offset = 0, 1, "", 0
    for number, line in enumerate(content.splitlines(keepends=True), 1):
        offset += len(line)
        shown = _COMMENT.sub("", line.decode(errors="replace").rstrip("\r\n"))
        if match := _GOES_ON.search(shown):
            text += shown[: match.start(1)]
            continue
        text += shown
        if text.strip():
            yield Setting(text.strip(), first, start, offset)
        start, first, text = offset, number + 1, ""
    if text.strip():
        yield Setting(text.strip(), first, start, offset)


def plain(text: str) -> str:
    """A line as it is compared: white space does not matter, nor does the case of `Include`.

    >>> plain("  include   aamic.conf")
    'Include aamic.conf'
    """
    words = text.split()
    if words and words[0].lower() == _INCLUDE:
        words[0] = _INCLUDE.capitalize()
    return " ".join(words)


def holds(content: bytes, text: str, path: str = "") -> bool:
    r"""Whether a file says this, wherever; of a file at a `path`, in whichever words it names the same file.

    >>> holds(b"include ./aamic.conf\n", "Include aamic.conf"), holds(b"A=1\n", "Include aamic.conf")
    (False, False)
    >>> holds(b"include /etc/slurm/./aamic.conf\n", "Include aamic.conf", "/etc/slurm/slurm.conf")
    True
    """
    found = list(settings(content))
    if not path:
        return any(plain(each.text) == plain(text) for each in found)
    names = (_CLUSTER.fullmatch(each.text) for each in found)
    cluster = next((name[1].lower() for name in names if name), "")
    return any(_resolved(each.text, path, cluster) == _resolved(text, path, cluster) for each in found)


def _resolved(text: str, path: str, cluster: str) -> str:
    """A line with the whole path of the file that it includes, as Slurm finds it; `%c` is the name of the cluster."""
    keyword, _, name = plain(text).partition(" ")
    if keyword.lower() != _INCLUDE:
        return plain(text)
    return f"{keyword} {normpath(join(dirname(path), name.replace('%c', cluster)))}"


def with_lines(content: bytes, wanted: Iterable[str], unwanted: Collection[str] = ()) -> bytes:
    r"""The file with every wanted line, and without the others; what it holds already stays where it stands.

    >>> with_lines(b"# ours\nA=1\n", ["Include x.conf"])
    b'# ours\nInclude x.conf\nA=1\n'
    >>> with_lines(b"# ours\nInclude x.conf\nA=1\n", [], ["Include x.conf"])
    b'# ours\nA=1\n'
    """
    gone = {plain(text) for text in unwanted}
    for each in reversed(list(settings(content))):
        if plain(each.text) in gone:
            content = content[: each.start] + content[each.end :]
    missing = [text for text in dict.fromkeys(wanted) if not holds(content, text)]
    place = _place(content)
    return content[:place] + "".join(f"{text}\n" for text in missing).encode() + content[place:]


def _place(content: bytes) -> int:
    """Behind the comments at the top of a file, but for one without a line end."""
    place = 0
    for line in content.splitlines(keepends=True):
        if (line.strip() and not line.lstrip().startswith(b"#")) or not line.endswith(b"\n"):
            break
        place += len(line)
    return place
