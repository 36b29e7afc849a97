"""Bytes of the user's files as text, refused where they cannot be shown or counted reliably."""

from __future__ import annotations

import codecs
import re

from aamic.errors import InputError, Place, Problem

# Longest first: the mark of UTF-32 begins with that of UTF-16.
_OTHER_ENCODINGS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)

# What YAML 1.2 calls printable, less the Unicode line breaks: libyaml ends a line there, YAML 1.2 does not.
_UNFIT = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_LINE_BREAK = re.compile("\r\n|\r|\n")


def decode(data: bytes, name: str) -> str:
    """Return the text of a file in UTF-8, without its byte order mark.

    Raises:
        InputError: The bytes are not UTF-8, or hold a character that no text file needs.
    """
    for mark, encoding in _OTHER_ENCODINGS:
        if data.startswith(mark):
            message = f"{shown(name)} is encoded as {encoding}"
            raise InputError([Problem(message, Place(name, 1), "save it as UTF-8")])
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        message = f"byte 0x{data[error.start]:02x} is not UTF-8"
        place = _end_of(data[: error.start].decode(), name)
        raise InputError([Problem(message, place, "save the file as UTF-8")]) from None
    if unfit := _UNFIT.search(text):
        message = f"character U+{ord(unfit[0]):04X} is not allowed"
        place = _end_of(text[: unfit.start()], name)
        raise InputError([Problem(message, place, _hint_on(unfit[0]))])
    return text


def shown(text: str, limit: int = 60) -> str:
    r"""Return user text as a message may quote it: in backticks, on one line, and not too long.

    >>> shown("gpu\n01")
    '`gpu\\n01`'
    """
    short = text if len(text) <= limit else text[: limit - 1] + "…"
    return "`" + "".join(c if c.isprintable() else repr(c)[1:-1] for c in short) + "`"


def _end_of(before: str, name: str) -> Place:
    lines = _LINE_BREAK.split(before)
    return Place(name, len(lines), len(lines[-1]) + 1)


def _hint_on(character: str) -> str:
    if character == "\0":
        return "this looks like a binary file, or UTF-16; save it as UTF-8"
    return "remove it; YAML text in double quotes can write it as an escape"
