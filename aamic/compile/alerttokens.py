"""The words of Go's text/template, in which the texts of an alert are written."""

from __future__ import annotations

import math
import re
from collections.abc import Generator, Iterator
from typing import Final, NamedTuple

from aamic.compile.text import shown


class TemplateError(ValueError):
    """The text is no template; the message says why, in one line, and `hint` what to write instead."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class Token(NamedTuple):
    """One word. `apart`: it comes after a space.

    `kind` is the word itself for braces, parentheses, `|`, `:=`, `=` and `,`, else one of text, variable, field, dot,
    function, keyword, literal, and end, which is the last.
    """

    kind: str
    text: str
    apart: bool = False


END: Final = Token("end", "")
_SPACE: Final = " \t\r\n"
_KEYWORDS: Final = frozenset({"block", "break", "continue", "define", "else", "end", "if", "range", "template", "with"})
_CONSTANTS: Final = frozenset({"nil", "true", "false"})
_AFTER_A_NAME: Final = frozenset(f"{_SPACE}.,|:()}}")

_HEX: Final = "[0-9a-fA-F]"
_NUMBER: Final = (
    rf"[+-]?(?:0[xX](?:{_HEX}|_)*(?:\.(?:{_HEX}|_)*)?(?:[pP][+-]?[0-9_]*)?|0[oO][0-7_]*(?:\.[0-7_]*)?"
    r"|0[bB][01_]*(?:\.[01_]*)?|[0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9_]*)?)i?"
)
_TOKEN: Final = re.compile(
    rf"""
    (?P<close>[{_SPACE}]+-\}}\}}|\}}\}})
  | (?P<space>[{_SPACE}]+)
  | (?P<literal>"(?:\\[^\n]|[^"\\\n])*" | `[^`]*` | '(?:\\[^\n]|[^'\\\n])*')
  | (?P<number>(?=[+-]|\.?[0-9]){_NUMBER}(?:(?=[+-]){_NUMBER})?)
  | (?P<name>[$.]\w* | \w+)
  | (?P<sign>:=|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_CLOSE: Final = re.compile(rf"[{_SPACE}]-\}}\}}|\}}\}}")
_ESCAPE: Final = (
    rf"\\(?:[abfnrtv\\]|x{_HEX}{{2}}|[0-3][0-7]{{2}}|u(?![dD][89a-fA-F]){_HEX}{{4}}"
    rf"|U(?:0000(?![dD][89a-fA-F])|000[1-9a-fA-F]|0010){_HEX}{{4}})"
)
_STRING: Final = re.compile(rf'"(?:[^"\\]|\\"|{_ESCAPE})*"|`[^`]*`')
_CHARACTER: Final = re.compile(rf"'(?:[^'\\]|\\'|{_ESCAPE})'")
_DECIMALS: Final = "[0-9](?:_?[0-9])*"
_HEXES: Final = f"{_HEX}(?:_?{_HEX})*"
_REAL: Final = (
    rf"[+-]?(?:(?:{_DECIMALS}(?:\.(?:{_DECIMALS})?)?|\.{_DECIMALS})(?:[eE][+-]?{_DECIMALS})?"
    rf"|0[xX](?:_?{_HEXES}(?:\.(?:{_HEXES})?)?|\.{_HEXES})[pP][+-]?{_DECIMALS})"
)
_FLOAT: Final = re.compile(_REAL)
_COMPLEX: Final = re.compile(rf"(?:({_REAL})(?=[+-]))?({_REAL})i")
_INTEGER: Final = re.compile(
    rf"[+-]?(?:0[bB](?:_?[01])+|0[oO](?:_?[0-7])+|0[xX](?:_?{_HEX})+|0(?:_?[0-7])*|[1-9](?:_?[0-9])*)"
)

_OPEN: Final = ("its text has a `{{` that is not closed by `}}`", "for two braces as they are, write {{ `{{` }}")
_HINTS: Final = {
    ".": "a field follows at once, such as `$labels.node`",
    "[": 'for a label by its name, write {{ index $labels "name" }}',
    "{": "close the `{{` before it with `}}`",
    "#": "a comment is {{/* so */}}",
    "/": "a comment is {{/* so */}}, without a space at its braces",
    **dict.fromkeys("=<>!", "to compare, write {{ if gt $value 1.0 }}: eq, ne, lt, le, gt, ge are functions"),
    **dict.fromkeys("&", "for two conditions, write {{ if and a b }}"),
    **dict.fromkeys("+-*%^", "templates do not calculate; let the expression do it"),
}


def tokens(text: str) -> Iterator[Token]:
    """The words of a template in order, without comments; `END` is the last.

    >>> [token.text for token in tokens("at {{ $labels.node }}")]
    ['at ', '{{', '$labels', '.node', '}}', '', '']

    Raises:
        TemplateError: A brace, comment or quote is not closed, or something is no word; what stands before comes first.
    """
    start = 0
    while (at := text.find("{{", start)) >= 0:
        yield Token("text", text[start:at])
        start = at + 2
        if text.startswith("-", start) and text[start + 1 : start + 2] in tuple(_SPACE):
            start += 2
        if text.startswith("/*", start):
            start = _after_comment(text, start + 2)
        else:
            yield Token("{{", "{{")
            start = yield from _action(text, start)
    yield Token("text", text[start:])
    yield END


class Cursor:
    """A place among the words of a text, which are read as far as they are needed."""

    def __init__(self, text: str) -> None:
        self.at = 0
        self._source = tokens(text)
        self._seen: list[Token] = []

    @property
    def last(self) -> Token:
        """The word that was taken last."""
        return self._seen[self.at - 1]

    def peek(self, ahead: int = 0) -> Token:
        """The word that comes next, or later."""
        while len(self._seen) <= self.at + ahead:
            self._seen.append(next(self._source, END))
        return self._seen[self.at + ahead]

    def next(self) -> Token:
        """Take the word that comes next."""
        token = self.peek()
        self.at += 1
        return token

    def close(self) -> None:
        """Take the braces that must come next.

        Raises:
            TemplateError: Something else comes.
        """
        if (token := self.next()).kind != "}}":
            raise unexpected(token)

    def since(self, start: int) -> list[Token]:
        """The words that were taken from `start` on."""
        return self._seen[start : self.at]


def unexpected(token: Token, where: str = "where it cannot stand") -> TemplateError:
    """The error of a word that has no meaning in its place."""
    if token.kind == "}}":
        return TemplateError("its text has a `(` that is not closed by `)`")
    if token.kind == ")":
        return TemplateError("its text has a `)` without a `(`")
    if token.kind == "|":
        return TemplateError(f"its text has a `|` {where}", "for a choice, write {{ or a b }}")
    return TemplateError(f"its text has {shown(token.text)} {where}", _HINTS.get(token.text))


def _after_comment(text: str, start: int) -> int:
    end = text.find("*/", start)
    close = _CLOSE.match(text, end + 2) if end >= 0 else None
    if close is None:
        raise TemplateError("its text has a comment that does not end with `*/}}`", _HINTS["/"])
    return close.end()


def _action(text: str, start: int) -> Generator[Token, None, int]:
    """The words up to the closing braces, and where these end."""
    apart = False
    while match := _TOKEN.match(text, start):
        start = match.end()
        if match.lastgroup == "close":
            yield Token("}}", "}}", apart)
            return start
        if match.lastgroup != "space":
            yield Token(_kind(str(match.lastgroup), match[0], text[start : start + 1]), match[0], apart)
        apart = match.lastgroup == "space"
    raise TemplateError(*_OPEN)


def _kind(group: str, word: str, after: str) -> str:
    """The kind of a word, which depends on the character after it in that names and numbers must end there."""
    if group == "name":
        return _kind_of_name(word, after)
    if group == "number" and (_of_name(after) or not _is_number(word)):
        whole = word + after if _of_name(after) else word
        raise TemplateError(f"its text has {shown(whole)}, which is no number", _HINTS.get(word))
    if group == "literal" and not (_CHARACTER if word[0] == "'" else _STRING).fullmatch(word):
        raise TemplateError(
            f"its text has {shown(word)}, which is no literal of Go",
            'a text stands in "double quotes" or `backquotes`' if word[0] == "'" else "for a backslash, write two",
        )
    if group == "sign":
        return _kind_of_sign(word)
    return "literal"


def _kind_of_sign(word: str) -> str:
    if word in {"(", ")", "|", ":=", "=", ","}:
        return word
    if word in {'"', "'", "`"}:
        raise TemplateError(f"its text opens a {word} inside `{{{{ }}}}` and does not close it")
    raise TemplateError(f"its text has {shown(word)} inside `{{{{ }}}}`, where it means nothing", _HINTS.get(word))


def _kind_of_name(word: str, after: str) -> str:
    if after and after not in _AFTER_A_NAME:
        raise TemplateError(
            f"its text has {shown(after)} right after {shown(word)}", _HINTS.get(after) or "put a space between them"
        )
    if not all(_of_name(character) for character in word[word[0] in "$." :]):
        raise TemplateError(f"its text has {shown(word)}, which is no name")
    if word[0] == "$":
        return "variable"
    if word[0] == ".":
        return "field" if word[1:] else "dot"
    if word in _CONSTANTS:
        return "literal"
    return "keyword" if word in _KEYWORDS else "function"


def _of_name(character: str) -> bool:
    """Whether Go takes a character for one of a name; what a regular expression takes has some numerals more."""
    return character == "_" or character.isalpha() or character.isdecimal()


def _is_number(word: str) -> bool:
    """Whether Go reads a number, which must fit its type.

    >>> [_is_number(word) for word in ["017", "08", "0x1p-2", "1_000.5", "1+2i", "1e999"]]
    [True, False, True, True, True, False]
    """
    if _INTEGER.fullmatch(word):
        return _fits(word)
    if parts := _COMPLEX.fullmatch(word):
        return all(_finite(part) for part in parts.groups() if part)
    return bool(_FLOAT.fullmatch(word)) and any(sign in word for sign in ".eEpP") and _finite(word)


def _fits(word: str) -> bool:
    signed = word[0] in "+-"
    digits = word[signed:].replace("_", "").lower()
    base = {"0b": 2, "0o": 8, "0x": 16}.get(digits[:2], 8 if digits[0] == "0" else 10)
    try:
        value = int(digits, base)
    except ValueError:  # more digits than Python reads
        return False
    return value < 2**63 + (word[0] == "-") if signed else value < 2**64


def _finite(word: str) -> bool:
    digits = word.replace("_", "").lower()
    try:
        return math.isfinite(float.fromhex(digits) if "x" in digits else float(digits))
    except OverflowError:
        return False
