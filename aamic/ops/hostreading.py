"""What was found on hosts, as a source of a site. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from aamic.compile.addresses import is_ip
from aamic.compile.hostlist import fold
from aamic.compile.imports.sighting import WEAK, Fact, Reading, Sighting
from aamic.errors import Place
from aamic.model.detected import Detected
from aamic.model.host import Unobserved
from aamic.ops.detectdiff import MOST_GPUS

_GIB: Final = 2**30
Outcome = Detected | Unobserved


def read_hosts(found: Mapping[str, Outcome], addresses: Mapping[str, str], user: str | None = None) -> Reading:
    """What hosts say of themselves, by name; `user` is who logged in to them, where that was said.

    Hosts that did not answer are left out. Notes tell of them, and of what a site cannot say of the others.
    """
    seen = [each for each in found.values() if isinstance(each, Detected)]
    sightings = (_sighting(each, addresses.get(each.host, each.host), user) for each in seen)
    return Reading(tuple(sightings), notes=(*_left_out(found), *_gathered(seen, _troubles), *_names(seen)))


def _sighting(each: Detected, address: str, user: str | None) -> Sighting:
    """Threads and memory are weak facts: Slurm knows better how much of them is meant to be used."""
    facts: dict[str, Fact | None] = {
        "address": address if address != each.host else None,
        WEAK + "threads": each.threads,
        WEAK + "memory": _rounded(each.memory),
        "ssh_user": user,
        **_gpu(each),
    }
    known = {fact: value for fact, value in facts.items() if value is not None}
    return Sighting("hosts", Place(f"host {each.host}", 1), each.host, known, gpus=bool(each.gpus))


def _gpu(each: Detected) -> dict[str, Fact | None]:
    """A node of a site has GPUs of one vendor."""
    if _too_much(each) or not each.gpus:
        return {}
    return {"vendor": each.gpus[0].vendor, "model": each.gpus[0].model, "count": each.gpus[0].count}


def _too_much(each: Detected) -> str:
    """Why a site cannot say what GPUs a host has, or ''."""
    if len(each.gpus) > 1:
        return "it has GPUs of several vendors, and a node of a site has those of one"
    if each.gpus and each.gpus[0].count > MOST_GPUS:
        return f"it has {each.gpus[0].count} GPUs, and a node of a site has at most {MOST_GPUS}"
    return ""


def _rounded(memory: int | None) -> int | None:
    """Whole GiB, as equal nodes differ by some pages."""
    return memory if memory is None or memory < _GIB else memory // _GIB * _GIB


def _left_out(found: Mapping[str, Outcome]) -> Iterator[str]:
    for host, each in found.items():
        if isinstance(each, Unobserved):
            yield f"{host} is left out: {each.message}"


def _gathered(seen: Sequence[Detected], said: Callable[[Detected], Iterator[str]]) -> Iterator[str]:
    """What is said of hosts, once for all of which the same is said."""
    notes: dict[str, list[str]] = {}
    for each in seen:
        for note in said(each):
            notes.setdefault(note, []).append(each.host)
    for note, hosts in notes.items():
        yield f"{fold(hosts)}: {note}"


def _troubles(each: Detected) -> Iterator[str]:
    if reason := _too_much(each):
        yield reason
    for found in each.gpus:
        if found.perhaps:
            yield f"its GPUs are {' or '.join(found.perhaps)}"
        yield from found.troubles


def _names(seen: Sequence[Detected]) -> Iterator[str]:
    for each in seen:
        if each.name and not is_ip(each.host) and _short(each.name) != _short(each.host):
            yield f"{each.host} calls itself `{each.name}`"


def _short(name: str) -> str:
    return name.partition(".")[0].lower()
