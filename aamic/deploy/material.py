"""What a plan names but does not hold: the values of secrets, and programs out of their tarballs.

All of it is read before the first host is touched, and only what some host needs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from aamic.deploy.desired import Desired, Program, WantedSecret
from aamic.deploy.diff import reference_key
from aamic.errors import InputError, OutsideError, Problem
from aamic.model.plan import Change

_NOWHERE: Final[Mapping[Any, str]] = {}
ReadSecret = Callable[[Mapping[str, Any]], bytes]
ReadProgram = Callable[[Program], bytes]


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes with their SHA-256; a large program is digested once, not for each kind of host."""

    content: bytes = field(repr=False)
    sha256: str


def blob(content: bytes) -> Blob:
    """The bytes with their digest."""
    return Blob(content, hashlib.sha256(content).hexdigest())


@dataclass(frozen=True, slots=True)
class Material:
    """Programs by tarball and path in it, secrets by reference: two hosts may want different things at one path."""

    programs: Mapping[tuple[str, str], Blob] = field(default_factory=dict)
    secrets: Mapping[str, Blob] = field(default_factory=dict, repr=False)

    def program(self, wanted: Program) -> Blob:
        """The program that belongs there."""
        return self.programs[wanted.sha256, wanted.inner]

    def secret(self, wanted: WantedSecret) -> Blob:
        """The value that belongs there."""
        return self.secrets[reference_key(wanted.reference)]


def gather(
    work: Iterable[tuple[Sequence[Change], Desired]], read_secret: ReadSecret, read_program: ReadProgram
) -> Material:
    """Read all that these changes need.

    Raises:
        InputError: Something cannot be read; every such thing is told.
    """
    programs: dict[tuple[str, str], Program] = {}
    secrets: dict[str, Mapping[str, Any]] = {}
    for changes, desired in work:
        for change in changes:
            if change.what == "program" and change.action != "remove":
                program = desired.programs[change.name]
                programs[program.sha256, program.inner] = program
            elif change.what == "secret" and change.action != "remove":
                reference = desired.secrets[change.name].reference
                secrets[reference_key(reference)] = reference
    problems: list[Problem] = []
    values = _read_all(secrets, read_secret, problems)
    binaries = {} if problems else _read_all(programs, read_program, problems)
    if problems:
        raise InputError(problems)
    return Material(binaries, values)


def check_decided(
    undecided: Collection[str], desired: Mapping[str, Desired], read_secret: ReadSecret, fold: Callable[..., str]
) -> None:
    """Return if no secret is undecided: whether it changes is not known where its value cannot be read.

    Raises:
        InputError: Some are; each is told with its hosts.
    """
    references: dict[str, Mapping[str, Any]] = {}
    hosts: dict[str, list[str]] = {}
    for host, each in desired.items():
        for path in undecided:
            if path in each.secrets:
                key = reference_key(each.secrets[path].reference)
                references[key] = each.secrets[path].reference
                hosts.setdefault(key, []).append(host)
    problems: list[Problem] = []
    _read_all(references, read_secret, problems, {key: f" (of {fold(names)})" for key, names in hosts.items()})
    if problems:
        raise InputError(problems)


def _read_all(
    wanted: Mapping[Any, Any],
    read: Callable[[Any], bytes],
    problems: list[Problem],
    where: Mapping[Any, str] = _NOWHERE,
) -> dict[Any, Blob]:
    found = {}
    for key, what in wanted.items():
        try:
            found[key] = blob(read(what))
        except OutsideError as error:
            problems.append(Problem(f"{error}{where.get(key, '')}", hint=error.hint))
    return found
