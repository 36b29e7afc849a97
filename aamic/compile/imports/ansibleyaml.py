"""Ansible's inventories in YAML, and what `ansible-inventory --list` prints in JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aamic.compile.imports.ansibleini import expand_range
from aamic.compile.imports.inventory import Inventory, Var
from aamic.compile.imports.place import Placed
from aamic.compile.text import shown
from aamic.compile.yamlfault import NO_TAGS
from aamic.errors import Problem

_DEEPEST = 40


def read_tree(file: Placed) -> Inventory:
    """What an inventory says: groups by name with `hosts`, `children` and `vars`."""
    inventory = Inventory()
    inventory.problems += [problem for problem in file.problems if problem.hint != NO_TAGS]
    inventory.notes += [
        f"{problem.message} and was not read, at {problem.place}"
        for problem in file.problems
        if problem.hint == NO_TAGS
    ]
    reading = _Reading(file, inventory)
    if isinstance(file.data, dict):
        for name, group in file.data.items():
            if name == "_meta":
                reading.meta(group)
            else:
                reading.group(name, group, (name,))
    elif not file.problems:
        hint = "an inventory is groups with `hosts`, `children` and `vars`"
        inventory.problems.append(Problem(f"{shown(file.name)} holds no groups", file.place(()), hint))
    return inventory


class _Reading:
    """A file as its groups are read."""

    def __init__(self, file: Placed, inventory: Inventory) -> None:
        self._file = file
        self._inventory = inventory

    def meta(self, value: Any) -> None:
        """Take in the variables of hosts, as `--list` prints them."""
        known = value.get("hostvars") if isinstance(value, dict) else None
        for host, variables in known.items() if isinstance(known, dict) else ():
            self._variables(self._inventory.host(host), variables, ("_meta", "hostvars", host))

    def group(self, name: str, value: Any, path: tuple[str | int, ...]) -> None:
        """Take in a group with all that stands below it."""
        group = self._inventory.group(name)
        if isinstance(value, list):
            value = {"hosts": value}
        if value is None:
            return
        if not isinstance(value, dict) or len(path) > _DEEPEST:
            self._refuse(f"group {shown(name)} holds no `hosts`, `children` or `vars`", path)
            return
        for key in value.keys() - {"hosts", "children", "vars"}:
            self._refuse(f"{shown(key)} in group {shown(name)} is neither `hosts`, `children` nor `vars`", (*path, key))
        self._hosts(name, value.get("hosts"), (*path, "hosts"))
        self._variables(group.variables, value.get("vars"), (*path, "vars"))
        for child in self._keys(value.get("children"), (*path, "children")):
            group.children.setdefault(child, self._file.place((*path, "children", child)))
            below = value["children"]
            self.group(child, below[child] if isinstance(below, dict) else None, (*path, "children", child))

    def _hosts(self, name: str, value: Any, path: tuple[str | int, ...]) -> None:
        for number, pattern in enumerate(self._keys(value, path)):
            step = pattern if isinstance(value, dict) else number
            place = self._file.place((*path, step))
            try:
                hosts = expand_range(pattern)
            except ValueError as error:
                self._inventory.problems.append(Problem(str(error), place, "write `node[01:16]` or `node[a:f]`"))
                continue
            for host in hosts:
                self._inventory.group(name).hosts.setdefault(host, place)
                variables = value[pattern] if isinstance(value, dict) else None
                self._variables(self._inventory.host(host), variables, (*path, step))

    def _keys(self, value: Any, path: tuple[str | int, ...]) -> Iterable[str]:
        if value is None:
            return ()
        if isinstance(value, str):
            return (value,)
        if isinstance(value, dict | list) and all(isinstance(key, str) for key in value):
            return value
        self._refuse("names are expected here, as keys or in a list", path)
        return ()

    def _variables(self, known: dict[str, Var], value: Any, path: tuple[str | int, ...]) -> None:
        if isinstance(value, dict):
            known.update({key: Var(each, self._file.place((*path, key))) for key, each in value.items()})
        elif value is not None:
            self._refuse("variables are expected here, as `NAME: VALUE`", path)

    def _refuse(self, message: str, path: tuple[str | int, ...]) -> None:
        hint = "an inventory is groups with `hosts`, `children` and `vars`"
        self._inventory.problems.append(Problem(message, self._file.place(path), hint))
