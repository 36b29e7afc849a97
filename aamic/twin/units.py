"""From a rendered systemd unit to the process that systemd would start, after systemd.syntax(7) and systemd.exec(5)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_ESCAPES = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    "\\": "\\", '"': '"', "'": "'", "s": " ",
}  # fmt: skip
_ESCAPE = re.compile(r"\\(x[0-7][0-9A-Fa-f]|[01][0-7]{2}|u[0-9A-Ca-c][0-9A-Fa-f]{3}|U000[0-9A-Fa-f]{5}|.)", re.DOTALL)
_QUOTED = re.compile(r"""(\\.)|"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'""", re.DOTALL)
_WORD = re.compile(r"""(?:[^ \t\r\n"'\\]|\\.|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')+""", re.DOTALL)
_SPACE = " \t\r\n"
_EXEC_PREFIXES = "@-:+!"


class UnitError(ValueError):
    """The unit says something that systemd would refuse, or that a twin cannot run."""


@dataclass(frozen=True, slots=True)
class Program:
    """What a unit runs: the argument list and its environment."""

    command: tuple[str, ...]
    environment: Mapping[str, str]


def read_unit(text: str, specifiers: Mapping[str, str]) -> Program:
    """Read the `ExecStart=` and `Environment=` of a service unit.

    >>> unit = chr(10).join(["[Service]", "Environment=A=1", "ExecStart=/bin/echo 'a b' %H ${A} 100%%"])
    >>> read_unit(unit, {"H": "mon-01"}).command
    ('/bin/echo', 'a b', 'mon-01', '1', '100%')

    Raises:
        UnitError: There is not exactly one command, or a quote, escape or specifier cannot be read.
    """
    settings = list(_service_settings(text))
    commands = [value for key, value in settings if key == "ExecStart" and value]
    if len(commands) != 1:
        raise UnitError(f"expected one `ExecStart=` and found {len(commands)}")
    environment = dict(
        _assignment(_specify(word, specifiers))
        for key, value in settings
        if key == "Environment"
        for word in split_words(value)
    )
    program, *arguments = (_specify(word, specifiers) for word in split_words(commands[0]))
    expanded = (part for argument in arguments for part in _expand(argument, environment))
    return Program((program.lstrip(_EXEC_PREFIXES), *expanded), environment)


def split_words(line: str) -> tuple[str, ...]:
    r"""Split a setting into words as systemd does: quotes are removed, C escapes are read.

    >>> split_words(r'a "b c" d\x20e')
    ('a', 'b c', 'd e')

    Raises:
        UnitError: A quote stays open, or an escape is unknown.
    """
    if rest := _WORD.sub("", line).strip(_SPACE):
        raise UnitError(f"a quote stays open: `{rest}`")
    return tuple(_ESCAPE.sub(_unescape, _QUOTED.sub(_inside, word)) for word in _WORD.findall(line))


def _inside(match: re.Match[str]) -> str:
    return match[1] or match[2] or match[3] or ""


def _unescape(match: re.Match[str]) -> str:
    code = match[1]
    if code in _ESCAPES:
        return _ESCAPES[code]
    if len(code) == 1:
        raise UnitError(f"unknown escape `\\{code}`")
    return chr(int(code.lstrip("xuU"), 8 if code[0].isdigit() else 16))


def _service_settings(text: str) -> Iterator[tuple[str, str]]:
    section = ""
    for line in re.sub(r"(?<!\\)((?:\\\\)*)\\\n", r"\1 ", text).split("\n"):
        stripped = line.strip(_SPACE)
        if stripped.startswith("["):
            section = stripped
        elif section == "[Service]" and "=" in stripped and stripped[0] not in "#;":
            key, _, value = stripped.partition("=")
            yield key.strip(_SPACE), value.strip(_SPACE)


def _specify(word: str, specifiers: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name == "%":
            return "%"
        if name not in specifiers:
            raise UnitError(f"the twin does not know the specifier `%{name}`")
        return specifiers[name]

    return re.sub(r"%(.)", value, word)


def _expand(word: str, environment: Mapping[str, str]) -> list[str]:
    """Expand variables: `$NAME` as a whole word splits at spaces, `${NAME}` stays one word, `$$` is a dollar."""
    if whole := re.fullmatch(r"\$([A-Za-z_][A-Za-z0-9_]*)", word):
        return environment.get(whole[1], "").split()
    return [
        re.sub(
            r"\$(?:(\$)|\{([A-Za-z_][A-Za-z0-9_]*)\})",
            lambda match: match[1] or environment.get(match[2], ""),
            word,
        )
    ]


def _assignment(word: str) -> tuple[str, str]:
    name, separator, value = word.partition("=")
    if not separator:
        raise UnitError(f"`Environment={word}` sets nothing")
    return name, value
