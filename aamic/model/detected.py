"""What was found on a host that was looked at: its GPUs by vendor, and what else a site says of a node. Frozen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from aamic.model.fleet import Gpu

State = Literal["different", "not in the site", "same"]
STATES: Final[tuple[State, ...]] = ("different", "not in the site", "same")
"""In the order in which they are told."""

HOST_DRIVERS: Final = frozenset({"gim"})
"""Drivers of a host that gives virtual functions of its GPUs away."""


@dataclass(frozen=True, slots=True)
class Device:
    """A GPU on the PCI bus: `address` is `0000:1b:00.0`, `device` its number `0x2330`, `driver` what is bound to it."""

    address: str
    device: str
    driver: str | None


@dataclass(frozen=True, slots=True)
class Found:
    """The GPUs of one vendor on a host.

    `model` is one of those that `gpu.model` of a site would have, None where it is not known or they differ;
    `perhaps` are the models of which it is one, where a device number is used for several. `driver` is the version of
    the loaded driver, None where none is loaded. `troubles` say what is missing or does not fit, such as a driver that
    is not loaded, or a program that sees fewer GPUs than the PCI bus has.
    """

    vendor: str
    devices: tuple[Device, ...]
    model: str | None
    driver: str | None
    troubles: tuple[str, ...] = ()
    perhaps: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many there are; a card with two GPUs, such as an MI250, counts twice, as its exporter counts it."""
        return len(self.devices)


@dataclass(frozen=True, slots=True)
class Detected:
    """A host that answered: `name` as it calls itself, memory in bytes; no `gpus` where it has none."""

    host: str
    name: str
    gpus: tuple[Found, ...]
    threads: int | None
    memory: int | None


@dataclass(frozen=True, slots=True)
class Compared:
    """A host that answered, and how the site stands to it.

    `differences` say what is not the same. `wanted` is what the site would say of it; None where nothing is to be
    written, and `because` says why, if it is not that they are the same.
    """

    detected: Detected
    state: State
    differences: tuple[str, ...] = ()
    wanted: Gpu | None = None
    because: str = ""

    @property
    def host(self) -> str:
        """The node's name in the site."""
        return self.detected.host


def named(found: Found) -> str:
    """What the GPUs are: `8 nvidia H100`, or what they may be."""
    model = found.model or " or ".join(found.perhaps) or f"GPU{'' if found.count == 1 else 's'} of unknown model"
    return f"{found.count} {found.vendor} {model}"
