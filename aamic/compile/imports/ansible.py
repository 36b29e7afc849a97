"""Ansible's inventories: where hosts are reached and how they are logged in to, and racks as far as it names them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final

from aamic.compile.addresses import is_address, is_ip
from aamic.compile.imports.ansibleini import read_ini
from aamic.compile.imports.ansibleyaml import read_tree
from aamic.compile.imports.inventory import Inventory, Var
from aamic.compile.imports.names import is_local
from aamic.compile.imports.place import read_placed
from aamic.compile.imports.secret import is_secret
from aamic.compile.imports.sighting import WEAK, Fact, Reading, Sighting
from aamic.compile.text import decode, shown
from aamic.errors import InputError, Place

_RACK: Final = re.compile(r"rack[-_.]?[a-z0-9]+([-_.][a-z0-9]+)*|r[0-9]{1,4}", re.IGNORECASE)
"""Groups that look like racks: `rack01`, `rack_a1`, `r07`."""
_USER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_TEMPLATE: Final = re.compile(r"\{\{|\{%")
_FACTS: Final = {
    "ansible_host": "address",
    "ansible_ssh_host": "address",
    "ansible_user": "ssh_user",
    "ansible_ssh_user": "ssh_user",
    "ansible_port": "ssh_port",
    "ansible_ssh_port": "ssh_port",
    "rack": "rack",
    "rack_name": "rack",
    "rack_id": "rack",
    "gpu_vendor": "vendor",
    "gpu_model": "model",
    "gpu_count": "count",
}
"""Variables and the facts that they are, the surest one first."""
_NUMBERS: Final = {"ssh_port": 65_535, "count": 999}
_SSH: Final = 22
_LISTED: Final = 20


def read_ansible(data: bytes, name: str) -> Reading:
    """What an inventory says: INI, YAML, or the JSON of `ansible-inventory --list`."""
    try:
        text = decode(data, name)
    except InputError as error:
        return Reading(problems=error.problems)
    inventory = _tree(data, name) if _is_tree(text, name) else read_ini(text, name)
    return _Facts(inventory).reading()


def _is_tree(text: str, name: str) -> bool:
    """Whether a file is YAML or JSON: by its name, and else by its first line that says anything."""
    if name.endswith((".yaml", ".yml", ".json")):
        return True
    first = next((line.strip() for line in text.splitlines() if line.strip() and line.strip()[0] not in "#;"), "")
    return first.startswith(("{", "---")) or re.fullmatch(r"[\w.-]+:(\s.*)?", first) is not None


def _tree(data: bytes, name: str) -> Inventory:
    return read_tree(read_placed(data, name))


class _Facts:
    """What an inventory means for a site."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._depths = _depths(inventory)
        self._parents = _parents(inventory)
        self._notes: list[str] = list(inventory.notes)
        self._templates: set[str] = set()
        self._secrets: set[str] = set()
        self._unused: set[str] = set()
        self._places = _places(inventory)

    def reading(self) -> Reading:
        """Sightings of all hosts, and notes on what was left out."""
        sightings = [each for host in self._places for each in self._sightings(host)]
        problems = tuple(self._inventory.problems)
        return Reading(tuple(sightings), notes=(*self._notes, *self._left_out()), problems=problems)

    def _left_out(self) -> Iterator[str]:
        if self._secrets:
            yield f"secrets of Ansible are not copied: {_listed(self._secrets)}"
        if self._templates:
            yield f"templates of Ansible are not evaluated: {_listed(self._templates)}"
        if self._unused:
            yield f"variables of Ansible that a site has no use for: {_listed(self._unused)}"

    def _sightings(self, host: str) -> Iterator[Sighting]:
        place = self._places[host]
        groups = self._groups(host)
        variables = self._variables(host, groups)
        connection = variables.pop("ansible_connection", Var("ssh", place)).value
        if is_local(host) or connection == "local":
            self._notes.append(f"host {shown(host)} at {place} is left out: it is where Ansible runs")
            return
        name = None if is_ip(host) else host
        found: dict[str, tuple[Fact, Place]] = {}
        for key, fact in _FACTS.items():
            if key in variables and (value := self._value(fact, key, variables.pop(key))) is not None:
                found.setdefault(fact, value)
        self._note_unused(variables)
        if name is None:
            found.setdefault("address", (host, place))
        racks = sorted(group for group in groups if _RACK.fullmatch(group))
        likely: dict[str, Fact] = {f"{WEAK}rack": racks[0]} if len(racks) == 1 else {}
        if len(racks) > 1:
            listed = " and ".join(map(shown, racks))
            self._notes.append(
                f"host {shown(host)} is in the groups {listed}, which both look like racks: none is taken"
            )
        address = found["address"][0] if name is None else None
        yield Sighting("ansible", place, name, {**likely, **({"address": address} if address else {})})
        for fact, (known, where) in found.items():
            facts = {fact: known, **({"address": address} if address else {})}
            yield Sighting("ansible", where, name, facts, gpus=fact in {"vendor", "model", "count"})

    def _value(self, fact: str, key: str, var: Var) -> tuple[Fact, Place] | None:
        """The value of a variable as a fact, if it can be one."""
        text = str(var.value).strip()
        if is_secret(key, text):
            self._secrets.add(key)
        elif _TEMPLATE.search(text):
            self._templates.add(key)
        elif fact in _NUMBERS:
            if text.isdecimal() and text.isascii() and 1 <= int(text[:9]) <= _NUMBERS[fact]:
                return None if fact == "ssh_port" and int(text) == _SSH else (int(text), var.place)
            self._notes.append(f"{shown(key)} at {var.place} is left out: it cannot stand in a site")
        elif not isinstance(var.value, str | int | float) or not _fits(fact, text):
            self._notes.append(f"{shown(key)} at {var.place} is left out: it cannot stand in a site")
        else:
            return text, var.place
        return None

    def _note_unused(self, variables: Mapping[str, Var]) -> None:
        for key, var in variables.items():
            secret = is_secret(key, var.value if isinstance(var.value, str) else "")
            (self._secrets if secret else self._unused).add(key)

    def _groups(self, host: str) -> list[str]:
        """The groups of a host, those above them too, from the widest to the narrowest."""
        todo = [name for name, group in self._inventory.groups.items() if host in group.hosts]
        found = {"all"} if "all" in self._inventory.groups else set()
        while todo:
            name = todo.pop()
            if name not in found:
                found.add(name)
                todo += self._parents[name]
        return sorted(found, key=lambda name: (name != "all", self._depths.get(name, 0), name))

    def _variables(self, host: str, groups: list[str]) -> dict[str, Var]:
        known: dict[str, Var] = {}
        for group in groups:
            known |= self._inventory.groups[group].variables
        return known | self._inventory.variables.get(host, {})


def _fits(fact: str, text: str) -> bool:
    if fact == "address":
        return is_address(text)
    return _USER.fullmatch(text) is not None if fact == "ssh_user" else text.isprintable() and text != ""


def _places(inventory: Inventory) -> dict[str, Place]:
    """Where each host is named first."""
    places: dict[str, Place] = {}
    for group in inventory.groups.values():
        for host, place in group.hosts.items():
            places[host] = min(place, places.get(host, place))
    for host, variables in inventory.variables.items():
        if host not in places:
            places[host] = min((var.place for var in variables.values()), default=Place("inventory", 1))
    return places


def _parents(inventory: Inventory) -> defaultdict[str, list[str]]:
    parents: defaultdict[str, list[str]] = defaultdict(list)
    for name, group in inventory.groups.items():
        for child in group.children:
            parents[child].append(name)
    return parents


def _depths(inventory: Inventory) -> dict[str, int]:
    """How far below the top each group stands: the longest way counts, as in Ansible."""
    depths = dict.fromkeys(inventory.groups, 1)
    for _ in range(min(len(depths), 50)):
        changed = False
        for name, group in inventory.groups.items():
            for child in group.children:
                if depths.get(child, 1) < depths[name] + 1:
                    depths[child] = depths[name] + 1
                    changed = True
        if not changed:
            break
    return depths


def _listed(names: set[str]) -> str:
    shown_ones = [shown(name) for name in sorted(names)]
    rest = f" and {len(shown_ones) - _LISTED} more" if len(shown_ones) > _LISTED else ""
    return ", ".join(shown_ones[:_LISTED]) + rest
