"""What a host answered -> its GPUs, with what is missing or does not fit. Pure.

The kernel decides what is there; a vendor's program adds what it calls the GPUs, and is held against it. How many there
are is counted as the vendor's exporter counts: by functions of the PCI bus, so a card with two GPUs counts twice.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from aamic.catalog.base import Asked, Detector
from aamic.catalog.devices import models_in
from aamic.model.detected import HOST_DRIVERS, Detected, Device, Found
from aamic.ops.hostanswer import HostAnswer, Ran, Seen

_TIMED_OUT: Final = frozenset({124, 137})
"""What `timeout` ends with: it ended the program, or had to kill it."""
_LONGEST: Final = 200
_ROW: Final = re.compile(r"\s*[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]", re.IGNORECASE)
"""What a line about a GPU begins with, and no message does."""


def detected(host: str, answer: HostAnswer, detectors: Mapping[str, Detector]) -> Detected:
    """The GPUs of a host, by the vendor's name in the order of `detectors`."""
    found = (_found(vendor, detector, answer) for vendor, detector in detectors.items())
    gpus = tuple(each for each in found if each is not None)
    return Detected(host, answer.name, gpus, answer.threads, answer.memory)


def _found(vendor: str, detector: Detector, answer: HostAnswer) -> Found | None:
    """The GPUs of one vendor, if there are any."""
    gpus = _gpus(detector, answer.devices)
    if not gpus:
        return None
    asked, program, wrong = _asked(detector, [ran for ran in answer.ran if ran.vendor == detector.pci])
    model, perhaps, unclear = _model(detector, gpus, asked)
    driver, unbound = _driver(detector, answer, gpus, asked)
    fewer = _unseen(gpus, asked, program) if asked else ()
    failed = (wrong,) if wrong and driver is not None else ()
    devices = tuple(Device(gpu.address, gpu.number, gpu.driver) for gpu in gpus)
    return Found(vendor, devices, model, driver, (*unbound, *failed, *fewer, *unclear), perhaps)


def _gpus(detector: Detector, devices: Sequence[Seen]) -> tuple[Seen, ...]:
    """The devices that are GPUs of the vendor; virtual functions only where the host sees no whole one."""
    own = [each for each in devices if each.vendor == detector.pci and each.number not in detector.ignored]
    gpus = [each for each in own if each.number in detector.devices or each.kind in detector.classes]
    return tuple([each for each in gpus if not each.virtual] or gpus)


# What its programs say


def _asked(detector: Detector, ran: Sequence[Ran]) -> tuple[Asked | None, str, str]:
    """What the first program says that ended well, with its name; and what went wrong, if none did.

    A program that fails for one GPU may have told of the others: where none ended well, that counts.
    """
    wrong, program = "", ""
    part: Asked | None = None
    for each in ran:
        try:
            said = detector.read((each.program,), each.output)
        except ValueError as error:
            wrong = wrong or (
                _failure(each) if each.status else f"`{each.program}` says what is not understood: {error}"
            )
            continue
        if each.status == 0:
            return said, each.program, ""
        wrong = wrong or _failure(each)
        if part is None and said.addresses:
            part, program = said, each.program
    return part, program, wrong


def _failure(ran: Ran) -> str:
    if ran.status in _TIMED_OUT:
        return f"`{ran.program}` did not answer in time"
    told = (line for line in ran.output.splitlines() if not _ROW.match(line))
    said = _first(told) or _first(reversed(ran.errors.splitlines()))
    return f"`{ran.program}` failed with status {ran.status}" + (f": {said}" if said else "")


def _first(lines: Iterator[str]) -> str:
    """The first line that says something, not too long."""
    line = next((line.strip() for line in lines if line.strip()), "")
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def _unseen(gpus: Sequence[Seen], asked: Asked, program: str) -> tuple[str, ...]:
    """Whether the program sees fewer GPUs than the bus has; parts of one have addresses that the bus does not know."""
    missing = [gpu.address for gpu in gpus if gpu.address not in asked.addresses]
    if not missing:
        return ()
    which = f"not {', '.join(missing)}" if len(missing) < len(gpus) else "none of them"
    return (f"`{program}` sees {len(gpus) - len(missing)} of {len(gpus)} GPUs: {which}",)


# What they are


def _model(
    detector: Detector, gpus: Sequence[Seen], asked: Asked | None
) -> tuple[str | None, tuple[str, ...], tuple[str, ...]]:
    """Their model; else what it may be, and what is to be said of that.

    A name that the program gives is the driver's own, so it wins over the number, if it is that of a known model. Where
    not even the number is known, the program's word is taken as it is.
    """
    known = {model for models in detector.devices.values() for model in models}
    names = tuple(filter(_is_name, asked.models)) if asked else ()
    named = {models_in(name, known) for name in names}
    if len(names) >= len(gpus) and len(named) == 1 and len(only := next(iter(named))) == 1:
        return next(iter(only)), (), ()
    numbered = {gpu.number: detector.devices.get(gpu.number, ()) for gpu in gpus}
    if unknown := [number for number, models in numbered.items() if not models]:
        if len(set(names)) == 1 and len(unknown) == len(numbered):
            return names[0], (), ()
        return None, (), tuple(map(_unknown, unknown))
    if len(set(numbered.values())) > 1:
        return None, (), (f"they differ: {_mixed(detector, gpus)}",)
    models = next(iter(numbered.values()))
    return (models[0], (), ()) if len(models) == 1 else (None, models, ())


def _is_name(text: str) -> bool:
    """Whether a site could say so."""
    return text.isprintable() and 0 < len(text) <= _LONGEST


def _unknown(number: str) -> str:
    return (
        f"device number {number} is not known here: write the product's name as `gpu.model` in the site, "
        "and tell the authors of aamic of the number"
    )


def _mixed(detector: Detector, gpus: Sequence[Seen]) -> str:
    counts = Counter(" or ".join(detector.devices.get(gpu.number, ())) or gpu.number for gpu in gpus)
    return ", ".join(f"{count} {model}" for model, count in sorted(counts.items()))


# Who drives them


def _driver(
    detector: Detector, answer: HostAnswer, gpus: Sequence[Seen], asked: Asked | None
) -> tuple[str | None, tuple[str, ...]]:
    """The version of the loaded driver, and what is to be said of GPUs that it does not have.

    A driver of the kernel itself has no version of its own: then it is the kernel's, as vendors' programs say too.
    """
    module = next((module for module in detector.modules if module in answer.modules), None)
    said = asked.driver if asked else None
    version = (answer.modules[module] or said or answer.kernel or "unknown") if module else None
    others = Counter(gpu.driver for gpu in gpus if gpu.driver not in {*detector.modules, *HOST_DRIVERS})
    wanted = detector.modules[0]
    return version, tuple(
        _unbound(driver, count, len(gpus), wanted) for driver, count in sorted(others.items(), key=str)
    )


def _unbound(driver: str | None, count: int, total: int, wanted: str) -> str:
    if driver is None:
        hint = f"install `{wanted}`, or see in the kernel log why it is not loaded"
        return f"{count} of {total} GPUs have no driver: {hint}"
    return f"{count} of {total} GPUs are held by `{driver}`, not by `{wanted}`"
