"""The language between aamic and `aamic/agent/detect.sh`: what is asked of a host, and its answer, as values.

What a host says is not trusted: an answer that is not as the program writes it is a ValueError.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aamic import agent
from aamic.catalog.base import Detector, pci_address

_HEAD: Final = "aamic\t1\tdetect"
_NUMBER: Final = re.compile(r"0x[0-9a-f]{4}")
_CLASS: Final = re.compile(r"0x[0-9a-f]{6}")
_CPUS: Final = re.compile(r"([0-9]{1,7})(?:-([0-9]{1,7}))?")
_KIB: Final = re.compile(r"[0-9]{1,15}")
_STATUS: Final = re.compile(r"[0-9]{1,3}")
_WORD: Final = re.compile(r"[A-Za-z0-9._+~:-]{0,64}")
_MOST_DEVICES: Final = 4096


@dataclass(frozen=True, slots=True)
class Seen:
    """A display controller or accelerator: address, class without its interface (`0x0302`), vendor, number, driver."""

    address: str
    kind: str
    vendor: str
    number: str
    driver: str | None
    virtual: bool


@dataclass(frozen=True, slots=True)
class Ran:
    """A program that was run for a vendor: what it left behind."""

    vendor: str
    program: str
    output: str
    errors: str
    status: int


@dataclass(frozen=True, slots=True)
class HostAnswer:
    """What a host said; `modules` are those of the ones asked for that are loaded, with a version or ''."""

    name: str
    kernel: str
    threads: int | None
    memory: int | None
    has_bus: bool
    modules: Mapping[str, str]
    devices: tuple[Seen, ...]
    ran: tuple[Ran, ...]


def command() -> tuple[str, ...]:
    """The command line that looks for GPUs on a host."""
    return agent.command(agent.detect(), "detect")


def payload(detectors: Iterable[Detector]) -> tuple[bytes, bytes]:
    """What goes to the command's standard input: the program, and what is asked for."""
    lines = [line for detector in detectors for line in _request(detector)]
    return agent.detect(), ("\n".join([*lines, "end"]) + "\n").encode()


def _request(detector: Detector) -> Iterator[str]:
    yield f"vendor\t{detector.pci}"
    for module in detector.modules:
        yield f"module\t{module}"
    for folder in detector.folders:
        yield f"folder\t{folder}"
    for program in detector.programs:
        yield "\t".join(("program", detector.pci, *program))


def read_answer(output: bytes) -> HostAnswer:
    """Read what a host answered.

    Raises:
        ValueError: It is no answer, or is cut short.
    """
    lines = output.decode(errors="replace").split("\n")
    if lines[0] != _HEAD:
        raise ValueError("the program of aamic did not run there")
    if lines[-2:] != ["end", ""]:
        raise ValueError("its answer ended early")
    records = [tuple(line.split("\t")) for line in lines[1:-2]]
    single = {kind: _one(records, kind) for kind in ("host", "kernel", "cpus", "memory")}
    if unknown := {record[0] for record in records} - {*single, "module", "device", "no-bus", "ran"}:
        raise ValueError(f"a line of it begins with {min(unknown)[:20]!r}")
    return HostAnswer(
        name=_shown(single["host"]),
        kernel=_shown(single["kernel"]),
        threads=_threads(single["cpus"]),
        memory=int(single["memory"]) * 1024 if _KIB.fullmatch(single["memory"]) else None,
        has_bus=("no-bus",) not in records,
        modules={_word(name): _plain(version) for name, version in _all(records, "module", 2)},
        devices=_devices(_all(records, "device", 6)),
        ran=tuple(_ran(fields) for fields in _all(records, "ran", 5)),
    )


def _one(records: Sequence[tuple[str, ...]], kind: str) -> str:
    """The value of a line that is there once."""
    found = [record for record in records if record[0] == kind]
    if len(found) != 1 or len(found[0]) != 2:  # noqa: PLR2004  # its kind and its value
        raise ValueError(f"it does not have one line of `{kind}`")
    return found[0][1]


def _all(records: Sequence[tuple[str, ...]], kind: str, fields: int) -> list[tuple[str, ...]]:
    found = [record[1:] for record in records if record[0] == kind]
    if any(len(record) != fields for record in found):
        raise ValueError(f"a line of `{kind}` is malformed")
    return found


def _devices(records: Sequence[tuple[str, ...]]) -> tuple[Seen, ...]:
    if len(records) > _MOST_DEVICES:
        raise ValueError("it has too many devices")
    return tuple(sorted(map(_device, records), key=lambda seen: seen.address))


def _device(fields: tuple[str, ...]) -> Seen:
    address, kind, vendor, number, driver, part = fields
    if not (_CLASS.fullmatch(kind) and _NUMBER.fullmatch(vendor) and _NUMBER.fullmatch(number)):
        raise ValueError("a line of `device` is malformed")
    return Seen(pci_address(address), kind[:6], vendor, number, _word(driver) or None, part == "virtual")


def _ran(fields: tuple[str, ...]) -> Ran:
    vendor, program, output, status, errors = fields
    if not _STATUS.fullmatch(status):
        raise ValueError("a line of `ran` is malformed")
    return Ran(vendor, _word(program), _decoded(output), _decoded(errors), int(status))


def _decoded(text: str) -> str:
    try:
        return b64decode(text, validate=True).decode(errors="replace")
    except ValueError as error:
        raise ValueError("a line of `ran` is malformed") from error


def _word(text: str) -> str:
    """A short name or version."""
    if not _WORD.fullmatch(text):
        raise ValueError("a name in it is malformed")
    return text


def _plain(text: str) -> str:
    """A version, or '' where it is none that could be shown."""
    return text if _WORD.fullmatch(text) else ""


def _shown(text: str) -> str:
    return text[:255] if text.isprintable() else ""


def _threads(text: str) -> int | None:
    """How many threads a list of the kernel such as `0-63,128` names; None where it is none."""
    spans = [_CPUS.fullmatch(span) for span in text.split(",")]
    total = sum(int(span[2] or span[1]) - int(span[1]) + 1 for span in spans if span)
    return total if all(spans) and total > 0 else None
