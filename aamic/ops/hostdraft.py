"""What was found on hosts becomes the draft of a site. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from aamic.catalog.base import Detector
from aamic.compile.addresses import is_ip
from aamic.compile.hostlist import fold
from aamic.model.detected import Detected
from aamic.model.draft import Draft, DraftNode
from aamic.model.host import Unobserved
from aamic.ops.detectdiff import compare

_GIB: Final = 2**30

Outcome = Detected | Unobserved


def draft_hosts(
    found: Mapping[str, Outcome],
    addresses: Mapping[str, str],
    detectors: Mapping[str, Detector],
    user: str | None = None,
) -> Draft:
    """The draft of a site with these hosts, by name; `user` is who logged in to them, where that was said.

    Hosts that did not answer are left out. Notes tell of them, and of what a site cannot say of the others.
    """
    seen = [each for each in found.values() if isinstance(each, Detected)]
    gpus = {each.host: compare(each, None, detectors).wanted for each in seen}
    nodes = tuple(
        DraftNode(
            each.host,
            _address(each.host, addresses),
            gpu=gpus[each.host],
            threads=each.threads,
            memory=_rounded(each.memory),
            ssh_user=user,
        )
        for each in seen
    )
    notes = (*_left_out(found), *_gathered(seen, lambda each: _troubles(each, detectors)), *_names(seen))
    return Draft(nodes, notes=notes)


def _address(host: str, addresses: Mapping[str, str]) -> str | None:
    return addresses.get(host) if addresses.get(host) != host else None


def _rounded(memory: int | None) -> int | None:
    """Whole GiB, as equal nodes differ by some pages."""
    return memory if memory is None or memory < _GIB else memory // _GIB * _GIB


def _left_out(found: Mapping[str, Outcome]) -> Iterator[str]:
    reasons: dict[str, list[str]] = {}
    for host, each in found.items():
        if isinstance(each, Unobserved):
            reasons.setdefault(each.message, []).append(host)
    for reason, hosts in reasons.items():
        yield f"{fold(hosts)} is left out: {reason}"


def _gathered(seen: list[Detected], said: Callable[[Detected], Iterator[str]]) -> Iterator[str]:
    """What is said of hosts, once for all of which the same is said."""
    notes: dict[str, list[str]] = {}
    for each in seen:
        for note in said(each):
            notes.setdefault(note, []).append(each.host)
    for note, hosts in notes.items():
        yield f"{fold(hosts)}: {note}"


def _troubles(each: Detected, detectors: Mapping[str, Detector]) -> Iterator[str]:
    compared = compare(each, None, detectors)
    if compared.because:
        there = " and ".join(f"{found.count} of {found.vendor}" for found in each.gpus)
        yield f"its GPUs ({there}) are left out: {compared.because}"
    for found in each.gpus:
        yield from found.troubles


def _names(seen: list[Detected]) -> Iterator[str]:
    for each in seen:
        if each.name and not is_ip(each.host) and _short(each.name) != _short(each.host):
            yield f"{each.host} calls itself `{each.name}`"


def _short(name: str) -> str:
    return name.partition(".")[0].lower()
