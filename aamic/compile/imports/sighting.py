"""What a source says of a cluster, each fact with the place where it stands. Frozen, no input or output."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from aamic.errors import Place, Problem

Source = Literal["slurm", "file-sd", "ansible", "hosts"]
SOURCES: Final[tuple[Source, ...]] = ("slurm", "file-sd", "ansible", "hosts")

FACTS: Final = ("address", "rack", "vendor", "model", "count", "threads", "memory", "ssh_user", "ssh_port")
"""What is known of a node beside its name and labels; memory is in bytes."""
WEAK: Final = "likely "
"""Before the name of a fact that only counts where no source says more: `likely vendor`, from the port of a target."""

Fact = str | int


class Said(NamedTuple):
    """A name that a source says of the whole cluster, and where."""

    value: str
    place: Place


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one place says of a node: `name` is None where only its address is known.

    `gpus` is whether it has GPUs, also where nothing more is known of them.
    """

    source: Source
    place: Place
    name: str | None
    facts: Mapping[str, Fact] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    gpus: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """What one source says. The first of `controllers` is the one that Slurm starts with."""

    sightings: tuple[Sighting, ...] = ()
    clusters: tuple[Said, ...] = ()
    controllers: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


class GpuWish(NamedTuple):
    """What a person says of GPUs: of these nodes, or where `nodes` is None of all of which a source says too little."""

    nodes: tuple[str, ...] | None
    vendor: str
    model: str
    number: int


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a person says where sources say nothing, or not the same; `prefer` are sources, the best first."""

    cluster: str | None = None
    gpus: tuple[GpuWish, ...] = ()
    prefer: tuple[Source, ...] = ()


def joined(readings: Iterable[Reading]) -> Reading:
    """Several readings as one."""
    all_of = tuple(readings)
    return Reading(
        tuple(each for reading in all_of for each in reading.sightings),
        tuple(each for reading in all_of for each in reading.clusters),
        tuple(each for reading in all_of for each in reading.controllers),
        tuple(each for reading in all_of for each in reading.notes),
        tuple(each for reading in all_of for each in reading.problems),
    )
