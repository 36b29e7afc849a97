"""Ansible's inventories in INI: groups, host ranges, and variables beside hosts and in `:vars`.

As the inventory plugin `ini` of ansible-core reads them: its documentation, "How to build your inventory".
"""

from __future__ import annotations

import ast
import re
import shlex
from itertools import product
from string import ascii_letters
from typing import Any, Final

from aamic.compile.hostlist import LIMIT
from aamic.compile.imports.inventory import Inventory, Var
from aamic.compile.text import shown
from aamic.errors import Place, Problem

_SECTION: Final = re.compile(r"\[([^:\]\s]+)(?::(\w+))?\]\s*(?:[#;].*)?")
_VARIABLE: Final = re.compile(r"([^\s=\[\]]+)\s*=\s*(.*)")
_RANGE: Final = re.compile(r"\[([A-Za-z0-9]*):([A-Za-z0-9]+)(?::([0-9]{1,9}))?\]")
_PORT: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:]+(?:\[[^\]]*\][^:]*)*)):([0-9]{1,5})")
_KINDS: Final = {None, "hosts", "children", "vars"}
_LONGEST_VALUE: Final = 10_000
_BREAK: Final = re.compile("\r\n|\r|\n")


def read_ini(text: str, name: str) -> Inventory:
    """What an inventory in INI says, with everything that is wrong with it."""
    inventory = Inventory()
    group, kind = "ungrouped", "hosts"
    for number, line in enumerate(_BREAK.split(text), 1):
        said = line.strip()
        place = Place(name, number, len(line) - len(line.lstrip()) + 1)
        if not said or said[0] in "#;":
            continue
        if said.startswith("[") and (section := _SECTION.fullmatch(said)):
            group, kind = section[1], section[2] or "hosts"
            inventory.group(group)
            if section[2] not in _KINDS:
                _refuse(inventory, f"`:{section[2]}` is no kind of section", place, "write `:children` or `:vars`")
        else:
            _take(inventory, group, kind, said, place)
    return inventory


def _take(inventory: Inventory, group: str, kind: str, said: str, place: Place) -> None:
    if kind == "children":
        child = said.partition("#")[0].strip()
        inventory.group(group).children.setdefault(child, place)
        inventory.group(child)
    elif kind == "vars":
        if match := _VARIABLE.fullmatch(said):
            inventory.group(group).variables[match[1]] = Var(_value(match[2]), place)
        else:
            _refuse(inventory, "a variable without `=`", place, "write `NAME=VALUE`")
    elif kind == "hosts":
        _hosts(inventory, group, said, place)


def _hosts(inventory: Inventory, group: str, said: str, place: Place) -> None:
    try:
        pattern, *words = shlex.split(said, comments=True)
    except ValueError:
        _refuse(inventory, "a quote on this line is not closed", place, "close it")
        return
    variables: dict[str, Var] = {}
    for word in words:
        key, sign, text = word.partition("=")
        if not sign or not key:
            # The word may be a part of a secret, so it is not repeated.
            _refuse(inventory, "a word behind the host is no `NAME=VALUE`", place, "put values with spaces in quotes")
            return
        variables[key] = Var(_value(text), place)
    if match := _PORT.fullmatch(pattern):
        pattern = match[1] or match[2]
        variables.setdefault("ansible_port", Var(int(match[3]), place))
    try:
        names = expand_range(pattern)
    except ValueError as error:
        _refuse(inventory, str(error), place, "write `node[01:16]`, `node[a:f]` or `node[0:8:2]`")
        return
    for host in names:
        inventory.group(group).hosts.setdefault(host, place)
        inventory.host(host).update(variables)


def expand_range(pattern: str) -> tuple[str, ...]:
    """The hosts that a pattern of Ansible stands for; both ends of a range belong to it.

    >>> expand_range("node[08:10].rack[a:b]")
    ('node08.racka', 'node08.rackb', 'node09.racka', 'node09.rackb', 'node10.racka', 'node10.rackb')
    >>> expand_range("n[0:6:3]"), expand_range("[:2]x")
    (('n0', 'n3', 'n6'), ('0x', '1x', '2x'))

    Raises:
        ValueError: A range cannot be read, or stands for too many hosts.
    """
    pieces: list[list[str]] = []
    end, total = 0, 1
    for match in _RANGE.finditer(pattern):
        names = _range(match[1] or "0", match[2], int(match[3] or 1), match[0])
        pieces += [[pattern[end : match.start()]], names]
        end, total = match.end(), total * len(names)
        if total > LIMIT:
            raise ValueError(f"{shown(pattern)} stands for more than {LIMIT:,} hosts")
    pieces.append([pattern[end:]])
    if "[" in pattern[end:] or any("[" in piece[0] for piece in pieces[::2]):
        raise ValueError(f"{shown(pattern)} has a range that cannot be read")
    return tuple("".join(parts) for parts in product(*pieces))


def _range(low: str, high: str, step: int, written: str) -> list[str]:
    if step and low.isdecimal() and high.isdecimal() and int(low) <= int(high):
        width = len(low) if low.startswith("0") and len(low) > 1 else 0
        if int(high) - int(low) > LIMIT * step:
            raise ValueError(f"{shown(written)} stands for more than {LIMIT:,} hosts")
        if not width or width == len(high):
            return [f"{each:0{width}d}" for each in range(int(low), int(high) + 1, step)]
    elif step and len(low) == len(high) == 1 and low.isalpha() and high.isalpha():
        letters = ascii_letters[ascii_letters.index(low) : ascii_letters.index(high) + 1 : step]
        if letters:
            return list(letters)
    raise ValueError(f"{shown(written)} is a range that cannot be read")


def _value(text: str) -> Any:
    """The value of a variable as Ansible reads it: a literal of Python if it is one, and else the text."""
    stripped = text.split(" #", 1)[0].strip()
    if len(stripped) > _LONGEST_VALUE:
        return stripped
    try:
        return ast.literal_eval(stripped)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return stripped


def _refuse(inventory: Inventory, message: str, place: Place, hint: str) -> None:
    inventory.problems.append(Problem(message, place, hint))
