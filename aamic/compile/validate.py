"""Document to Site: every value checked alone, every fault told at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Protocol

from pydantic import ValidationError

from aamic.compile.collector import collector_paused
from aamic.compile.complaint import complain
from aamic.compile.expected import Schema
from aamic.compile.fault import Fault, fault
from aamic.compile.findings import Path, Places
from aamic.compile.pruning import PrunedPlaces, Pruning, has_stand_in
from aamic.compile.schema import json_schema
from aamic.errors import Problem
from aamic.model.site import Site

_TOLD: Final = 1000
"""Faults that are put into words; nobody reads more of them at once."""
_ROUNDS: Final = 20
"""More than levels in the model: dropping a value makes its mapping incomplete at worst, and so on upwards."""


class Written(Places, Protocol):
    """What a Document is to validation."""

    @property
    def data(self) -> dict[str, Any]:
        """The plain values."""
        ...

    @property
    def problems(self) -> Sequence[Problem]:
        """What is known to be wrong with them already."""
        ...


@dataclass(frozen=True)
class Checked:
    """A site as far as it can be understood, and what is wrong with it.

    Attributes:
        site: What was written without the values in `pruned`; None where nothing can be made of it.
        problems: In the order of the model.
        pruned: Paths whose values were dropped, or put right by a stand-in, so that later checks could be made.
            Nothing follows from a name that is missing there.
        places: Where the values of `site` stand in the files.
    """

    site: Site | None
    problems: tuple[Problem, ...]
    pruned: frozenset[Path]
    places: Places


def validate(document: Written, model: type[Site]) -> Checked:
    """Check the values of a document against the model, each alone.

    Raises nothing: what is wrong stands in `problems`.
    """
    with collector_paused():
        try:
            return Checked(model.model_validate(document.data), (), frozenset(), document)
        except ValidationError as error:
            return _partial(document, model, error)


def _partial(document: Written, model: type[Site], error: ValidationError) -> Checked:
    schema = _schema(model)
    faults = _faults(error, document.data, schema)
    problems = tuple(_told(faults, document))
    pruning = Pruning(document.data)
    site = _prune(pruning, model, faults)
    return Checked(site, problems, pruning.dropped(), PrunedPlaces(document, pruning))


def _told(faults: list[Fault], document: Written) -> Iterator[Problem]:
    """The problems behind the faults, each told once.

    A key may be missing because it is misspelt, and a value be wrong because it could not be read.
    """
    misspelt = {(*found.path[:-1], found.meant) for found in faults[:_TOLD] if found.error == "extra_forbidden"}
    unread = {problem.place for problem in document.problems}
    for found in faults[:_TOLD]:
        problem = complain(found, document)
        if not (found.error == "missing" and found.path in misspelt) and problem.place not in unread:
            yield problem
    if len(faults) > _TOLD:
        yield Problem(f"{len(faults) - _TOLD:,} more values are wrong", document.place(()), "repair the others first")


def _prune(pruning: Pruning, model: type[Site], faults: list[Fault]) -> Site | None:
    """Drop what is faulty until the rest is a site."""
    for _ in range(_ROUNDS):
        victims = [pruning.original(_victim(found)) for found in faults]
        for victim in victims:
            pruning.drop(victim)
        rest = pruning.kept()
        try:
            return model.model_validate(rest)
        except ValidationError as error:
            faults = _faults(error, rest, _schema(model))
    return None


def _victim(found: Fault) -> Path:
    """What has to go: the value, or the mapping that is nothing without it."""
    if found.error == "missing" and not has_stand_in(found.path):
        return found.path[:-1]
    return found.path


def _faults(error: ValidationError, data: Any, schema: Schema) -> list[Fault]:
    return [
        fault(item, data, schema)
        for item in error.errors(include_url=False, include_context=False, include_input=False)
    ]


@cache
def _schema(model: type[Site]) -> Schema:
    return Schema(json_schema(model))
