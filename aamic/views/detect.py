"""What was found on hosts, for a terminal and for a machine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from aamic.model.detected import STATES, Compared, Found, named
from aamic.model.host import Unobserved
from aamic.views.hosts import Fold, collapsed
from aamic.views.report import counted
from aamic.views.terminal import safe, wrapped


def text(compared: Sequence[Compared], failed: Sequence[Unobserved], fold: Fold, *, width: int = 100) -> str:
    """What needs a look first; hosts of which the same is to be said are told once, most hosts first."""
    lines: list[tuple[int, str]] = []
    for state in STATES:
        lines += _state(state, [each for each in compared if each.state == state], fold)
    lines += _failed(failed, fold)
    lines.append((0, _summary(compared, failed)))
    pieces = (wrapped(safe(line), width, " " * indent, " " * (indent + 2)) for indent, line in lines)
    return "".join(f"{piece}\n" for those in pieces for piece in those)


def _state(state: str, those: Sequence[Compared], fold: Fold) -> Iterator[tuple[int, str]]:
    """Hosts of which the same is said are told together, wherever their GPUs are plugged in."""
    groups: dict[tuple[tuple[str, ...], ...], list[Compared]] = {}
    for each in those:
        groups.setdefault((tuple(_there(each)), tuple(_remarks(each))), []).append(each)
    for (there, remarks), members in sorted(groups.items(), key=lambda group: -len(group[1])):
        yield 0, f"{state} · {counted(len(members))} · {fold(each.host for each in members)}"
        yield from ((2, line) for line in there)
        yield from ((4, line) for line in _addresses(members))
        yield from ((2, line) for line in remarks)


def _there(compared: Compared) -> Iterator[str]:
    gpus = compared.detected.gpus
    yield from compared.differences
    yield from map(_found, gpus) if gpus else ("no GPUs",)


def _remarks(compared: Compared) -> Iterator[str]:
    yield from (f"{found.vendor}: {trouble}" for found in compared.detected.gpus for trouble in found.troubles)
    if compared.because:
        yield f"nothing to write: {compared.because}"


def _found(found: Found) -> str:
    return f"{named(found)}, {'no driver' if found.driver is None else f'driver {found.driver}'}"


def _addresses(members: Sequence[Compared]) -> Iterator[str]:
    """Where the GPUs are on the PCI bus, if that is the same on all of these hosts."""
    each = {tuple(device.address for found in member.detected.gpus for device in found.devices) for member in members}
    if len(each) > 1:
        yield "at various addresses of the PCI bus; `--json` has them"
    elif addresses := next(iter(each)):
        yield f"at {', '.join(addresses)}"


def _failed(failed: Sequence[Unobserved], fold: Fold) -> Iterator[tuple[int, str]]:
    told = ((each.host, f"{each.message}\nhint: {each.hint}" if each.hint else each.message) for each in failed)
    for message, hosts in collapsed(told):
        yield 0, f"unknown · {counted(len(hosts))} · {fold(hosts)}"
        yield from ((2, line) for line in message.split("\n"))


def _summary(compared: Sequence[Compared], failed: Sequence[Unobserved]) -> str:
    counts = [(sum(1 for each in compared if each.state == state), state) for state in reversed(STATES)]
    parts = [f"{count:,} {state}" for count, state in (*counts, (len(failed), "unknown")) if count]
    return f"{counted(len(compared) + len(failed))}: {', '.join(parts)}"


def to_json(
    compared: Iterable[Compared], failed: Iterable[Unobserved], edit: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Every host as a value for JSON, and what became of an edit, if one was asked for."""
    hosts = {each.host: _host(each) for each in compared}
    hosts |= {
        each.host: {"state": "unknown", "kind": each.kind, "message": each.message, "hint": each.hint}
        for each in failed
    }
    return {"version": 1, "hosts": hosts, **({"edit": edit} if edit is not None else {})}


def _host(compared: Compared) -> dict[str, Any]:
    detected = compared.detected
    return {
        "state": compared.state,
        "differences": list(compared.differences),
        "wanted": asdict(compared.wanted) if compared.wanted else None,
        "not_written_because": compared.because or None,
        "calls_itself": detected.name,
        "threads": detected.threads,
        "memory_bytes": detected.memory,
        "gpus": [_gpus(found) for found in detected.gpus],
    }


def _gpus(found: Found) -> dict[str, Any]:
    return {
        "vendor": found.vendor,
        "model": found.model,
        "perhaps": list(found.perhaps),
        "count": found.count,
        "driver": found.driver,
        "devices": [asdict(device) for device in found.devices],
        "troubles": list(found.troubles),
    }
